"""Selection and gathered products on a GPU: CUDA kernels beside references.

  python benchmarks/gpu_selection.py

Masks of the largest 10 % of a ResNet-18's weights, over all layers together,
per layer, and with ties to split; products of 64 embeddings with the K + 1 rows
of a bank that each has drawn, alone and with their gradient. Results are
compared, then everything takes turns; medians. Fails where there is no GPU or
no CUDA library.
"""

import argparse
import functools

import jax
import jax.numpy as jnp
import numpy as np
import rich.table
from gpu import medians
from rich.console import Console
from selection import kernel_shapes

from rcj import masks, native
from rcj.ops import gather, select

_BY = ('reference', 'cuda')


def selections() -> dict:
  """{work: {implementation: function that makes all masks}}."""
  rng = np.random.default_rng(0)
  leaves = [
    jnp.asarray(np.abs(rng.normal(size=s)), jnp.float32)
    for s in kernel_shapes()
  ]
  tied = [jnp.round(x * 8) for x in leaves]
  k = masks.counts(leaves, density=0.1)
  cases = {
    'masks, global': (leaves, k),
    'masks, per layer': (
      leaves,
      masks.counts(leaves, density=0.1, scope='layer'),
    ),
    'masks, global, split ties': (tied, k),
  }
  largest = jax.jit(select.largest, static_argnames='implementation')
  return {
    work: {by: functools.partial(largest, *x, implementation=by) for by in _BY}
    for work, x in cases.items()
  }


def products(images: int, k: int) -> dict:
  """{work: {implementation: function that multiplies with drawn rows}}."""
  keys = jax.random.split(jax.random.key(0), 4)
  x = jax.random.normal(keys[0], (64, 128))
  bank = jax.random.normal(keys[1], (images, 128))
  drawn = jax.random.randint(keys[2], (64, k + 1), 0, images)
  slope = jax.random.normal(keys[3], drawn.shape)

  def both(x, bank, drawn, slope, *, by):
    dot = functools.partial(
      gather.dot, table=bank, numbers=drawn, implementation=by
    )
    value, pull = jax.vjp(dot, x)
    return value, pull(slope)[0]

  dot = jax.jit(gather.dot, static_argnames='implementation')
  both = jax.jit(both, static_argnames='by')
  name = f'{k + 1:,} of {images:,} rows'
  return {
    f'products, {name}': {
      by: functools.partial(dot, x, bank, drawn, implementation=by)
      for by in _BY
    },
    f'and gradient, {name}': {
      by: functools.partial(both, x, bank, drawn, slope, by=by) for by in _BY
    },
  }


def check(runs: dict) -> None:
  """Raises an AssertionError where a kernel and its reference differ."""
  expected, found = (jax.device_get(runs[by]()) for by in _BY)

  def near(a, b):
    atol = 0 if a.dtype == bool else 1e-4 * np.abs(b).max()
    np.testing.assert_allclose(a, b, rtol=0, atol=atol)

  jax.tree.map(near, found, expected)


def main() -> None:
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--repeats', type=int, default=9)
  options = parser.parse_args()
  native.library(native.GPU)  # says why, if it cannot be had
  if jax.default_backend() != 'gpu':
    parser.error(f'needs a GPU, found {jax.devices()}')
  table = rich.table.Table(
    *('work', 'reference, ms', 'CUDA, ms', 'ratio'),
    title=(
      f'median of {options.repeats}, jax {jax.__version__} on '
      f'{jax.devices()[0].device_kind}'
    ),
  )
  work = selections() | products(50_000, 16384) | products(1_281_167, 4096)
  for name, runs in work.items():
    check(runs)
    times = medians(runs, 20, options.repeats)
    shown = (f'{1e3 * times[by]:.3f}' for by in _BY)
    table.add_row(name, *shown, f'{times["reference"] / times["cuda"]:.2f}')
  Console(width=100).print(table)


if __name__ == '__main__':
  main()
