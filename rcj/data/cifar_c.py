"""CIFAR-10-C and CIFAR-100-C: one .npy per corruption, and labels.npy.

From https://arxiv.org/abs/1903.12261. Each file holds the test set five times,
severity 1 first.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8

from rcj.data.corrupted import CorruptedSets
from rcj.data.generated import origin
from rcj.data.sources import ArraySource

_SEVERITIES = 5
_LABELS = 'labels'


def cifar_c(
  root: str | pathlib.Path,
  *,
  labels: Int[np.ndarray, ' N'],
  classes: Sequence[str],
) -> CorruptedSets:
  """All corruptions in the folder; images stay on disk until they are used.

  Args:
    root: folder of the official files, or of generated ones in their layout.
    labels: of the clean test set, which tell CIFAR-10-C from CIFAR-100-C.
    classes: names of the labels.

  Raises:
    FileNotFoundError: if the folder or labels.npy is missing.
    ValueError: for unreadable files, generated ones that are not complete, or
      labels other than those of the test set; when a cell is opened, for images
      of another shape.
  """
  folder = pathlib.Path(root)
  names = sorted(p.stem for p in folder.glob('*.npy') if p.stem != _LABELS)
  where = origin(folder, official=f'official {folder.name}')
  _check_labels(folder, labels)
  n = len(labels)

  def read(corruption: str, severity: int) -> ArraySource:
    images = _images(folder / f'{corruption}.npy', n)
    part = slice(n * (severity - 1), n * severity)
    return ArraySource(images[part], labels, tuple(classes))

  cells = [(c, s) for c in names for s in range(1, _SEVERITIES + 1)]
  return CorruptedSets(tuple(cells), labels, where, read)


def _check_labels(folder: pathlib.Path, labels: Int[np.ndarray, ' N']) -> None:
  path = folder / f'{_LABELS}.npy'
  if not path.is_file():
    inside = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    raise FileNotFoundError(
      f'{path} does not exist; {folder} has {inside[:20]}. Expected is the '
      'folder of CIFAR-10-C or CIFAR-100-C with labels.npy, fog.npy, ...'
    )
  found = _load(path)
  if not np.array_equal(found, np.tile(labels, _SEVERITIES)):
    raise ValueError(
      f'{path}: the {found.size} labels are not those of the {len(labels)} '
      f'test images {_SEVERITIES} times; is it the -C set of another CIFAR?'
    )


def _images(path: pathlib.Path, n: int) -> UInt8[np.ndarray, 'M 32 32 3']:
  images = _load(path)
  expected = (_SEVERITIES * n, 32, 32, 3)
  if images.shape != expected or images.dtype != np.uint8:
    raise ValueError(
      f'{path} must hold uint8 {list(expected)}, {n} images at each of '
      f'{_SEVERITIES} severities, but holds {images.dtype} {list(images.shape)}'
    )
  return images


def _load(path: pathlib.Path) -> np.ndarray:
  try:
    return np.load(path, mmap_mode='r', allow_pickle=False)
  except (ValueError, EOFError, OSError) as e:
    raise ValueError(
      f'{path} ({path.stat().st_size:,} bytes) cannot be read as a .npy: {e}; '
      'a usual cause is an interrupted copy'
    ) from e
