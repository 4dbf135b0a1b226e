"""Block-sparse products by XLA: of the whole matrix, or of gathered blocks.

Both give `product`, y[:, target_i] += x[:, source_i] @ values_i for blocks of
columns, the targets in order, in the dtype of `x`, and `outer`,
x[:, row_i].T @ y[:, column_i], in float32. All sums are in float32.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32, Int


def dense_product(
  x: Float[Array, 'm K'],
  values: Float[Array, 'n side side'],
  source: Int[Array, ' n'],
  target: Int[Array, ' n'],
  *,
  blocks: int,
) -> Float[Array, 'm N']:
  """`product` with a matrix that holds its zeros.

  Args:
    x: rows.
    values: of the live blocks.
    source: the block of columns of `x` that each one multiplies.
    target: the block of columns of the result that it adds to.
    blocks: blocks of columns of the result.
  """
  side = values.shape[-1]
  matrix = jnp.zeros((x.shape[1] // side, side, blocks, side), values.dtype)
  matrix = matrix.at[source, :, target].set(values)
  return _dot(x, matrix.reshape(-1, blocks * side)).astype(x.dtype)


def dense_outer(
  x: Float[Array, 'm K'],
  y: Float[Array, 'm N'],
  rows: Int[Array, ' n'],
  columns: Int[Array, ' n'],
  *,
  side: int,
) -> Float32[Array, 'n side side']:
  """`outer`, picked from the product of everything.

  Args:
    x: rows.
    y: as many.
    rows: block of columns of `x` of each result.
    columns: block of columns of `y`.
    side: of a block.
  """
  matrix = _dot(x.T, y).reshape(x.shape[1] // side, side, -1, side)
  return matrix[rows, :, columns]


def _dot(
  a: Float[Array, 'm k'], b: Float[Array, 'k n']
) -> Float32[Array, 'm n']:
  return jnp.dot(a, b, preferred_element_type=jnp.float32)


def gathered_product(
  x: Float[Array, 'm K'],
  values: Float[Array, 'n side side'],
  source: Int[Array, ' n'],
  target: Int[Array, ' n'],
  *,
  blocks: int,
) -> Float[Array, 'm N']:
  """`product` of live blocks alone, then sums; arguments of `dense_product`."""
  parts = jnp.einsum(
    'nmi,nij->nmj',
    _picked(x, source, values.shape[-1]),
    values,
    preferred_element_type=jnp.float32,
  )
  sums = jax.ops.segment_sum(parts, target, blocks, indices_are_sorted=True)
  return jnp.moveaxis(sums, 0, 1).reshape(len(x), -1).astype(x.dtype)


def gathered_outer(
  x: Float[Array, 'm K'],
  y: Float[Array, 'm N'],
  rows: Int[Array, ' n'],
  columns: Int[Array, ' n'],
  *,
  side: int,
) -> Float32[Array, 'n side side']:
  """`outer` of live blocks alone; arguments of `dense_outer`."""
  return jnp.einsum(
    'nmi,nmj->nij',
    _picked(x, rows, side),
    _picked(y, columns, side),
    preferred_element_type=jnp.float32,
  )


def _picked(
  x: Float[Array, 'm K'], which: Int[Array, ' n'], side: int
) -> Float[Array, 'n m side']:
  """Blocks of columns."""
  return jnp.moveaxis(x.reshape(len(x), -1, side), 1, 0)[which]
