"""Folders of tiny images for the tests of the readers."""

import io
import pathlib

import numpy as np
from PIL import Image


def picture(value: int, *, side: int = 8, width: int | None = None) -> bytes:
  """A PNG of one grey."""
  file = io.BytesIO()
  pixels = np.full((side, width or side, 3), value, np.uint8)
  Image.fromarray(pixels).save(file, 'png')
  return file.getvalue()


def plant(root: pathlib.Path, names: dict[str, int], *, side: int = 8) -> None:
  """Writes images; `names` maps a path below `root` to the image's grey."""
  for name, value in names.items():
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(value, side=side))
