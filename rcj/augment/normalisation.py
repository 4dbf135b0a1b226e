"""From pixel values to a network's input."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float32, UInt8

from rcj.ops.preprocessing import scale_and_offset

Images = UInt8[Array, '*batch 3'] | Float32[Array, '*batch 3']


def normalise(
  images: Images,
  *,
  mean: tuple[float, float, float],
  std: tuple[float, float, float],
) -> Float32[Array, '*batch 3']:
  """(x / 255 - mean) / std in one multiplication and one addition.

  Args:
    images: values in 0..255; uint8, or float32 for mixtures of images.
    mean: per channel, for images in 0..1.
    std: per channel, for images in 0..1.
  """
  shape = (1,) * (images.ndim - 1) + (3,)
  scale, offset = scale_and_offset(mean=mean, std=std)
  scale, offset = scale.reshape(shape), offset.reshape(shape)
  return images.astype(jnp.float32) * scale + offset


def check_images(images: UInt8[Array, 'B H W 3']) -> None:
  """Raises TypeError or ValueError unless images are uint8[B,H,W,3]."""
  if images.dtype != jnp.uint8:
    raise TypeError(
      f'augmentation needs uint8 images in 0..255, got {images.dtype}; '
      'normalised or 0..1 float images come out of it, they do not go in'
    )
  if images.ndim != 4 or images.shape[-1] != 3:
    raise ValueError(
      'augmentation needs images of shape [B,H,W,3], got '
      f'{list(images.shape)}; the usual cause is channels before rows, or a '
      'single image without its batch axis'
    )
