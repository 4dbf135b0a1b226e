"""Spatter: drops of water or mud.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; formulas of
hendrycks/robustness, make_imagenet_c.py, with OpenCV's filters.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float32, Float64, Int, Key, UInt8

from rcj.corruptions import gaussian
from rcj.corruptions.double import rounded, scaled, unit
from rcj.corruptions.edges import canny, distance
from rcj.ops import random

# Red, green and blue, of the shape of a batch of one pixel.
_WATER = np.array([[[[175, 238, 238]]]], np.float32) / 255
_MUD = np.array([[[[63, 42, 20]]]], np.float32) / 255
_EMBOSS = ((-2, -1, 0), (-1, 1, 1), (0, 1, 2))
_BOX = ((1, 1, 1),) * 3
_Blur = tuple[Float64[Array, ' R'], Int[Array, '']]
_Parameters = tuple[float, float, float, float, float]


def spatter_kernels(
  loc: float,
  scale: float,
  sigma: float,
  threshold: float,
  strength: float,
  mud: float,
) -> tuple[_Parameters, _Blur, _Blur]:
  """The scalars, the blur that makes drops, and the blur of mud's edges."""
  blurs = gaussian.taps(sigma), gaussian.taps(strength)
  return (loc, scale, threshold, strength, mud), *blurs


def draw_spatter(
  key: Key[Array, ''],
  height: int,
  width: int,
  *_: Array,
  implementation: str | None = None,
) -> dict[str, Float[Array, 'H W']]:
  """Standard normal noise, from which drops are cut."""
  how = {'implementation': implementation}
  return {'normal': random.normal(key, (height, width), **how)}


def spatter(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Float[Array, 'N H W']],
  parameters: _Parameters,
  drops: _Blur,
  soft: _Blur,
) -> Float32[Array, 'N H W 3']:
  """Water lightens the image around drops, mud covers it; float32, 0..255."""
  loc, scale, threshold, strength, mud = parameters
  noise = loc + rounded(scale * fields['normal'].astype(jnp.float64))
  liquid = gaussian.smooth(noise[..., None], *drops)[..., 0]
  liquid = jnp.where(liquid < threshold, 0, liquid)
  images = unit(images).astype(jnp.float32)
  return lax.cond(
    mud > 0,
    lambda: _under_mud(images, liquid > threshold, soft),
    lambda: _under_water(images, liquid, strength),
  )


def _under_mud(images, covered, soft):
  mask = gaussian.smooth(covered[..., None].astype(jnp.float32), *soft)
  mask = jnp.where(mask < jnp.float32(0.8), 0, mask)
  bare = rounded(images * (1 - mask))
  return scaled(bare + rounded(mask * _MUD))


def _under_water(images, liquid, strength):
  # Through int32, because numpy wraps what is above 255.
  mask = jax.vmap(_water)((liquid * 255).astype(jnp.int32).astype(jnp.uint8))
  top = mask.max(axis=(1, 2), keepdims=True)
  # Without a drop there is nothing to scale. A divisor that the compiler knows
  # to be the same everywhere would become a factor.
  divisor = jnp.where(top > 0, jnp.maximum(mask, top), 1)
  mask = mask / divisor * jnp.float32(strength)
  return scaled(images + rounded(mask[..., None] * _WATER))


def _water(liquid: UInt8[Array, 'H W']) -> Float32[Array, 'H W']:
  """Thickness of the water, lit from one side, not yet scaled."""
  far = distance(canny(liquid, low=50, high=150), limit=20)
  # OpenCV sums float32 in float64.
  mean = _filtered(far.astype(jnp.float64), _BOX) * (1 / 9)
  even = _equalized(mean.astype(jnp.float32).astype(jnp.int32))
  lit = jnp.clip(_filtered(even, _EMBOSS), 0, 255)
  soft = (_filtered(lit, _BOX) + 4) // 9
  return liquid.astype(jnp.float32) * soft.astype(jnp.float32)


def _filtered(plane: Array, kernel: tuple[tuple[int, ...], ...]) -> Array:
  """Correlates with 3 x 3 whole numbers, the border reflected."""
  height, width = plane.shape
  # One filter computed within another would be computed nine times.
  padded = lax.optimization_barrier(jnp.pad(plane, 1, mode='reflect'))
  return sum(
    padded[i : i + height, j : j + width] * weight
    for i, row in enumerate(kernel)
    for j, weight in enumerate(row)
  )


def _equalized(plane: Int[Array, 'H W']) -> Int[Array, 'H W']:
  """Flattens the histogram of values in 0..255."""
  histogram = jnp.zeros(256, jnp.int32).at[plane.reshape(-1)].add(1)
  first = histogram[plane.min()]
  total = jnp.int32(plane.size)
  others = (total - first).astype(jnp.float32)
  below = (jnp.cumsum(histogram) - first).astype(jnp.float32)
  level = below * (jnp.float32(255) / jnp.maximum(others, 1))
  table = jnp.clip(jnp.round(level), 0, 255).astype(jnp.int32)
  return jnp.where(first == total, plane, table[plane])
