"""Fog, a plasma fractal over the image.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; formulas of
hendrycks/robustness, make_imagenet_c.py. Values are float32 in 0..255, not yet
truncated.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, UInt8


def draw_fog(
  key: Key[Array, ''],
  height: int,
  width: int,
  thickness: Float[Array, ''],
  decay: Float[Array, ''],
) -> dict[str, Float[Array, 'H W']]:
  """The top-left corner of a plasma map of the next power of two."""
  del thickness
  side = 1 << (max(height, width, 2) - 1).bit_length()
  noise = jax.random.uniform(key, (side**2 - 1,), minval=-1.0)
  return {'plasma': diamond_square(noise, decay)[:height, :width]}


def diamond_square(
  noise: Float[Array, ' M'], decay: Float[Array, '']
) -> Float[Array, 'S S']:
  """Plasma fractal on a torus, scaled to 0..1.

  Args:
    noise: S^2 - 1 values in -1..1, S a power of two. From coarse to fine, each
      level reads three n x n grids, n = 1, 2, 4, ...: squares, diamonds in the
      rows of the corners, diamonds in their columns.
    decay: the amplitude falls by decay^2 per level: the reference multiplies a
      noise of width w by w again.
  """
  side = math.isqrt(noise.shape[0] + 1)
  grid = jnp.zeros((1, 1))
  amplitude = 100.0**2
  while (n := grid.shape[0]) < side:
    level = noise[n * n - 1 : 4 * n * n - 1].reshape(3, n, n)
    grid = _refine(grid, amplitude * level)
    amplitude = amplitude / decay**2
  grid -= grid.min()
  return grid / grid.max()


def _refine(
  corners: Float[Array, 'n n'], noise: Float[Array, '3 n n']
) -> Float[Array, '2*n 2*n']:
  n = corners.shape[0]
  right = jnp.roll(corners, -1, 1)
  below = jnp.roll(corners, -1, 0)
  centres = (corners + right + below + jnp.roll(below, -1, 1)) / 4 + noise[0]
  above = jnp.roll(centres, 1, 0)
  left = jnp.roll(centres, 1, 1)
  in_rows = (corners + right + centres + above) / 4 + noise[1]
  in_columns = (corners + below + centres + left) / 4 + noise[2]
  even = jnp.stack([corners, in_rows], -1).reshape(n, 2 * n)
  odd = jnp.stack([in_columns, centres], -1).reshape(n, 2 * n)
  return jnp.stack([even, odd], 1).reshape(2 * n, 2 * n)


def fog(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Float[Array, 'N H W']],
  thickness: Float[Array, ''],
  decay: Float[Array, ''],
) -> Float[Array, 'N H W 3']:
  """Adds the plasma, then scales the image back to its own maximum."""
  del decay
  fogged = images + 255 * thickness * fields['plasma'][..., None]
  top = images.max(axis=(1, 2, 3), keepdims=True).astype(jnp.float32)
  return jnp.clip(fogged * top / (top + 255 * thickness), 0, 255)
