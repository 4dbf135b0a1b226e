"""Gaussian noise of a strength that is drawn for each image."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int32, Key, UInt8

from rcj.augment.normalisation import check_images
from rcj.ops import random


@dataclasses.dataclass(frozen=True)
class GaussianNoise:
  """Noise on every pixel and channel, clipped to what images can show.

  Each image has a standard deviation of its own, uniform between 0 and `std`,
  as CARDs are trained with: Diffenderfer et al. 2021,
  https://arxiv.org/abs/2106.09129. (Their public code draws none: there it is
  `std` for every image that is noisy at all.)

  Attributes:
    std: the largest standard deviation, for images in 0..1; in (0, 1].

  Raises:
    ValueError: for another one.
  """

  std: float = 0.1

  def __post_init__(self):
    if not 0 < self.std <= 1:
      raise ValueError(
        'std of the noise is for images in 0..1 and must be in (0, 1], got '
        f'{self.std:g}'
      )

  def __call__(
    self,
    key: Key[Array, ''],
    images: UInt8[Array, 'B H W 3'],
    *,
    first: int | Int32[Array, ''] = 0,
  ) -> Float32[Array, 'B H W 3']:
    """The images with noise, in 0..255, not yet normalised.

    An image's noise depends on the key and its position `first + i` alone.

    Args:
      key: of the whole batch.
      images: values in 0..255.
      first: position of the first image in the whole batch.

    Raises:
      TypeError: if the images are not uint8.
      ValueError: if they are not [B,H,W,3].
    """
    check_images(images)
    positions = first + jnp.arange(len(images), dtype=jnp.int32)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, positions)
    sigma = self.std * random.uniform(keys, (1, 1, 1), stream=1)
    noise = random.normal(keys, images.shape[1:])
    return jnp.clip(images.astype(jnp.float32) + 255 * sigma * noise, 0, 255)
