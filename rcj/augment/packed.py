"""RGB images as one 32-bit word a pixel, so that a warp gathers once a tap.

Red is in the lowest byte, the highest byte is zero.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Int32, UInt8, UInt32

_SHIFTS = (0, 8, 16)
Channel = Int32[Array, 'H W']
Packed = UInt32[Array, 'H W']


def pack(images: UInt8[Array, '*batch 3']) -> UInt32[Array, '*batch']:
  """Joins the bytes of the last axis to one word."""
  words = jnp.asarray(images).astype(jnp.uint32)
  return words[..., 0] | words[..., 1] << 8 | words[..., 2] << 16


def unpack(packed: UInt32[Array, '*batch']) -> UInt8[Array, '*batch 3']:
  """Inverse of `pack`."""
  shifts = jnp.array(_SHIFTS, jnp.uint32)
  shifts = shifts.reshape((1,) * packed.ndim + (3,))
  return (packed[..., None] >> shifts & 255).astype(jnp.uint8)


def channels(image: Packed) -> tuple[Channel, Channel, Channel]:
  """Red, green and blue planes in 0..255."""
  return tuple((image >> s & 255).astype(jnp.int32) for s in _SHIFTS)


def join(red: Channel, green: Channel, blue: Channel) -> Packed:
  """Inverse of `channels`; the planes must lie in 0..255."""
  planes = (red, green, blue)
  red, green, blue = (p.astype(jnp.uint32) for p in planes)
  return red | green << 8 | blue << 16


def map_channels(f: Callable[..., Channel], *images: Packed) -> Packed:
  """Applies `f` to the planes of one or more images, channel by channel."""
  return join(
    *(f(*planes) for planes in zip(*map(channels, images), strict=True))
  )
