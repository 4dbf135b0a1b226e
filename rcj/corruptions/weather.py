"""Fog, a plasma fractal over the image.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; formulas of
hendrycks/robustness, make_imagenet_c.py. Values are float32 in 0..255, not yet
truncated.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float, Key, UInt8

from rcj.corruptions.double import rounded
from rcj.ops import random
from rcj.ops.plasma import plasma


def draw_fog(
  key: Key[Array, ''],
  height: int,
  width: int,
  thickness: Float[Array, ''],
  decay: Float[Array, ''],
  *,
  implementation: str | None = None,
) -> dict[str, Float[Array, 'H W']]:
  """The top-left corner of a plasma map of the next power of two."""
  del thickness
  side = 1 << (max(height, width, 2) - 1).bit_length()
  how = {'implementation': implementation}
  noise = 2 * random.uniform(key, (side**2 - 1,), **how) - 1
  return {'plasma': plasma(noise, decay, **how)[:height, :width]}


def fog(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Float[Array, 'N H W']],
  thickness: Float[Array, ''],
  decay: Float[Array, ''],
) -> Float[Array, 'N H W 3']:
  """Adds the plasma, then scales the image back to its own maximum."""
  del decay
  fogged = images + rounded(255 * thickness * fields['plasma'])[..., None]
  top = images.max(axis=(1, 2, 3), keepdims=True).astype(jnp.float32)
  return jnp.clip(fogged * (top / (top + 255 * thickness)), 0, 255)
