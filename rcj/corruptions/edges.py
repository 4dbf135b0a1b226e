"""Edges of a grey image and the distance to them, as OpenCV finds them.

Formulas of `Canny` and of `distanceTransform` with the 5 x 5 mask,
https://github.com/opencv/opencv, modules/imgproc.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32, UInt8

_TAN_22 = 13573  # tangent of 22.5 degrees times 2^15
_FAR = 1 << 29
# Lengths of a step to the side, to the corner, and of a knight's, times 2^16.
_STEPS = {(0, 1): 65536, (1, 1): 91750, (1, 2): 143976}


def canny(
  image: UInt8[Array, 'H W'], *, low: int, high: int
) -> Bool[Array, 'H W']:
  """Ridges of the gradient above `low` that touch one above `high`.

  The gradient is Sobel's, its size |x| + |y|, the border repeated.
  """
  padded = jnp.pad(image.astype(jnp.int32), 1, mode='edge')
  across = padded[:, 2:] - padded[:, :-2]
  x = across[:-2] + 2 * across[1:-1] + across[2:]
  below = padded[2:] - padded[:-2]
  y = below[:, :-2] + 2 * below[:, 1:-1] + below[:, 2:]
  size = jnp.abs(x) + jnp.abs(y)
  ridge = _is_ridge(x, y, size) & (size > low)
  return _grown(ridge & (size > high), ridge)


def _around(plane: Array, margin: int, outside) -> Callable[[int, int], Array]:
  """From how far down and right to the neighbours that lie there."""
  height, width = plane.shape
  padded = jnp.pad(plane, margin, constant_values=outside)

  def neighbour(down, right):
    y, x = margin + down, margin + right
    return padded[y : y + height, x : x + width]

  return neighbour


def _is_ridge(
  x: Int32[Array, 'H W'], y: Int32[Array, 'H W'], size: Int32[Array, 'H W']
) -> Bool[Array, 'H W']:
  """Whether no neighbour along the gradient is larger."""
  neighbour = _around(size, 1, 0)

  def exceeds(down, right, *, strictly):
    other = neighbour(down, right)
    return size > other if strictly else size >= other

  flat, steep = jnp.abs(x) * _TAN_22, jnp.abs(y) << 15
  across = exceeds(0, -1, strictly=True) & exceeds(0, 1, strictly=False)
  down = exceeds(-1, 0, strictly=True) & exceeds(1, 0, strictly=False)
  falling = exceeds(-1, -1, strictly=True) & exceeds(1, 1, strictly=True)
  rising = exceeds(-1, 1, strictly=True) & exceeds(1, -1, strictly=True)
  diagonal = jnp.where((x ^ y) < 0, rising, falling)
  upright = steep > flat + (jnp.abs(x) << 16)
  return jnp.where(steep < flat, across, jnp.where(upright, down, diagonal))


def _grown(
  seeds: Bool[Array, 'H W'], allowed: Bool[Array, 'H W']
) -> Bool[Array, 'H W']:
  """All of `allowed` that is connected with a seed, corners included."""

  def grow(state):
    grown, _ = state
    beside = _around(grown, 1, False)
    wide = grown | beside(0, 1) | beside(0, -1)
    beside = _around(wide, 1, False)
    tall = wide | beside(1, 0) | beside(-1, 0)
    return tall & allowed, (tall & allowed != grown).any()

  return lax.while_loop(lambda s: s[1], grow, (seeds, True))[0]


def distance(edges: Bool[Array, 'H W'], *, limit: int) -> Float32[Array, 'H W']:
  """Length of the shortest walk to an edge, at most `limit`."""
  steps = {
    (a * i, b * j): length
    for (down, right), length in _STEPS.items()
    for a, b in ((down, right), (right, down))
    for i in (-1, 1)
    for j in (-1, 1)
  }

  def walk(_, lengths):
    shorter, neighbour = lengths, _around(lengths, 2, _FAR)
    for step, length in steps.items():
      shorter = jnp.minimum(shorter, neighbour(*step) + length)
    return shorter

  lengths = jnp.where(edges, 0, _FAR).astype(jnp.int32)
  # No step is shorter than 1.
  lengths = lax.fori_loop(0, limit, walk, lengths)
  return jnp.minimum(lengths.astype(jnp.float32) / 2**16, limit)
