"""Salt and pepper: some pixels become white or black."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from rcj.attacks import balls, door
from rcj.attacks.door import Images


def salt_and_pepper(
  key: Key[Array, ''], images: Images, *, rate: float
) -> Images:
  """Random pixels become white or black, in all channels alike.

  Args:
    key: draws the pixels.
    images: float32 in 0..1.
    rate: expected fraction of the pixels, half of them white.

  Raises:
    ValueError: if shapes, ranges or options are wrong.
    TypeError: if types are.
  """
  images = door.pictures(images)
  rate = door.fraction('rate', rate, images)
  uniform = draw(key, images)
  return sprinkled(images, uniform, jnp.full(len(images), rate))


def draw(key: Key[Array, ''], images: Images) -> Float[Array, 'B H W 1']:
  """Uniform values in 0..1, one per pixel."""
  return jax.random.uniform(key, (*images.shape[:3], 1), images.dtype)


def sprinkled(
  images: Images, uniform: Float[Array, 'B H W 1'], rate: Float[Array, ' B']
) -> Images:
  """White where a pixel's value is at the upper end, black at the lower."""
  half = balls.spread(rate) / 2
  white, black = uniform >= 1 - half, uniform < half
  return jnp.where(white, 1, jnp.where(black, 0, images)).astype(images.dtype)
