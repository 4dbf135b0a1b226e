"""Glass: a Gaussian blur, pixels that take their neighbours', a blur.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; formulas of
hendrycks/robustness, make_imagenet_c.py.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float64, Int, Int8, Key, UInt8

from rcj.corruptions import gaussian
from rcj.corruptions.double import scaled, unit
from rcj.ops import random

_ROUNDS = 3  # the most of any table


def glass_kernel(
  sigma: float, distance: float, rounds: float
) -> tuple[Float64[np.ndarray, ' R'], int, int, int]:
  """The blur's kernel and reach, then `distance` and `rounds` as integers."""
  return *gaussian.taps(sigma), int(distance), int(rounds)


def draw_glass(
  key: Key[Array, ''],
  height: int,
  width: int,
  half: Float[Array, ' R'],
  reach: Int[Array, ''],
  distance: Int[Array, ''],
  rounds: Int[Array, ''],
  *,
  implementation: str | None = None,
) -> dict[str, Int8[Array, '3 H W 2']]:
  """How far right and down each pixel looks, zero in unused rounds."""
  del half, reach
  shape = (_ROUNDS, height, width)
  how = {'implementation': implementation}
  words = random.bits(key, math.prod(shape), **how).reshape(shape)
  # 16 bits each for right and down, scaled to 2 distance steps.
  halves = jnp.stack([words & 0xFFFF, words >> 16], -1).astype(jnp.int32)
  offsets = (halves * (2 * distance) >> 16) - distance
  used = jnp.arange(_ROUNDS)[:, None, None, None] < rounds
  return {'offsets': jnp.where(used, offsets, 0).astype(jnp.int8)}


def glass(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Int8[Array, 'N 3 H W 2']],
  half: Float64[Array, ' R'],
  reach: Int[Array, ''],
  distance: Int[Array, ''],
  rounds: Int[Array, ''],
) -> Float64[Array, 'N H W 3']:
  """Blurs, lets pixels look elsewhere, blurs again; 0..255.

  From the bottom right to the top left, each pixel takes what its neighbour
  at `offsets` is by then: a copy, not an exchange. A margin of `distance`
  stays as it is.
  """
  del rounds
  blurred = gaussian.smooth(unit(images), half, reach)
  pixels = (blurred * 255).astype(jnp.uint8)
  for i in range(_ROUNDS):
    sources = jax.vmap(_sources, (0, None))(fields['offsets'][:, i], distance)
    flat = pixels.reshape(len(images), -1, 3)
    moved = jnp.take_along_axis(flat, sources[:, :, None], axis=1)
    pixels = moved.reshape(images.shape)
  return scaled(gaussian.smooth(unit(pixels), half, reach))


def _sources(
  offsets: Int8[Array, 'H W 2'], distance: Int[Array, '']
) -> Int[Array, ' H*W']:
  """Where each pixel's value comes from, by its place before the round.

  A neighbour further down or right has been changed already: what it took
  counts, and so on. The chains are followed at once for all pixels, twice as
  far in every step.
  """
  height, width, _ = offsets.shape
  n = height * width
  row, column = jnp.arange(height)[:, None], jnp.arange(width)[None, :]
  inside = (row > distance) & (row <= height - distance)
  inside &= (column > distance) & (column <= width - distance)
  offsets = jnp.where(inside[..., None], offsets.astype(jnp.int32), 0)
  here = jnp.arange(n)
  there = here + (offsets[..., 1] * width + offsets[..., 0]).reshape(-1)
  changed = inside.reshape(-1)[there] & (there > here)
  # Place n + p stands for pixel p as it was, where a chain ends.
  links = jnp.concatenate([jnp.where(changed, there, n + there), n + here])
  links = lax.while_loop(
    lambda links: (links[:n] < n).any(), lambda links: links[links], links
  )
  return links[:n] - n
