"""Squares in images whose side is known only when the program runs."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key

from rcj.attacks import balls
from rcj.attacks.door import Images


@dataclasses.dataclass(frozen=True)
class Patch:
  """A square in each image.

  Attributes:
    rows: of each pixel, counted from the square's first.
    columns: of each pixel, counted from the square's first.
    inside: whether a pixel lies in it.
  """

  rows: Int[Array, 'B H 1 1']
  columns: Int[Array, 'B 1 W 1']
  inside: Bool[Array, 'B H W 1']


def place(
  key: Key[Array, ''], images: Images, *, side: Int[Array, '']
) -> Patch:
  """Squares at random places, each whole within its image."""
  batch, height, width, _ = images.shape
  key_top, key_left = jax.random.split(key)
  top = jax.random.randint(key_top, (batch,), 0, height - side + 1)
  left = jax.random.randint(key_left, (batch,), 0, width - side + 1)
  rows = jnp.arange(height)[None, :, None, None] - balls.spread(top)
  columns = jnp.arange(width)[None, None, :, None] - balls.spread(left)
  inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
  return Patch(rows, columns, inside)
