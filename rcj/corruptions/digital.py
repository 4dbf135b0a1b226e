"""Digital corruptions: contrast, pixelate, JPEG compression.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; formulas of
hendrycks/robustness, make_imagenet_c.py. Pixelate computes what Pillow does;
JPEG runs through Pillow on the host, because the benchmark is what libjpeg
makes.
"""

from __future__ import annotations

import io

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Float64, Int32, UInt8
from PIL import Image

from rcj.corruptions.double import rounded

_PRECISION = 22  # Pillow's weights are whole numbers of 2^-22


def contrast(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Array],
  factor: Float[Array, ''],
) -> Float[Array, 'N H W 3']:
  """Shrinks the distance of each channel to its mean, float32 in 0..255."""
  del fields
  _, height, width, _ = images.shape
  # An integer sum is the same on every device and in every order.
  total = jnp.sum(images, axis=(1, 2), keepdims=True, dtype=jnp.uint32)
  mean = total.astype(jnp.float32) * np.float32(1 / (height * width))
  return jnp.clip(rounded((images - mean) * factor) + mean, 0, 255)


def pixelate(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Array],
  factor: Float64[Array, ''],
) -> Float32[Array, 'N H W 3']:
  """Box-resizes to `factor` of each side and back, width first.

  That is what Pillow does, unless an image is twice as high as wide.
  """
  del fields
  for axis in (2, 1):
    images = _boxed(images.astype(jnp.int32), factor, axis)
  return images.astype(jnp.float32)


def _boxed(
  images: Int32[Array, 'N H W 3'], factor: Float64[Array, ''], axis: int
) -> Int32[Array, 'N H W 3']:
  """Each pixel becomes the mean of the window that the small image has there.

  The sums are differences of running sums, so that all sizes of windows run
  one compiled program.
  """
  size = images.shape[axis]
  small = jnp.maximum(jnp.floor(size * factor), 1)
  scale = rounded(size / small)
  # A divisor that the compiler knows would become a factor.
  step = small / jnp.maximum(small, size)
  shown = jnp.floor((jnp.arange(size) + 0.5) * step)
  centre = rounded((shown + 0.5) * scale)
  first = jnp.floor(centre - 0.5 * scale + 0.5)
  last = jnp.minimum(jnp.floor(centre + 0.5 * scale + 0.5), size)

  def weighs(x):
    away = (x - centre + 0.5) * (1 / scale)
    return (away > -0.5) & (away <= 0.5)

  # Rounding decides whether a pixel at the rim counts.
  first = first + jnp.where(weighs(first), 0, 1)
  last = last - jnp.where(weighs(last - 1), 0, 1)
  weight = jnp.floor(0.5 + rounded(1 / (last - first) * 2**_PRECISION))
  weight, first, last = (x.astype(jnp.int32) for x in (weight, first, last))
  margin = [(1, 0) if i == axis else (0, 0) for i in range(4)]
  sums = jnp.cumsum(jnp.pad(images, margin), axis)
  total = jnp.take(sums, last, axis) - jnp.take(sums, first, axis)
  weight = jnp.expand_dims(weight, [i for i in range(4) if i != axis])
  return (total * weight + (1 << (_PRECISION - 1))) >> _PRECISION


def jpeg(
  image: UInt8[np.ndarray, 'H W 3'], quality: float
) -> UInt8[np.ndarray, 'H W 3']:
  """Through a JPEG file of that quality; chroma at half resolution (4:2:0)."""
  file = io.BytesIO()
  Image.fromarray(image).save(file, 'JPEG', quality=int(quality))
  return np.asarray(Image.open(file))
