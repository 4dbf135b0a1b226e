"""Cropping, resizing and flipping on the host, as torchvision does it.

Resizing is Pillow's bilinear filter, which widens its support when it reduces
(antialiasing). Random choices come from a NumPy generator, because these run in
worker processes.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import UInt8
from PIL import Image

SCALE = (0.08, 1.0)  # area of a random crop, as a fraction of the image
RATIO = (3 / 4, 4 / 3)  # its width over its height
_ATTEMPTS = 10


def random_resized_crop(
  generator: np.random.Generator, image: UInt8[np.ndarray, 'H W 3'], size: int
) -> UInt8[np.ndarray, 'size size 3']:
  """A random part of the image, resized to a square.

  The Inception crop (https://arxiv.org/abs/1409.4842, section 6) with
  torchvision's defaults: area uniform in 0.08..1 of the image, aspect
  log-uniform in 3/4..4/3, a central crop where ten draws do not fit.
  """
  top, left, height, width = crop_box(generator, *image.shape[:2])
  part = image[top : top + height, left : left + width]
  return resize(part, height=size, width=size)


def crop_box(
  generator: np.random.Generator, height: int, width: int
) -> tuple[int, int, int, int]:
  """(top, left, height, width) of a random crop, in pixels."""
  for _ in range(_ATTEMPTS):
    area = height * width * generator.uniform(*SCALE)
    aspect = math.exp(generator.uniform(*map(math.log, RATIO)))
    w = round(math.sqrt(area * aspect))
    h = round(math.sqrt(area / aspect))
    if 0 < w <= width and 0 < h <= height:
      top = int(generator.integers(0, height - h + 1))
      left = int(generator.integers(0, width - w + 1))
      return top, left, h, w
  w = min(width, round(height * RATIO[1]))
  h = min(height, round(width / RATIO[0]))
  return (height - h) // 2, (width - w) // 2, h, w


def random_flip(
  generator: np.random.Generator, image: UInt8[np.ndarray, 'H W 3']
) -> UInt8[np.ndarray, 'H W 3']:
  """The image, mirrored left to right in half of the cases."""
  return image[:, ::-1] if generator.random() < 0.5 else image


def crop_and_flip(
  generator: np.random.Generator, image: UInt8[np.ndarray, 'H W 3'], size: int
) -> UInt8[np.ndarray, 'size size 3']:
  """`random_resized_crop`, then `random_flip`: ImageNet's training transform.

  With `functools.partial(crop_and_flip, size=224)` it is a transform for
  `TrainStream`.
  """
  crop = random_resized_crop(generator, image, size)
  return random_flip(generator, crop)


def resize_center_crop(
  image: UInt8[np.ndarray, 'H W 3'], resize_to: int, size: int
) -> UInt8[np.ndarray, 'size size 3']:
  """The middle of the image, after its shorter side became `resize_to`.

  With `functools.partial(resize_center_crop, resize_to=256, size=224)` it is a
  transform for `eval_batches`.

  Raises:
    ValueError: if `size` is larger than `resize_to`.
  """
  if size > resize_to:
    raise ValueError(
      f'cannot crop {size} pixels from a shorter side of {resize_to}; '
      'resize to at least the size of the crop'
    )
  image = resize_shorter(image, resize_to)
  height, width = image.shape[:2]
  top, left = round((height - size) / 2), round((width - size) / 2)
  return image[top : top + size, left : left + size]


def resize_shorter(
  image: UInt8[np.ndarray, 'H W 3'], to: int
) -> UInt8[np.ndarray, 'h w 3']:
  """The image with a shorter side of `to` pixels, the longer rounded down."""
  height, width = image.shape[:2]
  short = min(height, width)
  return resize(image, height=to * height // short, width=to * width // short)


def resize(
  image: UInt8[np.ndarray, 'H W 3'], *, height: int, width: int
) -> UInt8[np.ndarray, 'height width 3']:
  """Bilinear, antialiased when it reduces."""
  pixels = Image.fromarray(np.ascontiguousarray(image))
  return np.asarray(pixels.resize((width, height), Image.Resampling.BILINEAR))
