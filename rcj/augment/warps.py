"""AugMix's geometric operations, equal to Pillow's to the last bit.

Pillow maps each output pixel's centre back through the inverse matrix in
double precision, interpolates bilinearly with the taps clamped to the image,
truncates, and leaves black what falls outside. Conventions as in
`rcj.augment.tones`.
Source: `Geometry.c` of https://github.com/python-pillow/Pillow
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float64, Int32

from rcj.augment.packed import Packed, channels, join
from rcj.augment.tones import Parameter, rounded

MAX_DEGREES = 30
Position = Float64[Array, 'H W']
Index = Int32[Array, 'H W']


def _centres(n: int) -> Float64[Array, ' n']:
  return jnp.arange(n, dtype=jnp.float64) + 0.5


def _taps(
  at: Position, size: int
) -> tuple[Index, Index, Position, Bool[Array, 'H W']]:
  """Both neighbours of a position, the way between them, and if inside."""
  inside = (at >= 0) & (at < size)
  floor = jnp.floor(at - 0.5)
  low = floor.astype(jnp.int32)
  clamped = (jnp.clip(i, 0, size - 1) for i in (low, low + 1))
  return *clamped, at - 0.5 - floor, inside


def _between(low: Position, high: Position, way: Position) -> Position:
  return low + rounded((high - low) * way)


def _planes(pixels: Packed) -> list[Position]:
  return [c.astype(jnp.float64) for c in channels(pixels)]


def _lerp(low: Packed, high: Packed, way: Position) -> list[Position]:
  """Planes between two packed images."""
  planes = zip(_planes(low), _planes(high), strict=True)
  return [_between(a, b, way) for a, b in planes]


def _finish(planes: list[Position], inside: Bool[Array, 'H W']) -> Packed:
  image = join(*(p.astype(jnp.int32) for p in planes))
  return jnp.where(inside, image, jnp.uint32(0))


def rotation(degrees: float, height: int, width: int) -> tuple[float, ...]:
  """Pillow's inverse matrix of a counter-clockwise turn about the centre."""
  angle = -math.radians(degrees % 360.0)
  cos, sin = round(math.cos(angle), 15), round(math.sin(angle), 15)
  x, y = width / 2, height / 2
  right = (cos, sin, cos * -x + sin * -y + x)
  return (*right, -sin, cos, -sin * -x + cos * -y + y)


def _rotations(H: int, W: int) -> np.ndarray:
  """Inverse matrices of -30..30 degrees, float64[61, 6]."""
  turns = range(-MAX_DEGREES, MAX_DEGREES + 1)
  return np.array([rotation(degrees, H, W) for degrees in turns])


def rotate(image: Packed, degrees: Parameter) -> Packed:
  """Turns counter-clockwise about the centre by whole degrees in -30..30."""
  H, W = image.shape
  table = jnp.asarray(_rotations(H, W))
  m = table[degrees.astype(jnp.int32) + MAX_DEGREES]
  column, row = _centres(W), _centres(H)

  def position(a, b, c):
    return rounded(column * a)[None] + rounded(row * b)[:, None] + c

  x0, x1, dx, in_x = _taps(position(*m[:3]), W)
  y0, y1, dy, in_y = _taps(position(*m[3:]), H)
  flat = image.reshape(-1)
  upper = _lerp(flat[y0 * W + x0], flat[y0 * W + x1], dx)
  lower = _lerp(flat[y1 * W + x0], flat[y1 * W + x1], dx)
  planes = [_between(u, v, dy) for u, v in zip(upper, lower, strict=True)]
  return _finish(planes, in_x & in_y)


def shear_x(image: Packed, factor: Parameter) -> Packed:
  """Moves row y left by `factor` * y pixels."""
  H, W = image.shape
  at = _centres(W)[None] + rounded(_centres(H) * factor)[:, None]
  low, high, way, inside = _taps(at, W)
  row = jnp.arange(H, dtype=jnp.int32)[:, None] * W
  flat = image.reshape(-1)
  return _finish(_lerp(flat[row + low], flat[row + high], way), inside)


def shear_y(image: Packed, factor: Parameter) -> Packed:
  """Moves column x up by `factor` * x pixels."""
  H, W = image.shape
  at = rounded(_centres(W) * factor)[None] + _centres(H)[:, None]
  low, high, way, inside = _taps(at, H)
  column = jnp.arange(W, dtype=jnp.int32)[None]
  flat = image.reshape(-1)
  planes = _lerp(flat[low * W + column], flat[high * W + column], way)
  return _finish(planes, inside)


def translate_x(image: Packed, pixels: Parameter) -> Packed:
  """Moves the image left by whole `pixels`."""
  H, W = image.shape
  padded = jnp.pad(image, ((0, 0), (W, W)))
  start = W + pixels.astype(jnp.int32)
  return lax.dynamic_slice(padded, (jnp.zeros_like(start), start), (H, W))


def translate_y(image: Packed, pixels: Parameter) -> Packed:
  """Moves the image up by whole `pixels`."""
  H, W = image.shape
  padded = jnp.pad(image, ((H, H), (0, 0)))
  start = H + pixels.astype(jnp.int32)
  return lax.dynamic_slice(padded, (start, jnp.zeros_like(start)), (H, W))
