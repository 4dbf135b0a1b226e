"""Blur of a lens that zooms.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; formulas of
hendrycks/robustness, make_imagenet_c.py. Enlarging is that of `ndimage.zoom` of
scipy with order 1: the corner pixels stay the corners.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float32, Float64, Int, UInt8

from rcj.corruptions.double import rounded, scaled, unit

_ROOM = 26  # levels of the longest table


def zoom_levels(
  end: float, step: float
) -> tuple[Float64[np.ndarray, ' L'], int]:
  """Factors from 1 to below `end`, filled up with ones, and their count.

  Numpy's `arange` counts them, which may reach `end` itself.
  """
  levels = np.arange(1, end, step)
  room = _ROOM - len(levels)
  return np.pad(levels, (0, room), constant_values=1), len(levels)


def zoom(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Array],
  levels: Float64[Array, ' L'],
  count: Int[Array, ''],
) -> Float32[Array, 'N H W 3']:
  """Mean of the image and its enlargements, float32 in 0..255."""
  del fields
  images = unit(images).astype(jnp.float32)

  def add(i, total):
    enlarged = clipped_zoom(images.astype(jnp.float64), levels[i])
    return total + enlarged.astype(jnp.float32)

  total = lax.fori_loop(0, count, add, jnp.zeros_like(images))
  # A divisor that the compiler knows to be the same everywhere would become a
  # factor.
  divisor = jnp.maximum(images, (count + 1).astype(jnp.float32))
  return scaled((images + total) / divisor)


def clipped_zoom(
  images: Float64[Array, 'N H W C'], factor: Float64[Array, '']
) -> Float64[Array, 'N H W C']:
  """Enlarges the middle of images by `factor` >= 1 to their own size."""
  for axis in (1, 2):
    low, high, way = _taps(images.shape[axis], factor)
    way = jnp.expand_dims(way, [i for i in range(4) if i != axis])
    near = rounded(jnp.take(images, low, axis) * (1 - way))
    images = near + rounded(jnp.take(images, high, axis) * way)
  return images


def _taps(
  size: int, factor: Float64[Array, '']
) -> tuple[Int[Array, ' S'], Int[Array, ' S'], Float[Array, ' S']]:
  """Both neighbours of each pixel in the original, and the way between."""
  crop = jnp.ceil(size / factor)
  start = (size - crop) // 2
  enlarged = jnp.round(crop * factor)
  trim = (enlarged - size) // 2
  at = (trim + jnp.arange(size)) * ((crop - 1) / (enlarged - 1))
  low = jnp.floor(at)
  high = jnp.minimum(low + 1, crop - 1)
  return *((start + i).astype(jnp.int32) for i in (low, high)), at - low
