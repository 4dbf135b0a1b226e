"""Gaussian blur.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; formulas of
hendrycks/robustness, make_imagenet_c.py. The blur is that of scikit-image: cut
off at four sigma, the outermost pixels repeated, summed in scipy's order.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float64, Int, UInt8

from rcj.corruptions.double import rounded, scaled, unit

_CUT = 4.0
_REACH = 24  # of sigma 6, the widest of all tables


def taps(
  sigma: float, *, cut: float = _CUT, room: int = _REACH
) -> tuple[Float64[np.ndarray, ' room+1'], int]:
  """The right half of a Gaussian kernel with its centre first, and its reach.

  Args:
    sigma: in pixels; 0 is the kernel that leaves everything as it is.
    cut: the kernel ends after that many sigma.
    room: the half is filled up with zeros to this reach, so that all kernels
      run the same compiled program.
  """
  reach = int(cut * sigma + 0.5)
  if reach == 0:
    return np.eye(1, room + 1)[0], 0
  weights = np.exp(-0.5 / sigma**2 * np.arange(-reach, reach + 1) ** 2)
  weights /= weights.sum()
  return np.pad(weights[reach:], (0, room - reach)), reach


def smooth(
  planes: Float[Array, 'N H W C'],
  half: Float64[Array, ' R'],
  reach: Int[Array, ''],
) -> Float[Array, 'N H W C']:
  """Blurs height, then width, in float64; keeps the dtype after each."""
  for axis in (1, 2):
    planes = _along(planes, half, reach, axis).astype(planes.dtype)
  return planes


def _along(planes, half, reach, axis):
  room, size = len(half) - 1, planes.shape[axis]
  margin = [(room, room) if i == axis else (0, 0) for i in range(4)]
  padded = jnp.pad(planes.astype(jnp.float64), margin, mode='edge')

  def add(i, total):
    k = reach - i
    pair = lax.dynamic_slice_in_dim(
      padded, room - k, size, axis
    ) + lax.dynamic_slice_in_dim(padded, room + k, size, axis)
    return total + rounded(pair * half[k])

  return lax.fori_loop(0, reach, add, rounded(planes * half[0]))


def gaussian_blur(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Array],
  half: Float64[Array, ' R'],
  reach: Int[Array, ''],
) -> Float64[Array, 'N H W 3']:
  """Blurs every channel, 0..255."""
  del fields
  return scaled(smooth(unit(images), half, reach))
