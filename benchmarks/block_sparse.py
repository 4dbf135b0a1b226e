"""Block-sparse products against the dense one.

  python benchmarks/block_sparse.py

y = x W for a W of which a share of the square blocks is live, forward and with
both gradients, by one implementation of `rcj.ops.block_sparse` ('pallas' is for
TPUs), beside the same with a dense W. In turns, medians. Also printed: the
largest density at which the blocks are faster.
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

from rcj.ops import block_sparse

_DENSITIES = (0.5, 0.2, 0.1, 0.05)
_SIDES = (32, 128)


def pattern(
  shape: tuple[int, int], *, side: int, density: float
) -> block_sparse.Pattern:
  """Random blocks."""
  rows, columns = shape[0] // side, shape[1] // side
  live = np.zeros(rows * columns, bool)
  live[: max(1, round(density * live.size))] = True
  live = np.random.default_rng(0).permutation(live).reshape(rows, columns)
  mask = np.repeat(np.repeat(live, side, 0), side, 1)
  return block_sparse.pattern(mask, side=side)


def contestants(
  m: int, shape: tuple[int, int], dtype: str, implementation: str
) -> dict[tuple, tuple[Callable, tuple]]:
  """{(side, density, part): (function, arguments)}, side 0 for dense."""
  keys = jax.random.split(jax.random.key(0), 3)
  x = jax.random.normal(keys[0], (m, shape[0]), dtype)
  dense = jax.random.normal(keys[1], shape, dtype)
  dy = jax.random.normal(keys[2], (m, shape[1]), dtype)
  by_blocks = functools.partial(
    block_sparse.matmul, implementation=implementation
  )

  def parts(product):
    def with_gradients(x, w, dy, *at):
      y, back = jax.vjp(lambda x, w: product(x, w, *at), x, w)
      return y, back(dy)

    def forward(x, w, dy, *at):
      return product(x, w, *at)

    return {'forward': jax.jit(forward), 'and back': jax.jit(with_gradients)}

  found = {(0, 1.0, n): (f, (x, dense, dy)) for n, f in parts(jnp.dot).items()}
  for side in _SIDES:
    for density in _DENSITIES:
      at = jax.device_put(pattern(shape, side=side, density=density))
      operands = x, block_sparse.pack(dense, at), dy, at
      for name, f in parts(by_blocks).items():
        found[side, density, name] = f, operands
  return found


def crossover(
  m: int,
  shape: tuple[int, int],
  repeats: int,
  *,
  calls: int = 1,
  dtype: str = 'bfloat16',
  implementation: str = 'gathered',
) -> rich.table.Table:
  """Times of both, and where they meet."""
  found = contestants(m, shape, dtype, implementation)
  runs = {name: functools.partial(f, *x) for name, (f, x) in found.items()}
  times = timing.medians(runs, repeats, calls=calls)
  table = rich.table.Table(
    *('blocks', 'live', 'forward ms', 'to dense', 'and back ms', 'to dense'),
    title=f'{m} x {shape[0]} by {shape[0]} x {shape[1]}, {dtype}, '
    f'{implementation}, medians of {repeats}',
  )
  faster = {}
  for side, density in dict.fromkeys((s, d) for s, d, _ in runs):
    cells = []
    for part in ('forward', 'and back'):
      took, dense = times[side, density, part], times[0, 1.0, part]
      cells += [f'{1000 * took:.3f}', f'{dense / took:.2f}']
      if side and took < dense:
        faster.setdefault((side, part), density)
    name = f'{side} x {side}' if side else 'dense'
    table.add_row(name, f'{100 * density:g} %', *cells)
  table.caption = 'faster than dense: ' + (
    '; '.join(
      f'{side} x {side} {part} from {100 * d:g} %'
      for (side, part), d in faster.items()
    )
    or 'nowhere'
  )
  return table


def main() -> None:
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--rows', type=int, default=1024)
  parser.add_argument('--shape', type=int, nargs=2, default=(1152, 256))
  parser.add_argument('--dtype', default='bfloat16')
  parser.add_argument('--implementation', default='gathered')
  parser.add_argument('--repeats', type=int, default=9)
  options = parser.parse_args()
  Console(width=100).print(
    crossover(
      options.rows,
      tuple(options.shape),
      options.repeats,
      dtype=options.dtype,
      implementation=options.implementation,
    )
  )
  print(
    f'jax {jax.__version__} on {jax.devices()[0].device_kind}, '
    f'{platform.machine()}'
  )


if __name__ == '__main__':
  main()
