"""Brightness and saturation, through HSV.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; formulas of
hendrycks/robustness, make_imagenet_c.py. HSV is computed by the steps of
scikit-image: many results are integers, and the rounding errors decide how they
are truncated.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float64, UInt8

from rcj.corruptions.double import rounded, scaled, unit

_Plane = Float64[Array, 'N H W']


def brightness(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Array],
  amount: Float64[Array, ''],
) -> Float64[Array, 'N H W 3']:
  """Adds `amount` to the value; hue and saturation stay, black becomes grey."""
  del fields
  hue, saturation, value = _to_hsv(unit(images))
  return scaled(_to_rgb(hue, saturation, jnp.clip(value + amount, 0, 1)))


def saturate(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Array],
  factor: Float64[Array, ''],
  shift: Float64[Array, ''],
) -> Float64[Array, 'N H W 3']:
  """Scales and shifts the saturation; grey, whose hue is 0, turns to red."""
  del fields
  hue, saturation, value = _to_hsv(unit(images))
  saturation = jnp.clip(rounded(saturation * factor) + shift, 0, 1)
  return scaled(_to_rgb(hue, saturation, value))


def _to_hsv(
  images: Float64[Array, 'N H W 3'],
) -> tuple[_Plane, _Plane, _Plane]:
  """Hue, saturation and value in 0..1."""
  red, green, blue = jnp.moveaxis(images, 3, 0)
  value = images.max(3)
  spread = value - images.min(3)
  divisor = jnp.where(spread == 0, 1, spread)
  sixths = jnp.where(
    blue == value,
    4 + (red - green) / divisor,
    jnp.where(
      green == value, 2 + (blue - red) / divisor, (green - blue) / divisor
    ),
  )
  # A divisor that the compiler knows to be 6 would become a factor of 1/6.
  hue = (sixths / jnp.maximum(value, 6)) % 1
  saturation = jnp.where(spread == 0, 0, spread / jnp.maximum(value, 1 / 255))
  return jnp.where(spread == 0, 0, hue), saturation, value


def _to_rgb(
  hue: _Plane, saturation: _Plane, value: _Plane
) -> Float64[Array, 'N H W 3']:
  sixths = rounded(hue * 6)
  sector = jnp.floor(sixths)
  way = sixths - sector
  p = value * (1 - saturation)
  q = value * (1 - rounded(way * saturation))
  t = value * (1 - rounded((1 - way) * saturation))
  sector = sector.astype(jnp.int32) % 6
  planes = (
    (value, q, p, p, t, value),
    (t, value, value, q, p, p),
    (p, p, t, value, value, q),
  )
  return jnp.stack([jnp.choose(sector, c, mode='clip') for c in planes], -1)
