"""Blur of a moving camera, as ImageMagick computes it.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; parameters of
hendrycks/robustness, make_imagenet_c.py, the filter of ImageMagick 6 at 16 bits
(`MotionBlurImage` of https://github.com/ImageMagick/ImageMagick6).
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float64, Int, Key, UInt8

from rcj.corruptions.double import rounded
from rcj.ops import random

_ROOM = 41  # taps of radius 20, the longest of all tables


def streak_kernel(
  radius: float, sigma: float
) -> tuple[Float64[np.ndarray, ' K'], int]:
  """The falling half of a Gaussian, filled up with zeros, and its length."""
  length = 2 * math.ceil(radius) + 1
  kernel = np.exp(-(np.arange(length) ** 2) / (2 * sigma**2))
  return np.pad(kernel / kernel.sum(), (0, _ROOM - length)), length


def draw_motion(
  key: Key[Array, ''],
  height: int,
  width: int,
  kernel: Float[Array, ' K'],
  length: Int[Array, ''],
  *,
  implementation: str | None = None,
) -> dict[str, Float[Array, '']]:
  """The direction in degrees, clockwise from the right, in -45..45."""
  del height, width, kernel, length
  turn = random.uniform(key, (), implementation=implementation)
  return {'angle': -45.0 + 90.0 * turn}


def motion(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Float[Array, ' N']],
  kernel: Float64[Array, ' K'],
  length: Int[Array, ''],
) -> Float64[Array, 'N H W 3']:
  """Sums the image along a line, whole numbers in 0..255."""
  return streak(images, fields['angle'], kernel, length)


def streak(
  images: UInt8[Array, 'N H W C'],
  angles: Float[Array, ' N'],
  kernel: Float64[Array, ' K'],
  length: Int[Array, ''],
) -> Float64[Array, 'N H W C']:
  """Mean along a line that starts at each pixel, the border repeated.

  Args:
    images: any channels.
    angles: in degrees, clockwise from the right.
    kernel: weights along the line.
    length: how many of them count.
  """
  margin = len(kernel) - 1
  sides = ((0, 0), (margin, margin), (margin, margin), (0, 0))
  padded = jnp.pad(images.astype(jnp.float64), sides, mode='edge')
  radians = angles.astype(jnp.float64) * (math.pi / 180)
  right, down = jnp.cos(radians), jnp.sin(radians)

  def add(i, total):
    x = margin + jnp.ceil(rounded(i * right) - 0.5).astype(jnp.int32)
    y = margin + jnp.ceil(rounded(i * down) - 0.5).astype(jnp.int32)
    seen = jax.vmap(_window, (0, 0, 0, None))(padded, y, x, images.shape[1:])
    return total + rounded(kernel[i] * seen)

  total = lax.fori_loop(0, length, add, jnp.zeros(images.shape, jnp.float64))
  # Rounded at 16 bits per value, where 255 is 65535, then truncated.
  return jnp.floor(jnp.floor(rounded(257 * total) + 0.5) / 257)


def _window(image, y, x, shape):
  return lax.dynamic_slice(image, (y, x, jnp.zeros_like(x)), shape)
