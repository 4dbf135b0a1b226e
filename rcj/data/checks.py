"""What every source of images must keep, with errors that name the cause."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rcj.data.listing import some
from rcj.types import Source


def check_images(images: Any) -> None:
  """Raises ValueError unless `images` are an array of uint8 [N,H,W,3]."""
  if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
    raise ValueError(
      'images must be a NumPy array of uint8, 0..255, but are '
      f'{getattr(images, "dtype", type(images).__name__)}; floats are usually '
      'images that were divided by 255'
    )
  if images.ndim != 4 or images.shape[-1] != 3 or 0 in images.shape:
    raise ValueError(
      f'images must be [N,H,W,3] with N, H, W > 0, but are {images.shape}; '
      'the usual cause is channels before rows, or grey images'
    )


def check_labels(labels: Any, classes: Sequence[str]) -> None:
  """Raises ValueError unless `labels` are integers that `classes` names."""
  labels = np.asarray(labels)
  if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
    raise ValueError(
      f'labels must be integers [N], but are {labels.dtype} {labels.shape}; '
      'one-hot labels need argmax'
    )
  wrong = labels[(labels < 0) | (labels >= len(classes))]
  if wrong.size:
    raise ValueError(
      f'{wrong.size} of {labels.size} labels lie outside 0..'
      f'{len(classes) - 1} (there are {len(classes)} classes): they range '
      f'from {labels.min()} to {labels.max()}; labels count from 0'
    )


def check_same_classes(
  where: str | pathlib.Path, parts: Mapping[str, Source]
) -> None:
  """Raises ValueError unless the parts, given by name, share their classes."""
  (first, reference), *others = parts.items()
  for name, part in others:
    if part.classes != reference.classes:
      odd = sorted(set(reference.classes) ^ set(part.classes))
      raise ValueError(
        f'{where}: {first} has {len(reference.classes)} classes and {name} '
        f'{len(part.classes)}; only one has: {some(odd)}'
      )


def check_balanced(source: Source, where: str | pathlib.Path) -> None:
  """Raises ValueError unless every class has the same number of images."""
  counts = np.bincount(source.labels, minlength=len(source.classes))
  usual = np.bincount(counts).argmax()
  odd = np.flatnonzero(counts != usual)
  if odd.size:
    shown = [f'{source.classes[i]} has {counts[i]}' for i in odd]
    raise ValueError(
      f'{where}: {odd.size} of {counts.size} classes have not {usual} images '
      f'as the others: {some(shown)}; a usual cause is an interrupted copy'
    )
