"""Convolution and matrix product of 8-bit integers, summed in 32 bits, exactly.

All take activations as uint8 with the integer `zero` that stands for 0, and
give the sums of (x - zero) * kernel. Borders are filled with `zero`.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int8, Int32, UInt8

Amounts = tuple[tuple[int, int], tuple[int, int]]
Zero = Int32[Array, '']

# So many products of 8-bit integers add up to less than 2^24, below which
# float32 holds every integer: sums of floats are then exact in any order.
_EXACT = 2**24 // (255 * 128)
_LAYOUT = ('NHWC', 'HWIO', 'NHWC')


def convolve(
  x: UInt8[Array, 'N H W C'],
  kernel: Int8[Array, 'h w C D'],
  zero: Zero,
  *,
  stride: int,
  padding: Amounts,
) -> Int32[Array, 'N p q D']:
  """2-D correlation of integers.

  Args:
    x: activations.
    kernel: weights.
    zero: what stands for 0 in `x`.
    stride: of both axes.
    padding: zeros before and after each axis.

  Raises:
    ValueError: if the kernel is too large for exact sums of floats.
  """
  if (taps := kernel.shape[0] * kernel.shape[1]) > _EXACT:
    raise ValueError(f'expected at most {_EXACT} taps in a kernel, got {taps}')

  def conv(x, kernel, padding, kind):
    return jax.lax.conv_general_dilated(
      x,
      kernel,
      window_strides=(stride, stride),
      padding=padding,
      dimension_numbers=_LAYOUT,
      preferred_element_type=kind,
    )

  def in_floats(x, kernel, zero):
    def part(x, kernel):
      return conv(x, kernel, padding, jnp.float32)

    return _by_parts(part, x, kernel, zero)

  def in_integers(x, kernel, zero):
    x, rest = _signed(x, kernel, zero)
    border = (zero - 128).astype(jnp.int8)
    around = ((0, 0, 0), *((*p, 0) for p in padding), (0, 0, 0))
    x = jax.lax.pad(x, border, around)
    return conv(x, kernel, 'VALID', jnp.int32) + rest.reshape(1, 1, 1, -1)

  return jax.lax.platform_dependent(
    x, kernel, zero, cpu=in_floats, default=in_integers
  )


def dot(
  x: UInt8[Array, '*n C'], kernel: Int8[Array, 'C D'], zero: Zero
) -> Int32[Array, '*n D']:
  """Matrix product of integers; arguments as of `convolve`."""

  def in_floats(x, kernel, zero):
    return _by_parts(jnp.dot, x, kernel, zero)

  def in_integers(x, kernel, zero):
    x, rest = _signed(x, kernel, zero)
    sums = jnp.dot(x, kernel, preferred_element_type=jnp.int32)
    return sums + rest.reshape((1,) * (x.ndim - 1) + rest.shape)

  return jax.lax.platform_dependent(
    x, kernel, zero, cpu=in_floats, default=in_integers
  )


def depthwise(
  x: UInt8[Array, 'N H W C'],
  kernel: Int8[Array, 'k k 1 C'],
  zero: Zero,
  *,
  stride: int,
  padding: Amounts,
) -> Int32[Array, 'N p q C']:
  """Each channel with a kernel of its own; arguments as of `convolve`."""
  x = jnp.pad(x.astype(jnp.int32) - zero, ((0, 0), *padding, (0, 0)))
  wide = kernel.astype(jnp.int32)
  n, height, width, c = x.shape
  size = kernel.shape[0]
  total = 0
  for i in range(size):
    for j in range(size):
      stop = (n, height - size + i + 1, width - size + j + 1, c)
      window = jax.lax.slice(x, (0, i, j, 0), stop, (1, stride, stride, 1))
      total += window * wide[i, j].reshape(1, 1, 1, -1)
  return total


def _by_parts(
  sums: Callable[[Array, Array], Array], x: Array, kernel: Array, zero: Zero
) -> Int32[Array, '*s']:
  """Sums of floats over few enough channels at a time, added as integers.

  XLA has no fast integer kernels for the CPU. The products are the same in
  number as those of one float operation.
  """
  x = (x.astype(jnp.int32) - zero).astype(jnp.float32)
  kernel = kernel.astype(jnp.float32)
  taps = kernel[..., 0, 0].size
  step, channels = _EXACT // taps, x.shape[-1]
  parts = (
    sums(x[..., i : i + step], kernel[..., i : i + step, :])
    for i in range(0, channels, step)
  )
  return sum(part.astype(jnp.int32) for part in parts)


def _signed(
  x: Array, kernel: Array, zero: Zero
) -> tuple[Int8[Array, '*s'], Int32[Array, ' D']]:
  """`x` - 128 as int8, and what sums with it lack."""
  signed = (x.astype(jnp.int32) - 128).astype(jnp.int8)
  axes = tuple(range(kernel.ndim - 1))
  total = jnp.sum(kernel.astype(jnp.int32), axes)
  return signed, (128 - zero) * total
