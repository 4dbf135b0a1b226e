"""Random crop and horizontal flip on the device."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax, random
from jaxtyping import Array, Int32, Key, UInt8

from rcj.augment.normalisation import check_images


def crop_flip(
  key: Key[Array, ''],
  images: UInt8[Array, 'B H W 3'],
  *,
  padding: int,
  flip: bool,
  first: int | Int32[Array, ''] = 0,
) -> UInt8[Array, 'B H W 3']:
  """Pads with black, crops back at a random place, flips half of the images.

  The usual augmentation of CIFAR with padding 4. An image's draws depend on
  the key and on its position `first + i` alone.

  Args:
    key: of the whole batch.
    images: values in 0..255.
    padding: pixels on each side; both offsets are uniform in 0..2 * padding.
    flip: whether each image is mirrored with probability 1/2.
    first: position of the first image in the whole batch.

  Raises:
    TypeError: if the images are not uint8.
    ValueError: if they are not [B,H,W,3], or `padding` is negative.
  """
  check_images(images)
  if padding < 0:
    raise ValueError(f'padding must not be negative, got {padding}')
  shape = images.shape[1:]
  margins = ((0, 0), (padding, padding), (padding, padding), (0, 0))

  def one(position, image):
    place, mirror = random.split(random.fold_in(key, position))
    y, x = random.randint(place, (2,), 0, 2 * padding + 1)
    cropped = lax.dynamic_slice(image, (y, x, jnp.zeros_like(x)), shape)
    mirrored = random.bernoulli(mirror) if flip else False
    return jnp.where(mirrored, cropped[:, ::-1], cropped)

  positions = first + jnp.arange(len(images), dtype=jnp.int32)
  return jax.vmap(one)(positions, jnp.pad(images, margins))
