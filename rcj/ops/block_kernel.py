"""Block-sparse products on a TPU, in Pallas.

The lists of live blocks are prefetched into scalar memory, from where they say
which tile is fetched next, as
https://docs.jax.dev/en/latest/pallas/tpu/sparse.html describes. Everything is
transposed: a block of features takes the sublanes of a tile, of which any
multiple of 32 is whole, and examples take the lanes, so that blocks narrower
than the 128 lanes need no padding.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from jaxtyping import Array, Float, Float32, Int

_LANES = 128
# Numbers in a tile: with so many, starting a tile costs little beside it.
_TILE = 2**18
# The result of one tile may be finished before the next begins, or not.
_ORDER = pltpu.CompilerParams(dimension_semantics=('parallel', 'arbitrary'))


def product(
  x: Float[Array, 'm K'],
  values: Float[Array, 'n side side'],
  source: Int[Array, ' n'],
  target: Int[Array, ' n'],
  *,
  blocks: int,
) -> Float[Array, 'm N']:
  """As `block_products.dense_product`."""
  n, side, _ = values.shape
  tile, m = _tiles(len(x), side)
  y = pl.pallas_call(
    _add_products,
    out_shape=jax.ShapeDtypeStruct((blocks * side, m), x.dtype),
    grid_spec=pltpu.PrefetchScalarGridSpec(
      num_scalar_prefetch=2,
      grid=(m // tile, n),
      in_specs=[
        pl.BlockSpec((side, tile), lambda j, i, source, _: (source[i], j)),
        pl.BlockSpec((None, side, side), lambda j, i, *_: (i, 0, 0)),
      ],
      out_specs=pl.BlockSpec(
        (side, tile), lambda j, i, _, target: (target[i], j)
      ),
      scratch_shapes=[pltpu.VMEM((side, tile), jnp.float32)],
    ),
    compiler_params=_ORDER,
  )(source, target, _examples_last(x, m), jnp.swapaxes(values, 1, 2))
  # What no live block adds to was never written.
  live = jnp.zeros((blocks, 1, 1), bool).at[target].set(True)
  y = jnp.where(live, y.reshape(blocks, side, m), 0)
  return y.reshape(-1, m)[:, : len(x)].T


def outer(
  x: Float[Array, 'm K'],
  y: Float[Array, 'm N'],
  rows: Int[Array, ' n'],
  columns: Int[Array, ' n'],
  *,
  side: int,
) -> Float32[Array, 'n side side']:
  """As `block_products.dense_outer`."""
  tile, m = _tiles(len(x), side)
  return pl.pallas_call(
    _add_outer,
    out_shape=jax.ShapeDtypeStruct((len(rows), side, side), jnp.float32),
    grid_spec=pltpu.PrefetchScalarGridSpec(
      num_scalar_prefetch=2,
      grid=(len(rows), m // tile),
      in_specs=[
        pl.BlockSpec((side, tile), lambda i, j, rows, _: (rows[i], j)),
        pl.BlockSpec((side, tile), lambda i, j, _, columns: (columns[i], j)),
      ],
      out_specs=pl.BlockSpec((None, side, side), lambda i, j, *_: (i, 0, 0)),
      scratch_shapes=[pltpu.VMEM((side, side), jnp.float32)],
    ),
    compiler_params=_ORDER,
  )(rows, columns, _examples_last(x, m), _examples_last(y, m))


def _tiles(m: int, side: int) -> tuple[int, int]:
  """Examples in a tile, and in all tiles, which hold at least `m`."""
  count = pl.cdiv(m, _TILE // side)
  tile = _LANES * pl.cdiv(m, _LANES * count)
  return tile, tile * count


def _examples_last(x: Float[Array, 'm K'], m: int) -> Float[Array, 'K M']:
  return jnp.pad(x, ((0, m - len(x)), (0, 0))).T


def _add_products(
  source: Any, target: Any, x: Any, values: Any, y: Any, sums: Any
) -> None:
  """One live block, of several that add to one tile of the result."""
  i, last = pl.program_id(1), pl.num_programs(1) - 1
  first = (i == 0) | (target[jnp.maximum(i - 1, 0)] != target[i])
  done = (i == last) | (target[jnp.minimum(i + 1, last)] != target[i])
  part = jnp.dot(values[...], x[...], preferred_element_type=jnp.float32)
  _accumulate(part, sums, y, first=first, done=done)


def _add_outer(
  rows: Any, columns: Any, x: Any, y: Any, result: Any, sums: Any
) -> None:
  """One tile of examples, of several that add to the gradient of a block."""
  j = pl.program_id(1)
  part = jax.lax.dot_general(
    x[...],
    y[...],
    (((1,), (1,)), ((), ())),
    preferred_element_type=jnp.float32,
  )
  done = j == pl.num_programs(1) - 1
  _accumulate(part, sums, result, first=j == 0, done=done)


def _accumulate(
  part: Array, sums: Any, result: Any, *, first: Array, done: Array
) -> None:
  @pl.when(first)
  def _():
    sums[...] = jnp.zeros_like(sums)

  sums[...] += part

  @pl.when(done)
  def _():
    result[...] = sums[...].astype(result.dtype)
