"""Products with a block-sparse matrix, whose other square blocks are all zero.

Only the values of live blocks are stored, and gradients exist only for them.
Gray et al. 2017, "GPU kernels for block-sparse weights",
https://cdn.openai.com/blocksparse/blocksparsepaper.pdf.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from rcj.ops import block_kernel, block_products


@functools.partial(
  jax.tree_util.register_dataclass,
  data_fields=('rows', 'columns', 'by_row'),
  meta_fields=('shape', 'side'),
)
@dataclasses.dataclass(frozen=True)
class Pattern:
  """Which blocks of a matrix are live.

  A program is compiled for their number, not for their places: with another
  pattern of as many blocks it is not compiled again.

  Attributes:
    rows: of blocks, in order of columns and, in a column, of rows.
    columns: likewise.
    by_row: the places of the same blocks in these lists, in order of rows.
    shape: of the matrix.
    side: of a block.
  """

  rows: Int[Array, ' n'] | Int[np.ndarray, ' n']
  columns: Int[Array, ' n'] | Int[np.ndarray, ' n']
  by_row: Int[Array, ' n'] | Int[np.ndarray, ' n']
  shape: tuple[int, int]
  side: int


Values = Float[Array, 'n side side']


def pattern(mask: Bool[Array, 'K N'], *, side: int) -> Pattern:
  """The blocks in which something is alive, found on the host.

  Args:
    mask: of the matrix that a kernel is, `[h * w * in, out]`.
    side: of a block.

  Raises:
    ValueError: if the matrix is not made of whole blocks, or all are dead.
  """
  mask = np.asarray(mask)
  if mask.ndim != 2 or any(n % side for n in mask.shape):
    raise ValueError(
      f'expected a matrix made of {side} x {side} blocks, got the shape '
      f'{mask.shape}; a kernel [h, w, in, out] is the matrix [h * w * in, out]'
    )
  rows, columns = mask.shape[0] // side, mask.shape[1] // side
  live = mask.reshape(rows, side, columns, side).any((1, 3))
  if not live.any():
    raise ValueError(
      'every block is dead: the product is zero and has no gradient'
    )
  column, row = np.nonzero(live.T)
  return Pattern(
    rows=row.astype(np.int32),
    columns=column.astype(np.int32),
    by_row=np.argsort(row, kind='stable').astype(np.int32),
    shape=mask.shape,
    side=side,
  )


def pack(matrix: Float[Array, 'K N'], pattern: Pattern) -> Values:
  """Values of the live blocks."""
  return _blocks(matrix, pattern)[pattern.rows, :, pattern.columns]


def unpack(values: Values, pattern: Pattern) -> Float[Array, 'K N']:
  """The whole matrix, zero where no block is live."""
  blocks = _blocks(jnp.zeros(pattern.shape, values.dtype), pattern)
  blocks = blocks.at[pattern.rows, :, pattern.columns].set(values)
  return blocks.reshape(pattern.shape)


def _blocks(
  matrix: Float[Array, 'K N'], pattern: Pattern
) -> Float[Array, 'rows side columns side']:
  side, (k, n) = pattern.side, pattern.shape
  return matrix.reshape(k // side, side, n // side, side)


def matmul(
  x: Float[Array, '*b K'],
  values: Values,
  pattern: Pattern,
  *,
  implementation: str | None = None,
) -> Float[Array, '*b N']:
  """`x @ unpack(values, pattern)`, summed in float32, in the dtype of `x`.

  Under jit with a sharded `x`, call it within `jax.shard_map`: compilers do not
  split kernels.

  Args:
    x: rows.
    values: of the live blocks; their gradient has their shape.
    pattern: where the blocks are.
    implementation: 'reference' multiplies by the whole matrix; 'gathered' picks
      the columns of `x` that each live block meets, and adds up products;
      'pallas' is a kernel for TPUs. None for that kernel on a TPU, and
      elsewhere 'gathered' where at most a fifth of the blocks is live, else
      the reference.

  Raises:
    ValueError: if shapes do not fit, or there is no such implementation.
  """
  n, side = len(pattern.rows), pattern.side
  if x.shape[-1] != pattern.shape[0] or values.shape != (n, side, side):
    raise ValueError(
      f'a pattern of {n} blocks of {side} x {side} in a matrix {pattern.shape} '
      f'wants x [..., {pattern.shape[0]}] and values {(n, side, side)}, got '
      f'{x.shape} and {values.shape}'
    )
  if implementation not in (None, *_PRODUCTS):
    raise ValueError(
      f'no implementation {implementation!r}; there are {", ".join(_PRODUCTS)}'
    )
  flat = x.reshape(-1, x.shape[-1])
  y = _matmul(implementation, flat, values, pattern)
  return y.reshape(*x.shape[:-1], -1)


# Share of live blocks up to which gathering them beats zeros, on CPUs; see
# benchmarks/block_sparse.py.
_SPARSE = 0.2

_PRODUCTS = {
  'reference': block_products.dense_product,
  'gathered': block_products.gathered_product,
  'pallas': block_kernel.product,
}
_OUTER = {
  'reference': block_products.dense_outer,
  'gathered': block_products.gathered_outer,
  'pallas': block_kernel.outer,
}


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _matmul(implementation, x, values, pattern):
  blocks = pattern.shape[1] // pattern.side
  operands = x, values.astype(x.dtype), pattern.rows, pattern.columns
  return _run(_PRODUCTS, implementation, pattern, *operands, blocks=blocks)


def _forward(implementation, x, values, pattern):
  return _matmul(implementation, x, values, pattern), (x, values, pattern)


def _backward(implementation, kept, dy):
  x, values, pattern = kept
  rows, columns, order = pattern.rows, pattern.columns, pattern.by_row
  turned = jnp.swapaxes(values[order], 1, 2).astype(dy.dtype)
  dx = _run(
    _PRODUCTS,
    implementation,
    pattern,
    *(dy, turned, columns[order], rows[order]),
    blocks=pattern.shape[0] // pattern.side,
  )
  operands = x, dy, rows, columns
  dvalues = _run(_OUTER, implementation, pattern, *operands, side=pattern.side)
  return dx, dvalues.astype(values.dtype), None


_matmul.defvjp(_forward, _backward)


def _run(
  functions: dict[str, Callable[..., Array]],
  implementation: str | None,
  pattern: Pattern,
  *operands: Array,
  **sizes: int,
) -> Array:
  by = {n: functools.partial(f, **sizes) for n, f in functions.items()}
  if implementation is not None:
    return by[implementation](*operands)
  live = len(pattern.rows) * pattern.side**2 / math.prod(pattern.shape)
  best = by['gathered'] if live <= _SPARSE else by['reference']
  return jax.lax.platform_dependent(*operands, tpu=by['pallas'], default=best)
