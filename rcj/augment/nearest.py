"""Warps to the nearest pixel, equal to Pillow's to the last bit.

Without interpolation Pillow walks through the input in steps of 1/65536 pixel.
So does this, in integers, which every device computes alike.
Source: `Geometry.c` of https://github.com/python-pillow/Pillow
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64, Int32

from rcj.augment.packed import Packed

_BITS = 16
Matrix = Int32[Array, ' 6']


def fixed_point(
  matrix: Float64[np.ndarray, '*s 6'],
) -> Int32[np.ndarray, '*s 6']:
  """Inverse matrices as `warp` takes them.

  Args:
    matrix: (a, b, c, d, e, f) where output (x, y) shows input
      (a x + b y + c, d x + e y + f), the first pixel's centre at (0.5, 0.5).
  """
  a, b, c, d, e, f = np.moveaxis(np.asarray(matrix, np.float64), -1, 0)
  c, f = c + a * 0.5 + b * 0.5, f + d * 0.5 + e * 0.5
  rows = np.stack([a, b, c, d, e, f], -1)
  return np.floor(rows * (1 << _BITS) + 0.5).astype(np.int32)


def warp(image: Packed, matrix: Matrix) -> Packed:
  """Moves an image by an inverse matrix of `fixed_point`; outside is black."""
  H, W = image.shape
  column, row = jnp.arange(W, dtype=jnp.int32), jnp.arange(H, dtype=jnp.int32)

  def position(a, b, c):
    return (column * a)[None] + (row * b)[:, None] + c >> _BITS

  x, y = position(*matrix[:3]), position(*matrix[3:])
  inside = (x >= 0) & (x < W) & (y >= 0) & (y < H)
  shown = image.reshape(-1)[jnp.where(inside, y * W + x, 0)]
  return jnp.where(inside, shown, jnp.uint32(0))
