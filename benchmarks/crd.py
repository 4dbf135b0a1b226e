"""A step of contrastive distillation: products with banks, or fetched rows.

  python benchmarks/crd.py

Times, in turns and for each number of negatives, the products of a batch with
K+1 rows of a bank for every image, and the same with their gradient: by XLA,
which fetches the rows and multiplies (gather, then einsum, and autodiff), by
the reference of `rcj.ops.gather`, which multiplies with the whole bank and
picks, and by the native kernels. Then whole steps, the loss with its gradients
and the update of the banks: with fetched rows, and `rcj.crd` by native kernels
with float32 and bfloat16 banks, and by the reference; beside them the drawing
of the negatives alone. Medians of the interleaved runs, and the ratio to the
fetched rows. Products and losses are checked against each other.
"""

import argparse
import functools
import os
import platform
from collections.abc import Callable
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import rich.table
import timing
from rich.console import Console

from rcj import crd, native
from rcj.ops import gather

_BATCH = 64
_FEATURES = {'student': 512, 'teacher': 2048}
_FETCHED = 'fetched rows'


def products(images: int, k: int) -> tuple[dict, dict]:
  """{name: function that multiplies with drawn rows}, and with gradients."""
  rng = np.random.default_rng(0)
  x, bank, slope = (
    jnp.asarray(rng.normal(size=shape), jnp.float32)
    for shape in ((_BATCH, 128), (images, 128), (_BATCH, k + 1))
  )
  drawn = jnp.asarray(rng.integers(0, images, slope.shape), jnp.int32)
  contestants = {
    _FETCHED: lambda x, bank, drawn: jnp.einsum('bkd,bd->bk', bank[drawn], x),
    'reference': functools.partial(gather.dot, implementation='reference'),
    'rcj': gather.dot,
  }

  def both(dot, x, bank, drawn, slope):
    value, pull = jax.vjp(lambda x: dot(x, bank, drawn), x)
    return value, pull(slope)[0]

  forward, gradient = {}, {}
  for name, dot in contestants.items():
    forward[name] = functools.partial(jax.jit(dot), x, bank, drawn)
    gradient[name] = functools.partial(
      jax.jit(functools.partial(both, dot)), x, bank, drawn, slope
    )
  return forward, gradient


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
  step = step.lower(heads, pooled, state, index, drawn).compile()
  held = [jax.tree.map(jnp.copy, state)]

  def run():
    (value, held[0]), _ = jax.block_until_ready(
      step(heads, pooled, held[0], index, drawn)
    )
    return float(value)

  return run


def steps(images: int, k: int) -> tuple[dict, Callable]:
  """{name: function that takes one step}, and one that draws negatives."""
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
  with mock.patch.object(native, 'available', return_value=False):
    reference = runner(ours, heads, state, *case)
  return {
    _FETCHED: runner(fetched, heads, state, *case),
    'reference': reference,
    'rcj': runner(ours, heads, state, *case),
    'rcj, bfloat16 banks': runner(ours, heads, {**state, 'banks': half}, *case),
  }, lambda: draw(key, state['classes'], index)


def compare(functions: dict, tolerance: float) -> None:
  """Raises AssertionError unless all give what the first does."""
  first, *others = (jax.device_get(f()) for f in functions.values())

  def near(a, b):
    atol = tolerance * np.abs(b).max()
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=atol)

  for other in others:
    jax.tree.map(near, other, first)


def main():
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--runs', type=int, default=9, help='runs of each')
  parser.add_argument('--images', type=int, default=50_000)
  parser.add_argument('--negatives', type=int, nargs='+', default=(4096, 16384))
  args = parser.parse_args()

  table = rich.table.Table(
    *('negatives', 'work', 'by', 'median ms', f'ratio to {_FETCHED}'),
    title=(
      f'{args.images:,} images, batch {_BATCH}, 128 features, '
      f'{args.runs} interleaved runs\n'
      f'jax {jax.__version__}, {jax.devices()[0].device_kind}, '
      f'{platform.machine()}, {len(os.sched_getaffinity(0))} cores, '
      f'{" ".join(native.implementations()[:1]) or "no"} kernels'
    ),
  )
  for k in args.negatives:
    whole, draw = steps(args.images, k)
    forward, gradient = products(args.images, k)
    work = {'products': forward, 'and gradient': gradient, 'step': whole}
    for name, functions in work.items():
      compare(functions, 1e-3 if name == 'step' else 1e-4)
      seconds = timing.medians(functions, args.runs)
      for by, median in seconds.items():
        ratio = f'{seconds[_FETCHED] / median:.1f}'
        table.add_row(f'{k:,}', name, by, f'{1e3 * median:.1f}', ratio)
    drawing = timing.medians({'drawing': draw}, args.runs)['drawing']
    table.add_row(f'{k:,}', 'drawing', 'rcj', f'{1e3 * drawing:.1f}', '')
  Console(width=100).print(table)


if __name__ == '__main__':
  main()
