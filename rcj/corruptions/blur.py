"""Blurs of the lens.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; formulas of
hendrycks/robustness, make_imagenet_c.py.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

# Kernels are padded to one of two shapes: two compiled programs for all tables,
# the small one for all of 64 and 32.
_REACHES = (4, 10)


def disk_kernel(
  radius: float, sigma: float
) -> tuple[Float[np.ndarray, 'K K 2']]:
  """A normalised disk of that radius, its rim softened by a Gaussian blur.

  The grid spans 17 pixels for radii up to 8 and `2 radius + 1` above; the blur
  takes 3 taps on the small grid and 5 on the large, and reflects at its border
  without repeating the outermost pixel.

  Returns:
    The float32 kernel as a sum of two, multiples of 2^-16 and the rest, without
    the zeros around it; K is 9 or 21.
  """
  grid, soft = (8, 1) if radius <= 8 else (math.floor(radius), 2)
  axis = np.arange(-grid, grid + 1)
  disk = axis[:, None] ** 2 + axis[None, :] ** 2 <= radius**2
  taps = _gaussian_taps(soft, sigma)
  kernel = _blur(_blur(disk / disk.sum(), taps).T, taps).T
  held = min(grid, math.floor(radius) + soft)
  inner = slice(grid - held, grid + held + 1)
  reach = next(r for r in _REACHES if held <= r)
  kernel = np.pad(kernel[inner, inner], reach - held).astype(np.float32)
  coarse = np.round(kernel * 2**16) / 2**16
  return (np.stack([coarse, kernel - coarse], -1),)


def _gaussian_taps(reach: int, sigma: float) -> Float[np.ndarray, ' K']:
  taps = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
  return taps / taps.sum()


def _blur(
  grid: Float[np.ndarray, 'H W'], taps: Float[np.ndarray, ' K']
) -> Float[np.ndarray, 'H W']:
  """Convolves the columns."""
  reach = len(taps) // 2
  padded = np.pad(grid, ((reach, reach), (0, 0)), mode='reflect')
  return sum(tap * padded[i : i + len(grid)] for i, tap in enumerate(taps))


def defocus(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Array],
  kernel: Float[Array, 'K K 2'],
) -> Float[Array, 'N H W 3']:
  """Correlates every channel with the kernel, float32 in 0..255.

  The border is reflected without repeating the outermost pixel. Means of
  integers often fall on integers (one in 29 does for the disk of radius 3),
  and the benchmark truncates them by the rounding errors of its kernel. To
  follow it, the coarse part is summed without error (24 bits hold it in any
  order), and the sum with the fine part is rounded towards zero.
  """
  del fields
  n, height, width, _ = images.shape
  margin = (kernel.shape[0] // 2,) * 2
  planes = jnp.moveaxis(images, 3, 1).reshape(3 * n, height, width)
  planes = jnp.pad(planes, ((0, 0), margin, margin), mode='reflect')
  sums = jax.lax.conv_general_dilated(
    planes.astype(jnp.float32)[..., None],
    kernel[:, :, None, :],
    window_strides=(1, 1),
    padding='VALID',
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    precision=jax.lax.Precision.HIGHEST,
  )
  coarse, fine = sums[..., 0], sums[..., 1]
  blurred = coarse + fine
  rounded_up = blurred - coarse > fine
  blurred = jnp.where(
    rounded_up, jnp.nextafter(blurred, 0.0 * blurred), blurred
  )
  blurred = jnp.moveaxis(blurred.reshape(n, 3, height, width), 1, 3)
  return jnp.clip(blurred, 0, 255)
