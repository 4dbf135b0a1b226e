"""Products with rows of a table that are asked for by number.

The handlers are `gather_dot` and, for the gradient, `gather_sum` of
kernels/gather/: they read the rows where these lie, and nothing of `[R,K,D]` is
ever made.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32, Int32

from rcj.ops import dispatch

# Largest number of products at a time in the reference: 64 MiB.
_BLOCK = 2**24


def dot(
  x: Float32[Array, 'R D'],
  table: Float[Array, 'M D'],
  numbers: Int32[Array, 'R K'],
  *,
  implementation: str | None = None,
) -> Float32[Array, 'R K']:
  """Products of each row of `x` with the rows of `table` that it asks for.

  The table is a constant to the gradient. On several devices call it inside
  `jax.shard_map`; it would gather what is split.

  Args:
    x: a row for each result row.
    table: float32 or bfloat16, M > 0.
    numbers: rows of the table; outside of 0..M-1 the nearest.
    implementation: see `rcj.ops.dispatch.run`.

  Raises:
    NativeError: if an implementation is asked for that cannot be had.
  """
  return _dot(x, table, numbers, implementation)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _dot(x, table, numbers, implementation):
  def call(target, *operands):
    result = jax.ShapeDtypeStruct(numbers.shape, jnp.float32)
    kernel = jax.ffi.ffi_call(target, result, vmap_method='sequential')
    return kernel(*operands)

  return dispatch.run(
    'gather_dot',
    *(x, table, numbers),
    reference=_products,
    call=call,
    implementation=implementation,
  )


def _forward(x, table, numbers, implementation):
  return _dot(x, table, numbers, implementation), (table, numbers)


def _backward(implementation, saved, slope):
  table, numbers = saved
  shape = jax.ShapeDtypeStruct((len(numbers), table.shape[1]), jnp.float32)

  def call(target, *operands):
    kernel = jax.ffi.ffi_call(target, shape, vmap_method='sequential')
    return kernel(*operands)

  def reference(slope, table, numbers):
    linear = functools.partial(_products, table=table, numbers=numbers)
    return jax.linear_transpose(linear, shape)(slope)[0]

  x = dispatch.run(
    'gather_sum',
    *(slope, table, numbers),
    reference=reference,
    call=call,
    implementation=implementation,
  )
  return x, None, None


_dot.defvjp(_forward, _backward)


def _products(
  x: Float32[Array, 'R D'],
  table: Float[Array, 'M D'],
  numbers: Int32[Array, 'R K'],
) -> Float32[Array, 'R K']:
  """All products of a row, from which those that are asked for are picked.

  Reading the table once costs less than fetching K of its rows for each row of
  `x`, unless it has more than some 100 K rows (on a CPU, benchmarks/crd.py).
  """
  numbers = jnp.clip(numbers, 0, len(table) - 1)

  def block(part):
    x, numbers = part
    products = jnp.einsum('rd,md->rm', x, table, precision='highest')
    return jnp.take_along_axis(products, numbers, axis=1, mode='clip')

  n = block_rows(len(x), len(table))
  blocks = [a.reshape(-1, n, a.shape[1]) for a in (x, numbers)]
  return jax.lax.map(block, blocks).reshape(numbers.shape)


def block_rows(rows: int, entries: int) -> int:
  """How many of `rows` the reference multiplies at a time with `entries`."""
  fitting = range(1, max(1, _BLOCK // entries) + 1)
  return max(n for n in fitting if rows % n == 0)
