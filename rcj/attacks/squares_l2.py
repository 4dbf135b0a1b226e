"""The perturbations that Square tries in an L2 ball: a budget that moves.

Section 3.4 and algorithm 3 of https://arxiv.org/abs/1912.00049, pyramids and
tiles after fra31/auto-attack.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from rcj.attacks import balls, patches
from rcj.attacks.door import Images

LEAST = 3
_TILES = 5


def first(
  key: Key[Array, ''], images: Images, *, eps: Float[Array, '']
) -> Images:
  """Tiles a fifth of the image wide, each two opposed pyramids; norm eps."""
  batch, height, width, channels = images.shape
  side = max(min(height, width) // _TILES, 1)
  key_turn, key_sign = jax.random.split(key)
  rows = jnp.arange(height)[None, :, None, None] % side
  columns = jnp.arange(width)[None, None, :, None] % side
  turned = jax.random.bernoulli(key_turn, shape=(batch, 1, 1, 1))
  shape = _opposed(rows, columns, side, turned, images.dtype)
  tiles = (batch, -(-height // side), -(-width // side), channels)
  signs = jax.random.rademacher(key_sign, tiles, images.dtype)
  signs = jnp.repeat(jnp.repeat(signs, side, axis=1), side, axis=2)
  return eps * balls.unit(shape * signs[:, :height, :width])


def change(
  key: Key[Array, ''],
  delta: Images,
  *,
  side: Int[Array, ''],
  eps: Float[Array, ''],
) -> Images:
  """Clears one square, and spends what it held on pyramids in another.

  What clipping has left unspent of `eps` is spent there, too.
  """
  side = side - 1 + side % 2  # pyramids have a middle
  key_to, key_from, key_turn, key_sign = jax.random.split(key, 4)
  to = patches.place(key_to, delta, side=side)
  source = patches.place(key_from, delta, side=side).inside
  turned = jax.random.bernoulli(key_turn, shape=(len(delta), 1, 1, 1))
  shape = _opposed(to.rows, to.columns, side, turned, delta.dtype)
  signs = jax.random.rademacher(
    key_sign, (len(delta), 1, 1, delta.shape[-1]), delta.dtype
  )
  old = jnp.where(to.inside, delta, 0)
  pyramids = _channel_unit(jnp.where(to.inside, shape, 0))
  new = _channel_unit(signs * pyramids + _channel_unit(old))
  held = balls.size(jnp.where(to.inside | source, delta, 0), norm='l2')
  unspent = jnp.maximum(eps**2 - balls.size(delta, norm='l2') ** 2, 0)
  budget = jnp.sqrt((held**2 + unspent) / delta.shape[-1])
  rest = jnp.where(to.inside | source, 0, delta)
  return eps * balls.unit(rest + balls.spread(budget) * new)


def _channel_unit(x: Array) -> Array:
  """Each channel of each image divided by its L2 norm."""
  norm = jnp.sqrt(jnp.sum(x**2, axis=(1, 2), keepdims=True))
  return x / jnp.maximum(norm, balls.TINY)


def _opposed(
  rows: Int[Array, '#B H 1 1'],
  columns: Int[Array, '#B 1 W 1'],
  side: Int[Array, ''] | int,
  turned: Array,
  dtype: jnp.dtype,
) -> Float[Array, 'B H W 1']:
  """Two pyramids of opposite sign, each in one half of a square."""
  along = jnp.where(turned, columns, rows)
  across = jnp.where(turned, rows, columns)
  half = side // 2
  upper = along < half
  length = jnp.where(upper, half, side - half)
  along = jnp.where(upper, along, along - half)
  height = _pyramid(along, across, length, side, dtype)
  return jnp.where(upper, height, -height)


def _pyramid(along, across, length, side, dtype) -> Float[Array, 'B H W 1']:
  """Sum of 1 / k^2 over the squares of half-width k - 1 that hold the pixel.

  They are concentric, and the last reaches beyond the longer side.
  """
  largest = jnp.maximum(length // 2, side // 2) + 1
  distance = jnp.maximum(
    jnp.abs(along - length // 2), jnp.abs(across - side // 2)
  )
  k = jnp.arange(1, sum(along.shape[1:3]) + 1)
  sums = jnp.cumsum(1 / k.astype(dtype) ** 2)
  sums = jnp.concatenate([jnp.zeros(1, dtype), sums])
  return jnp.maximum(sums[largest] - sums[jnp.minimum(distance, largest)], 0)
