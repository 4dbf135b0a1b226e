"""Between floats and 8-bit integers: scales, zero points, rounding.

Jacob et al., https://arxiv.org/abs/1712.05877, section 2.1. Rounding multiplies
by a float32 reciprocal and goes to even, as torch.ao.quantization does, so that
its integers come out to the last one.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32, Int8, Int32, UInt8

Scalar = Float32[Array, '']
Zero = Int32[Array, '']

# As torch's observers: what is always zero still has a scale.
_SMALLEST = float(jnp.finfo(jnp.float32).eps)


def kernel_scale(
  kernel: Float[Array, '*k C'], *, lowest: int = -127, per_channel: bool = True
) -> Float32[Array, ' C']:
  """Step of a symmetric scale for each output channel.

  The largest |weight| is half the width of the integer range.

  Args:
    kernel: output channels on the last axis.
    lowest: of the integers, whose highest is 127; torch's default is -128.
    per_channel: False gives all channels the scale of the whole kernel.
  """
  axes = None if not per_channel else tuple(range(kernel.ndim - 1))
  largest = jnp.max(jnp.abs(kernel.astype(jnp.float32)), axes)
  scale = jnp.maximum(_divided(largest, (127 - lowest) / 2), _SMALLEST)
  return jnp.broadcast_to(scale, kernel.shape[-1:])


def quantize_kernel(
  kernel: Float[Array, '*k C'],
  scale: Float32[Array, ' C'],
  *,
  lowest: int = -127,
) -> Int8[Array, '*k C']:
  """Integers q with kernel = q * scale, nearly; arguments of `kernel_scale`."""
  steps = jnp.rint(kernel.astype(jnp.float32) * _along(1 / scale, kernel))
  return jnp.clip(steps, lowest, 127).astype(jnp.int8)


def fake_kernel(
  kernel: Float[Array, '*k C'], *, per_channel: bool = True
) -> Float32[Array, '*k C']:
  """The kernel that its integers stand for, with the gradient of the kernel."""
  fixed = jax.lax.stop_gradient(kernel)
  scale = kernel_scale(fixed, per_channel=per_channel)
  rounded = quantize_kernel(fixed, scale) * _along(scale, kernel)
  return _straight_through(rounded, kernel, jnp.float32(1))


def affine(low: Scalar, high: Scalar, *, levels: int = 255) -> dict[str, Array]:
  """Step and zero point with which 0..levels covers a range and 0.

  Args:
    low: least value.
    high: greatest value.
    levels: 255, or 127 for kernels of processors that saturate sums of pairs.

  Returns:
    {'scale': float32, 'zero': int32}, as `quantize` takes them.
  """
  low, high = jnp.minimum(low, 0), jnp.maximum(high, 0)
  scale = jnp.maximum(_divided(high - low, levels), _SMALLEST)
  zero = jnp.clip(-jnp.rint(low / scale), 0, levels)
  return {'scale': scale, 'zero': zero.astype(jnp.int32)}


def quantize(
  x: Float[Array, '*s'], *, scale: Scalar, zero: Zero
) -> UInt8[Array, '*s']:
  """Integers q with x = (q - zero) * scale, nearly, within 0..255."""
  return jnp.clip(_steps(x, scale, zero), 0, 255).astype(jnp.uint8)


def dequantize(
  q: UInt8[Array, '*s'], *, scale: Scalar, zero: Zero
) -> Float32[Array, '*s']:
  """The values that integers stand for."""
  return (q.astype(jnp.int32) - zero).astype(jnp.float32) * scale


def fake(
  x: Float[Array, '*s'], *, scale: Scalar, zero: Zero
) -> Float32[Array, '*s']:
  """The values that the integers of `x` stand for, straight-through.

  The gradient is 1 where the integer lies within 0..255 before it is clipped,
  and 0 elsewhere. Scale and zero point get none.
  """
  steps = _steps(x, scale, zero)
  rounded = (jnp.clip(steps, 0, 255) - zero) * scale
  slope = ((steps >= 0) & (steps <= 255)).astype(jnp.float32)
  return _straight_through(rounded, x, slope)


def _steps(
  x: Float[Array, '*s'], scale: Scalar, zero: Zero
) -> Float32[Array, '*s']:
  return jnp.rint(x.astype(jnp.float32) * (1 / scale)) + zero


def _divided(x: Float32[Array, '*s'], by: float) -> Float32[Array, '*s']:
  # By a number, XLA would multiply by its rounded reciprocal.
  return x / jax.lax.optimization_barrier(jnp.full_like(x, by))


def _along(
  scale: Float[Array, ' C'], kernel: Float[Array, '*k C']
) -> Float[Array, '*k C']:
  return scale.reshape((1,) * (kernel.ndim - 1) + scale.shape)


@jax.custom_jvp
def _straight_through(value: Array, x: Array, slope: Array) -> Array:
  """`value` with the derivative of slope * x."""
  del x, slope
  return value


@_straight_through.defjvp
def _straight_through_jvp(
  primals: tuple[Array, ...], tangents: tuple[Array, ...]
) -> tuple[Array, Array]:
  value, _, slope = primals
  return value, slope * tangents[1].astype(value.dtype)
