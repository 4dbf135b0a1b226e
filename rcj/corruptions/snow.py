"""Snow: enlarged and blurred flakes on a paler image.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; formulas of
hendrycks/robustness, make_imagenet_c.py.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Key, UInt8

from rcj.corruptions.double import rounded, scaled, unit
from rcj.corruptions.motion import streak, streak_kernel
from rcj.corruptions.zoom import clipped_zoom
from rcj.ops import random

_Parameters = tuple[float, float, float, float, float]


def snow_kernel(
  loc: float,
  scale: float,
  zoom: float,
  threshold: float,
  radius: float,
  sigma: float,
  mix: float,
) -> tuple[_Parameters, Float64[np.ndarray, ' K'], int]:
  """The scalars, then the kernel of the blur and its length."""
  return (loc, scale, zoom, threshold, mix), *streak_kernel(radius, sigma)


def draw_snow(
  key: Key[Array, ''],
  height: int,
  width: int,
  *_: Array,
  implementation: str | None = None,
) -> dict[str, Array]:
  """Standard normal flakes, and the direction of the wind in degrees."""
  how = {'implementation': implementation}
  turn = random.uniform(key, (), stream=1, **how)
  return {
    'normal': random.normal(key, (height, width), **how),
    'angle': -135.0 + 90.0 * turn,
  }


def snow(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Array],
  parameters: _Parameters,
  kernel: Float64[Array, ' K'],
  length: int,
) -> Float64[Array, 'N H W 3']:
  """Adds two layers of flakes, one upside down, to the whitened image."""
  loc, scale, factor, threshold, mix = parameters
  flakes = loc + rounded(scale * fields['normal'].astype(jnp.float64))
  flakes = clipped_zoom(flakes[..., None], factor)
  flakes = jnp.where(flakes < threshold, 0, jnp.clip(flakes, 0, 1))
  flakes = (flakes * 255).astype(jnp.uint8)
  layer = streak(flakes, fields['angle'], kernel, length).astype(jnp.uint8)
  layer = unit(layer)
  whitened = _whitened(unit(images).astype(jnp.float32), mix)
  return scaled(whitened + layer + layer[:, ::-1, ::-1])


def _whitened(
  images: Float[Array, 'N H W 3'], mix: Float[Array, '']
) -> Float[Array, 'N H W 3']:
  """Part of the image, part of a bright grey one, in float32."""
  red, green, blue = (
    rounded(images[..., i : i + 1] * jnp.float32(weight))
    for i, weight in enumerate((0.299, 0.587, 0.114))
  )
  pale = rounded((red + green + blue) * jnp.float32(1.5)) + jnp.float32(0.5)
  keep, rest = jnp.float32(mix), jnp.float32(1 - mix)
  return rounded(keep * images) + rounded(rest * jnp.maximum(images, pale))
