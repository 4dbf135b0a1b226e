"""AugMix's operations on pixel values, equal to Pillow's to the last bit.

Every function takes a packed image (`rcj.augment.packed`) and the effective
parameter as a float64 scalar, and must be traced with 64-bit types enabled, as
`rcj.augment.ops.apply_op` does.
Source: https://github.com/google-research/augmix/blob/master/augmentations.py
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Float64, Int32

from rcj.augment.packed import Channel, Packed, channels, map_channels

Parameter = Float64[Array, '']


def rounded(product: Float[Array, '*shape']) -> Float[Array, '*shape']:
  """A product that the compiler must round before it is added to anything.

  Pillow rounds products, while XLA contracts `a * b + c` to a fused
  multiply-add on CPU and GPU, optimisation barriers notwithstanding. The
  result then differs where it should be an integer and is truncated. The bound
  is never reached, but no compiler can know that.
  """
  return jnp.minimum(product, jnp.asarray(1e9, product.dtype))


def autocontrast(image: Packed, _: Parameter) -> Packed:
  """Stretches each channel to 0..255, as `ImageOps.autocontrast`."""

  def stretch(values: Channel) -> Channel:
    low, high = values.min(), values.max()
    scale = 255.0 / jnp.maximum(high - low, 1).astype(jnp.float64)
    offset = -low.astype(jnp.float64) * scale
    new = rounded(values.astype(jnp.float64) * scale) + offset
    new = jnp.clip(new.astype(jnp.int32), 0, 255)
    return jnp.where(high > low, new, values)

  return map_channels(stretch, image)


def _equalizing_table(histogram: Int32[Array, 256]) -> Int32[Array, 256]:
  values = jnp.arange(256, dtype=jnp.int32)
  last = histogram[jnp.where(histogram > 0, values, 0).max()]
  total = histogram.sum(dtype=jnp.int32)
  step = (total - last) // 255
  below = jnp.cumsum(histogram, dtype=jnp.int32) - histogram
  table = (step // 2 + below) // jnp.maximum(step, 1)
  return jnp.where(step > 0, jnp.minimum(table, 255), values)


def equalize(image: Packed, _: Parameter) -> Packed:
  """Flattens each channel's histogram, as `ImageOps.equalize`."""

  def flatten(values: Channel) -> Channel:
    empty = jnp.zeros(256, jnp.int32)
    return _equalizing_table(empty.at[values.reshape(-1)].add(1))[values]

  return map_channels(flatten, image)


def posterize(image: Packed, bits: Parameter) -> Packed:
  """Keeps the top `bits` (1..8) bits of every value."""
  mask = 256 - (1 << (8 - bits.astype(jnp.uint32)))
  return image & mask * jnp.uint32(0x010101)


def solarize(image: Packed, threshold: Parameter) -> Packed:
  """Inverts values from `threshold` (0..256) upwards."""
  limit = threshold.astype(jnp.int32)
  return map_channels(lambda v: jnp.where(v < limit, v, 255 - v), image)


def _blend(degenerate: Channel, values: Channel, factor: Parameter) -> Channel:
  """`Image.blend`: float32, clipped, truncated."""
  difference = (values - degenerate).astype(jnp.float32)
  change = rounded(difference * factor.astype(jnp.float32))
  mixed = degenerate.astype(jnp.float32) + change
  return jnp.clip(mixed, 0, 255).astype(jnp.int32)


def _grey(image: Packed) -> Channel:
  red, green, blue = channels(image)
  return (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16


def color(image: Packed, factor: Parameter) -> Packed:
  """Saturation: 0 is grey, 1 the image, as `ImageEnhance.Color`."""
  grey = _grey(image)
  return map_channels(lambda v: _blend(grey, v, factor), image)


def contrast(image: Packed, factor: Parameter) -> Packed:
  """Distance from the mean grey, as `ImageEnhance.Contrast`."""
  total = _grey(image).sum(dtype=jnp.int32)
  mean = (2 * total + image.size) // (2 * image.size)
  grey = jnp.full(image.shape, mean)
  return map_channels(lambda v: _blend(grey, v, factor), image)


def brightness(image: Packed, factor: Parameter) -> Packed:
  """Distance from black, as `ImageEnhance.Brightness`."""
  return map_channels(lambda v: _blend(jnp.zeros_like(v), v, factor), image)


def _smooth(values: Channel) -> Channel:
  """`ImageFilter.SMOOTH`, whose one-pixel border is the input's."""
  if min(values.shape) < 3:
    return values
  rows = values[:-2] + values[1:-1] + values[2:]
  window = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
  # sum / 13 + 0.5, truncated, where the centre counts five times.
  inner = (2 * (window + 4 * values[1:-1, 1:-1]) + 13) // 26
  return lax.dynamic_update_slice(values, inner, (1, 1))


def sharpness(image: Packed, factor: Parameter) -> Packed:
  """Distance from a smoothed copy, as `ImageEnhance.Sharpness`."""
  return map_channels(lambda v: _blend(_smooth(v), v, factor), image)
