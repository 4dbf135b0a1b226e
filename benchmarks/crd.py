"""A step of contrastive distillation: products with banks, or fetched rows.

  python benchmarks/crd.py

Times, in turns, the loss with its gradients and the update of the banks, for
each number of negatives: the formulation that fetches K+1 rows of a bank for
every image (gather, then einsum, and autodiff), and `rcj.crd` with float32 and
bfloat16 banks; beside them the drawing of the negatives alone. Medians of the
interleaved runs, and the ratio to the fetched rows. The losses are checked
against each other.
"""

import argparse
import functools
import os
import platform
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import rich.table
from rich.console import Console

from rcj import crd

_BATCH = 64
_FEATURES = {'student': 512, 'teacher': 2048}
_FETCHED = 'fetched rows'


def fetched(heads, state, pooled, index, drawn, tau=0.07):
  """The loss as it is written down, and the new banks and normalisers."""
  banks, z, loss, v = state['banks'], state['z'], 0.0, {}
  images, c = (
    len(banks['student']),
    (drawn.shape[1] - 1) / len(banks['student']),
  )
  for name, other in (('student', 'teacher'), ('teacher', 'student')):
    h = pooled[name] @ heads[name]['kernel'] + heads[name]['bias'][None]
    v[name] = h / jnp.linalg.norm(h, axis=1, keepdims=True)
    e = jnp.exp(jnp.einsum('bkd,bd->bk', banks[other][drawn], v[name]) / tau)
    batch = jax.lax.stop_gradient(jnp.mean(e)) * images
    z = {**z, name: jnp.where(z[name] > 0, z[name], batch)}
    o = e / z[name]
    loss -= jnp.log(o[:, 0] / (o[:, 0] + c + 1e-7))
    loss -= jnp.sum(jnp.log(c / (o[:, 1:] + c + 1e-7)), axis=1)

  def moved(bank, v):
    row = 0.5 * bank[index] + 0.5 * v
    row /= jnp.linalg.norm(row, axis=1, keepdims=True)
    return bank.at[index].set(row)

  banks = {name: moved(bank, v[name]) for name, bank in banks.items()}
  return loss, {**state, 'banks': banks, 'z': z}


def ours(heads, state, pooled, index, drawn):
  """`rcj.crd` on the same arguments."""
  features = pooled['student'], pooled['teacher']
  return crd.crd(heads, state, *features, index, drawn)


def runner(loss, heads, state, pooled, index, drawn):
  """A function that takes one step of `loss` and returns its mean."""

  def mean(heads, pooled, state, index, drawn):
    value, state = loss(heads, state, pooled, index, drawn)
    return value.mean(), state

  gradients = jax.value_and_grad(mean, (0, 1), has_aux=True)
  step = jax.jit(gradients, donate_argnums=2)
  held = [jax.tree.map(jnp.copy, state)]

  def run():
    (value, held[0]), _ = jax.block_until_ready(
      step(heads, pooled, held[0], index, drawn)
    )
    return float(value)

  return run


def contestants(images: int, k: int) -> dict:
  """{name: function that takes one step}."""
  rng = np.random.default_rng(0)
  labels = rng.integers(0, 100, images)
  dims = {f'{name}_dim': n for name, n in _FEATURES.items()}
  heads, state = crd.init(jax.random.key(0), labels=labels, **dims)
  pooled = {
    name: jnp.asarray(np.abs(rng.normal(size=(_BATCH, n))), jnp.float32)
    for name, n in _FEATURES.items()
  }
  index = jnp.asarray(rng.choice(images, _BATCH, replace=False), jnp.int32)
  draw = jax.jit(functools.partial(crd.contrast, k=k))
  key = jax.random.key(1)
  drawn = draw(key, state['classes'], index)
  half = jax.tree.map(lambda x: x.astype(jnp.bfloat16), state['banks'])
  case = pooled, index, drawn
  return {
    _FETCHED: runner(fetched, heads, state, *case),
    'rcj': runner(ours, heads, state, *case),
    'rcj, bfloat16 banks': runner(ours, heads, {**state, 'banks': half}, *case),
    'drawing alone': lambda: jax.block_until_ready(
      draw(key, state['classes'], index)
    ),
  }


def measured(functions: dict, runs: int) -> dict[str, list[float]]:
  """Seconds of each function in turns, after a check of the losses."""
  first = {name: f() for name, f in functions.items()}
  for name in ('rcj', 'rcj, bfloat16 banks'):
    np.testing.assert_allclose(first[name], first[_FETCHED], rtol=1e-3)
  seconds = {name: [] for name in functions}
  for _ in range(runs):
    for name, f in functions.items():
      start = time.perf_counter()
      f()
      seconds[name].append(time.perf_counter() - start)
  return seconds


def main():
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--runs', type=int, default=9, help='runs of each')
  parser.add_argument('--images', type=int, default=50_000)
  parser.add_argument('--negatives', type=int, nargs='+', default=(4096, 16384))
  args = parser.parse_args()

  table = rich.table.Table(
    'negatives',
    'step',
    'median ms',
    'least ms',
    f'ratio to {_FETCHED}',
    title=(
      f'{args.images:,} images, batch {_BATCH}, 128 features, '
      f'{args.runs} interleaved runs\n'
      f'jax {jax.__version__}, {jax.devices()[0].device_kind}, '
      f'{platform.machine()}, {len(os.sched_getaffinity(0))} cores'
    ),
  )
  for k in args.negatives:
    seconds = measured(contestants(args.images, k), args.runs)
    medians = {name: statistics.median(t) for name, t in seconds.items()}
    for name, median in medians.items():
      table.add_row(
        f'{k:,}',
        name,
        f'{1e3 * median:.1f}',
        f'{1e3 * min(seconds[name]):.1f}',
        f'{medians[_FETCHED] / median:.1f}',
      )
  Console(width=100).print(table)


if __name__ == '__main__':
  main()
