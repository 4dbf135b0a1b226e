"""PGD beside the gradients that it cannot do without.

  bash -c '. launch/env.sh && .venv/bin/python benchmarks/attacks.py'

PGD of 40 steps on ResNet-8 (width 0.5, 32 px, random weights) against its
bound: as many compiled gradients of the cross-entropy and one forward pass, on
the same images; and against foolbox's PGD, where foolbox is installed, on the
same compiled function and on one that is not compiled. Medians of interleaved
runs.
"""

import argparse
import functools
import platform
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import rich.table
import timing
from rich.console import Console

from rcj import attacks, models
from rcj.types import Frozen
from rcj.weights import Masked

_EPS, _STEPS = 8 / 255, 40


def network() -> Frozen:
  """ResNet-8 with random weights."""
  module = models.create('resnet8', num_classes=10, width=0.5, stem='cifar')
  params, stats = models.init(jax.random.key(0), module, size=32)
  nowhere = jax.tree.map(lambda _: None, params)
  shown = models.preprocessing('resnet8', stem='cifar')
  how = (module, Masked(), shown, tuple('0123456789'))
  return Frozen(params, stats, nowhere, nowhere, *how)


def bound(frozen: Frozen, images: jax.Array, labels: jax.Array) -> Callable:
  """The gradients and the forward pass alone."""

  @jax.jit
  def gradient(frozen, images):
    def loss(x):
      logits = jax.nn.log_softmax(models.predict(frozen, x))
      return -jnp.sum(jnp.take_along_axis(logits, labels[:, None], 1))

    return jax.grad(loss)(images)

  def run():
    found = [gradient(frozen, images) for _ in range(_STEPS)]
    return found[-1], models.predict(frozen, images)

  return run


def plain(frozen: Frozen, images: jax.Array) -> jax.Array:
  """`models.predict` without compilation."""
  shown = frozen.preprocessing
  mean, std = (
    jnp.asarray(x).reshape(1, 1, 1, 3) for x in (shown.mean, shown.std)
  )
  variables = {'params': frozen.params, 'batch_stats': frozen.batch_stats}
  return frozen.model.apply(variables, (images - mean) / std, train=False)[0]


def foolbox_pgd(
  predict: Callable, images: jax.Array, labels: jax.Array
) -> Callable | None:
  """foolbox's; None without foolbox."""
  try:
    import eagerpy
    import foolbox
  except ImportError:
    return None
  model = foolbox.JAXModel(predict, bounds=(0, 1))
  attack = foolbox.attacks.LinfPGD(steps=_STEPS, random_start=False)
  x, y = eagerpy.astensor(images), eagerpy.astensor(labels)
  return lambda: attack.run(model, x, y, epsilon=_EPS).raw


def main() -> None:
  """Times all in turns and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--batch', type=int, default=64)
  parser.add_argument('--repeats', type=int, default=5)
  options = parser.parse_args()
  rng = np.random.default_rng(0)
  shape = (options.batch, 32, 32, 3)
  images = jnp.asarray(rng.random(shape, np.float32))
  labels = jnp.asarray(rng.integers(0, 10, options.batch))
  frozen = network()
  predict = functools.partial(models.predict, frozen)
  how = {'eps': _EPS, 'steps': _STEPS}
  runs = {
    'gradients and forward': bound(frozen, images, labels),
    'rcj': lambda: attacks.pgd(
      jax.random.key(0), predict, images, labels, **how
    ),
    'foolbox': foolbox_pgd(jax.jit(predict), images, labels),
    'foolbox, not compiled': foolbox_pgd(
      functools.partial(plain, frozen), images, labels
    ),
  }
  runs = {name: run for name, run in runs.items() if run}
  medians = timing.medians(runs, options.repeats)
  table = rich.table.Table(
    *('PGD-40', 's', 'part of the bound', 'to rcj'),
    title=f'batch {options.batch}, medians of {options.repeats}',
  )
  least = next(iter(medians.values()))
  for name, taken in medians.items():
    shown = (taken, least / taken, taken / medians['rcj'])
    table.add_row(name, *(f'{x:.2f}' for x in shown))
  Console().print(table)
  print(f'jax {jax.__version__}, {platform.machine()}')


if __name__ == '__main__':
  main()
