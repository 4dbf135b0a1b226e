"""Images of a data set as a network of a given input size takes them."""

from __future__ import annotations

import functools

from rcj import data
from rcj.types import Preprocessing, Source


def sized(source: Source, shown: Preprocessing) -> data.ArraySource:
  """The images in memory; those of files are resized and cropped to `shown`."""
  if isinstance(source, data.ArraySource):
    return source
  crop = functools.partial(
    data.resize_center_crop,
    resize_to=shown.resize or shown.size,
    size=shown.size,
  )
  return data.in_memory(source, transform=crop)
