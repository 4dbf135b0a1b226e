"""Images that cost a decoder what photographs do."""

from __future__ import annotations

import io
import pathlib

import numpy as np
from PIL import Image

HEIGHT, WIDTH, QUALITY = 375, 500, 90  # as most of ImageNet
# Contrast of noise whose grains have so many pixels.
_GRAINS = {1: 14, 2: 8, 4: 12, 16: 24, 64: 40}


def photo(generator: np.random.Generator) -> bytes:
  """A JPEG of a gradient under noise of all scales, about 90 KB."""
  rows, columns = np.mgrid[:HEIGHT, :WIDTH, :1][:2]
  slopes = generator.uniform(-0.2, 0.2, (2, 1, 1, 3))
  image = 128 + slopes[0] * (rows - HEIGHT / 2) + slopes[1] * columns
  for side, contrast in _GRAINS.items():
    coarse = generator.normal(0, contrast, (HEIGHT // side, WIDTH // side, 3))
    image += np.stack([_enlarged(x) for x in np.moveaxis(coarse, 2, 0)], 2)
  file = io.BytesIO()
  pixels = Image.fromarray(image.clip(0, 255).astype(np.uint8))
  pixels.save(file, 'jpeg', quality=QUALITY)
  return file.getvalue()


def write(folder: pathlib.Path, n: int, *, classes: int = 10) -> None:
  """`n` photographs as `folder`/class/number.jpg."""
  generator = np.random.default_rng(0)
  for i in range(n):
    path = folder / f'class {i % classes}' / f'{i:06}.jpg'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(photo(generator))


def _enlarged(plane: np.ndarray) -> np.ndarray:
  image = Image.fromarray(plane.astype(np.float32))
  return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
