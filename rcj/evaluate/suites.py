"""What a network is measured on: suites of images under conditions."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Bool, Int, UInt8

from rcj import corruptions
from rcj.corruptions import tables
from rcj.types import Source

Transform = Callable[[UInt8[np.ndarray, 'H W 3']], UInt8[np.ndarray, 'h w 3']]
# Called with images and their index in the set, -1 where a row is padding.
Change = Callable[
  [UInt8[np.ndarray, 'B H W 3'], Int[np.ndarray, ' B']],
  UInt8[np.ndarray, 'B H W 3'],
]

# Corrupted sets below this size are made once and kept for the next network.
_KEEP_BYTES = 2**28


class Cell(NamedTuple):
  """One condition; corruption '' and severity 0 where images are clean.

  Attributes:
    corruption: its name.
    severity: 1 to 5.
    change: what happens to a batch of images after the suite's transform.
  """

  corruption: str
  severity: int
  change: Change | None = None


class Part(NamedTuple):
  """Images, and the cells that show them.

  Attributes:
    source: the images, in memory or read on demand.
    cells: what each image is shown under once it is read.
  """

  source: Source
  cells: tuple[Cell, ...]


@dataclasses.dataclass(frozen=True)
class Suite:
  """One kind of test.

  Attributes:
    name: 'clean', 'corrupted', 'rendition', ...
    labels: int [N], the same in every part.
    parts: gives the parts, anew at each call.
    protocol: how the images came to be, in words, for the row.
    transform: resizes and crops each image on the host, None leaves them.
  """

  name: str
  labels: Int[np.ndarray, ' N']
  parts: Callable[[], Iterable[Part]]
  protocol: str
  transform: Transform | None = None


class CorruptedFiles(Protocol):
  """A benchmark's corrupted test set, as it was published.

  Attributes:
    cells: the (corruption, severity) pairs that there are.
  """

  @property
  def cells(self) -> tuple[tuple[str, int], ...]: ...

  def open(self, corruption: str, severity: int) -> Source:
    """The images of one cell, in the same order in every cell."""


def plain(
  name: str,
  source: Source,
  *,
  protocol: str,
  transform: Transform | None = None,
) -> Suite:
  """A suite of one cell: the images as they are.

  Args:
    name: of the suite.
    source: the images.
    protocol: where they are from and how they are resized, in words.
    transform: image to image on the host; needed where sizes differ.
  """
  part = Part(source, (Cell('', 0),))
  return Suite(name, source.labels, lambda: [part], protocol, transform)


def corrupted(
  source: Source,
  *,
  names: Sequence[str] = corruptions.STANDARD,
  severities: Sequence[int] = (1, 2, 3, 4, 5),
  table: int | None = None,
  seed: int = 0,
  transform: Transform | None = None,
  protocol: str = '',
) -> Suite:
  """Images under every corruption and severity, made here ('generated').

  A clean image is read once for all of them. Its corruption depends on the seed
  and its index, not on batches, devices or processes. What is made is kept for
  the next network where all of it is small.

  Args:
    source: the clean images.
    names: some of `corruptions.NAMES`.
    severities: some of 1 to 5.
    table: 32, 64 or 224, the severity table; None takes the smallest that is
      not smaller than the longer side of the first image, and 224 for larger.
    seed: of all randomness.
    transform: image to image on the host, before the corruption.
    protocol: where the images are from and how they are resized, in words.

  Raises:
    ValueError: for an unknown name, severity or table, at the call.
  """
  image = source[0]['image']
  shape = (transform(image) if transform else image).shape
  places = [(name, severity) for name in names for severity in severities]
  for place in places:
    tables.parameters(*place, table, (1, *shape))
  keep = len(source) * math.prod(shape) * len(places) <= _KEEP_BYTES
  cells = []
  for name, severity in places:
    change = functools.partial(
      _corrupt, name=name, severity=severity, table=table, seed=seed
    )
    kept = _Kept(change, len(source)) if keep else change
    cells.append(Cell(name, severity, kept))
  part = Part(source, tuple(cells))
  shown = f'{table} px table' if table else 'table of the image size'
  frost = corruptions.frost_words() if 'frost' in names else ''
  words = ', '.join(filter(None, ('generated', shown, frost, protocol)))
  return Suite('corrupted', source.labels, lambda: [part], words, transform)


def published(
  files: CorruptedFiles,
  *,
  names: Sequence[str] | None = None,
  severities: Sequence[int] = (1, 2, 3, 4, 5),
  transform: Transform | None = None,
  protocol: str,
) -> Suite:
  """Files of corrupted images that others made, a part per cell.

  Args:
    files: the benchmark, such as `data.DataSets.corrupted`.
    names: some of its corruptions, None for all.
    severities: some of 1 to 5.
    transform: image to image on the host; needed where sizes differ.
    protocol: who made the files, 'official' or another, and how they are
      resized, in words.

  Raises:
    ValueError: if the files lack a cell that is asked for, at the call.
  """
  names = names or tuple(dict.fromkeys(name for name, _ in files.cells))
  places = [(name, severity) for name in names for severity in severities]
  missing = [place for place in places if place not in files.cells]
  if missing or not places:
    raise ValueError(
      f'of {len(places)} cells, the files lack {missing}; they have '
      f'{list(files.cells)}'
    )
  return Suite(
    'corrupted',
    files.open(*places[0]).labels,
    lambda: (Part(files.open(*p), (Cell(*p),)) for p in places),
    protocol,
    transform,
  )


def _corrupt(
  images: UInt8[np.ndarray, 'B H W 3'],
  index: Int[np.ndarray, ' B'],
  *,
  name: str,
  severity: int,
  table: int | None,
  seed: int,
) -> UInt8[np.ndarray, 'B H W 3']:
  index = np.maximum(index, 0)  # what padding draws does not matter
  return corruptions.corrupted_part(
    images, index, name, severity, table=table, seed=seed
  )


class _Kept:
  """A change whose results are remembered by index."""

  def __init__(self, change: Change, n: int):
    self._change, self._n = change, n
    self._images: UInt8[np.ndarray, 'N H W 3'] | None = None
    self._done: Bool[np.ndarray, ' N'] = np.zeros(n, bool)

  def __call__(
    self, images: UInt8[np.ndarray, 'B H W 3'], index: Int[np.ndarray, ' B']
  ) -> UInt8[np.ndarray, 'B H W 3']:
    real = index >= 0
    if self._images is None:
      self._images = np.empty((self._n, *images.shape[1:]), np.uint8)
    if not self._done[index[real]].all():
      made = self._change(images, index)
      self._images[index[real]] = made[real]
      self._done[index[real]] = True
    # Where a row is padding, any image will do.
    return self._images[index]
