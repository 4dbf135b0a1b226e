"""The perturbations that Square tries in an Linf ball: its corners.

Section 3.3 of https://arxiv.org/abs/1912.00049.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from rcj.attacks import patches
from rcj.attacks.door import Images

LEAST = 1


def first(
  key: Key[Array, ''], images: Images, *, eps: Float[Array, '']
) -> Images:
  """Vertical stripes one pixel wide."""
  batch, _, width, channels = images.shape
  signs = jax.random.rademacher(key, (batch, 1, width, channels), images.dtype)
  return eps * jnp.broadcast_to(signs, images.shape)


def change(
  key: Key[Array, ''],
  delta: Images,
  *,
  side: Int[Array, ''],
  eps: Float[Array, ''],
) -> Images:
  """A square of one sign per channel, at a place of its own in each image."""
  key_place, key_sign = jax.random.split(key)
  inside = patches.place(key_place, delta, side=side).inside
  signs = jax.random.rademacher(
    key_sign, (len(delta), 1, 1, delta.shape[-1]), delta.dtype
  )
  return jnp.where(inside, eps * signs, delta)
