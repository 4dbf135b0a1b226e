"""Noise of the sensor: gaussian, shot, impulse and speckle.

Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations", 2019, https://arxiv.org/abs/1903.12261;
formulas of hendrycks/robustness, make_imagenet_c.py.

`draw_*` draws the randomness of one image; the others map a batch and its
fields to float32 values in 0..255, not yet truncated.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt8

from rcj.corruptions.double import rounded
from rcj.ops import random

_BITS = 10  # counts reach 1023: 23 sigma above the brightest value of any table


def draw_gaussian(
  key: Key[Array, ''],
  height: int,
  width: int,
  scale: Float[Array, ''],
  *,
  implementation: str | None = None,
) -> dict[str, Float[Array, 'H W 3']]:
  """Standard normal noise: severities differ by the scale alone."""
  del scale
  how = {'implementation': implementation}
  return {'normal': random.normal(key, (height, width, 3), **how)}


def gaussian(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Float[Array, 'N H W 3']],
  scale: Float[Array, ''],
) -> Float[Array, 'N H W 3']:
  """Adds noise of standard deviation `scale` (images in 0..1)."""
  return jnp.clip(images + rounded(255 * scale * fields['normal']), 0, 255)


def speckle(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Float[Array, 'N H W 3']],
  scale: Float[Array, ''],
) -> Float[Array, 'N H W 3']:
  """Scales each value by 1 plus noise of standard deviation `scale`."""
  factor = 1 + rounded(scale * fields['normal'])
  return jnp.clip(images * factor, 0, 255)


def poisson_table(
  photons: float,
) -> tuple[Float[np.ndarray, '256 K'], Float[np.ndarray, ' K']]:
  """Distribution functions of the photon counts of the 256 pixel values.

  Returns:
    `cdf[v, k]` = P(count <= k) for a pixel of value v; and what each count
    makes of a value, 0..255, rounded towards 0 to be truncated as a float64.
  """
  rate = np.arange(256)[:, None] / 255 * photons
  count = np.arange(1 << _BITS)[None, :]
  log_factorial = np.cumsum(np.log(np.maximum(count, 1)), axis=1)
  log_rate = np.log(np.maximum(rate, 1e-300))  # rate 0 has all its mass at 0
  mass = np.exp(count * log_rate - rate - log_factorial)
  values = np.minimum(count[0] / photons, 1) * 255
  nearest = values.astype(np.float32)
  lower = np.nextafter(nearest, np.float32(0))
  values = np.where(nearest > values, lower, nearest)
  return np.cumsum(mass, axis=1).astype(np.float32), values


def draw_shot(
  key: Key[Array, ''],
  height: int,
  width: int,
  *_: Array,
  implementation: str | None = None,
) -> dict[str, Float[Array, 'H W 3']]:
  """Uniforms in (0, 1): the quantile at which each pixel's count is read.

  The counts themselves depend on the image, so they cannot be drawn before it
  is known; their quantiles can.
  """
  how = {'implementation': implementation}
  return {'uniform': random.uniform(key, (height, width, 3), **how)}


def shot(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Float[Array, 'N H W 3']],
  cdf: Float[Array, '256 K'],
  values: Float[Array, ' K'],
) -> Float[Array, 'N H W 3']:
  """Replaces each value by that of a Poisson count, whose mean it is."""
  return values[_quantile(cdf, images.astype(jnp.int32), fields['uniform'])]


def _quantile(
  cdf: Float[Array, '256 K'],
  row: Int[Array, ' *shape'],
  uniform: Float[Array, ' *shape'],
) -> Int[Array, ' *shape']:
  """Smallest k with uniform < cdf[row, k], by bisection."""
  count = jnp.zeros_like(row)
  for bit in reversed(range(_BITS)):
    step = 1 << bit
    count += jnp.where(cdf[row, count + (step - 1)] <= uniform, step, 0)
  return count


def draw_impulse(
  key: Key[Array, ''],
  height: int,
  width: int,
  amount: Float[Array, ''],
  *,
  implementation: str | None = None,
) -> dict[str, Bool[Array, 'H W 3']]:
  """Which values are replaced, and which of these by white."""
  how = {'implementation': implementation}
  words = random.bits(key, height * width * 3, **how)
  words = words.reshape(height, width, 3)
  upper = (words >> 8).astype(jnp.float32)
  return {'flipped': upper < amount * 2**24, 'salted': words % 2 == 1}


def impulse(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Bool[Array, 'N H W 3']],
  amount: Float[Array, ''],
) -> Float[Array, 'N H W 3']:
  """Salt and pepper on single values, each channel of its own."""
  del amount
  extreme = jnp.where(fields['salted'], 255.0, 0.0)
  return jnp.where(fields['flipped'], extreme, images.astype(jnp.float32))
