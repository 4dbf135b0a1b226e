"""Elastic transform: an affine map, then a smooth displacement.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; formulas of
hendrycks/robustness, make_imagenet_c.py. The affine map is that of OpenCV 5,
which interpolates exactly; OpenCV 4 rounds positions to 1/32 pixel.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Float64, Int, Key, UInt8

from rcj.corruptions import gaussian
from rcj.corruptions.double import scaled, unit
from rcj.ops import random

_CUT = 3.0
_ROOM = 512  # reach of the widest kernel of all tables
_Fold = Callable[[Int[Array, ' *shape'], int], Int[Array, ' *shape']]


def elastic_kernel(
  unit_length: float, alpha: float, sigma: float, affine: float
) -> tuple[float, float, Float64[np.ndarray, ' R']]:
  """Displacement and jitter in pixels, and half of the smoothing kernel."""
  half, _ = gaussian.taps(unit_length * sigma, cut=_CUT, room=_ROOM)
  return unit_length * alpha, unit_length * affine, half


def draw_elastic(
  key: Key[Array, ''],
  height: int,
  width: int,
  *_: Array,
  implementation: str | None = None,
) -> dict[str, Array]:
  """Uniform in -1..1: the moves of three points, and of every pixel.

  The last axes of `jitter`, and `right` and `down`, are in the order of x, y.
  """

  def draw(stream, *shape):
    how = {'stream': stream, 'implementation': implementation}
    return 2 * random.uniform(key, shape, **how) - 1

  return {
    'jitter': draw(0, 3, 2),
    'right': draw(1, height, width),
    'down': draw(2, height, width),
  }


def elastic(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Array],
  alpha: Float64[Array, ''],
  affine: Float64[Array, ''],
  half: Float64[Array, ' R'],
) -> Float32[Array, 'N H W 3']:
  """Moves three points by the jitter, then every pixel; float32 in 0..255."""
  _, height, width, _ = images.shape
  rows, columns = _smoothing(height, half), _smoothing(width, half)

  def smooth(noise):
    noise = jnp.einsum(
      'ij,njk,lk->nil',
      rows,
      noise.astype(jnp.float64),
      columns,
      precision='highest',
    )
    return _single(noise * alpha)

  row, column = jnp.mgrid[:1, :height, :width][1:]
  x = column + smooth(fields['right'])
  y = row + smooth(fields['down'])
  moves = _single(fields['jitter'].astype(jnp.float64) * affine)
  at_x, at_y = jax.vmap(_affine, (0, None, None))(moves, height, width)
  images = unit(images).astype(jnp.float32)
  images = _sampled(images, at_x, at_y, _mirrored)
  return scaled(_sampled(images, x, y, _repeated))


def _single(values: Float64[Array, '*shape']) -> Float64[Array, '*shape']:
  """Rounded as float32; a conversion there and back, compilers leave out."""
  return lax.reduce_precision(values, exponent_bits=8, mantissa_bits=23)


def _smoothing(
  size: int, half: Float64[Array, ' R']
) -> Float64[Array, 'size size']:
  """The matrix of a blur whose border is reflected, outermost pixel twice."""
  reach = len(half) - 1
  row, k = jnp.arange(size)[:, None], jnp.arange(-reach, reach + 1)[None, :]
  column = _repeated(row + k, size)
  return jnp.zeros((size, size)).at[row, column].add(half[jnp.abs(k)])


def _mirrored(index: Int[Array, ' *shape'], size: int) -> Int[Array, ' *shape']:
  """Reflects at the border without repeating the outermost pixel."""
  period = 2 * size - 2
  index = index % period
  return jnp.minimum(index, period - index)


def _repeated(index: Int[Array, ' *shape'], size: int) -> Int[Array, ' *shape']:
  """Reflects at the border and repeats the outermost pixel."""
  index = index % (2 * size)
  return jnp.minimum(index, 2 * size - 1 - index)


def _affine(
  moves: Float64[Array, '3 2'], height: int, width: int
) -> tuple[Float64[Array, 'H W'], Float64[Array, 'H W']]:
  """Where each pixel of the mapped image is in the original, x and y."""
  reach = min(height, width) // 3
  centre = np.array([width // 2, height // 2])
  corners = centre + reach * np.array([[1, 1], [1, -1], [-1, -1]])
  moved = _single(corners + moves)
  along_y = (moved[0] - moved[1]) / (2 * reach)
  along_x = (moved[1] - moved[2]) / (2 * reach)
  start = moved[2] - along_x * corners[2, 0] - along_y * corners[2, 1]
  x = jnp.arange(width)[None, :] - start[0]
  y = jnp.arange(height)[:, None] - start[1]
  area = along_x[0] * along_y[1] - along_x[1] * along_y[0]
  return (
    (along_y[1] * x - along_y[0] * y) / area,
    (along_x[0] * y - along_x[1] * x) / area,
  )


def _sampled(
  images: Float32[Array, 'N H W 3'],
  x: Float64[Array, 'N H W'],
  y: Float64[Array, 'N H W'],
  fold: _Fold,
) -> Float32[Array, 'N H W 3']:
  """Bilinear values at positions anywhere, the border as `fold` has it."""
  n, height, width, _ = images.shape
  flat = images.reshape(n, height * width, 3)
  left, top = jnp.floor(x), jnp.floor(y)
  total = jnp.zeros(images.shape)
  for down in (0, 1):
    row = fold(top.astype(jnp.int32) + down, height)
    by_row = 1 - jnp.abs(y - top - down)
    for right in (0, 1):
      column = fold(left.astype(jnp.int32) + right, width)
      place = (row * width + column).reshape(n, -1, 1)
      found = jnp.take_along_axis(flat, place, axis=1).reshape(images.shape)
      weight = by_row * (1 - jnp.abs(x - left - right))
      total += found.astype(jnp.float64) * weight[..., None]
  return total.astype(jnp.float32)
