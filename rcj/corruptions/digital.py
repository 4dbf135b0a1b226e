"""Digital corruptions: contrast, pixelate, JPEG compression.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; formulas of
hendrycks/robustness, make_imagenet_c.py. Pixelate and JPEG run through Pillow
on the host, because the benchmark is what Pillow and libjpeg compute.
"""

from __future__ import annotations

import io

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8
from PIL import Image


def contrast(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, Array],
  factor: Float[Array, ''],
) -> Float[Array, 'N H W 3']:
  """Shrinks the distance of each channel to its mean, float32 in 0..255."""
  del fields
  _, height, width, _ = images.shape
  # An integer sum is the same on every device and in every order.
  total = jnp.sum(images, axis=(1, 2), keepdims=True, dtype=jnp.uint32)
  mean = total.astype(jnp.float32) / (height * width)
  return jnp.clip((images - mean) * factor + mean, 0, 255)


def pixelate(
  image: UInt8[np.ndarray, 'H W 3'], factor: float
) -> UInt8[np.ndarray, 'H W 3']:
  """Box-resizes to `factor` of each side and back."""
  height, width, _ = image.shape
  small = max(1, int(width * factor)), max(1, int(height * factor))
  picture = Image.fromarray(image).resize(small, Image.Resampling.BOX)
  return np.asarray(picture.resize((width, height), Image.Resampling.BOX))


def jpeg(
  image: UInt8[np.ndarray, 'H W 3'], quality: float
) -> UInt8[np.ndarray, 'H W 3']:
  """Through a JPEG file of that quality; chroma at half resolution (4:2:0)."""
  file = io.BytesIO()
  Image.fromarray(image).save(file, 'JPEG', quality=int(quality))
  return np.asarray(Image.open(file))
