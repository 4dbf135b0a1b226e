"""A test set under corruptions, of which one cell is opened at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Int

from rcj.types import Source


@dataclasses.dataclass(frozen=True, eq=False)
class CorruptedSets:
  """The same images under each corruption and severity, made by others.

  Attributes:
    cells: (corruption, severity), sorted; each corruption has all severities.
    labels: int32, the same in every cell.
    origin: who made the images, in words: 'official ImageNet-C'.
    read: gives the images of a cell.

  Raises:
    ValueError: if there are no cells, or a corruption lacks a severity.
  """

  cells: tuple[tuple[str, int], ...]
  labels: Int[np.ndarray, ' N']
  origin: str
  read: Callable[[str, int], Source]

  def __post_init__(self):
    object.__setattr__(self, 'cells', tuple(sorted(self.cells)))
    if not self.cells:
      raise ValueError(f'{self.origin}: there are no corrupted images')
    self._check_complete()

  def open(self, corruption: str, severity: int) -> Source:
    """The images of a cell, in the order of every other cell.

    Raises:
      ValueError: if there is no such cell, or it has other labels than
        `labels`: it would not hold the same images.
    """
    if (corruption, severity) not in self.cells:
      raise ValueError(
        f'{self.origin}: no cell {corruption}, {severity}; there are '
        f'{_by_corruption(self.cells)}'
      )
    source = self.read(corruption, severity)
    if not np.array_equal(source.labels, self.labels):
      raise ValueError(
        f'{self.origin}: the {len(source)} labels of {corruption}, '
        f'{severity} are not the {len(self.labels)} of the other cells; every '
        'cell must hold the same images in the same order'
      )
    return source

  @property
  def protocol(self) -> str:
    """Who made how many images, in words for a report."""
    return f'{self.origin}, {len(self.labels)} images per cell'

  def _check_complete(self) -> None:
    found = _by_corruption(self.cells)
    every = sorted({severity for _, severity in self.cells})
    short = {name: s for name, s in found.items() if s != every}
    if short:
      raise ValueError(
        f'{self.origin}: not every corruption has the severities {every}; '
        f'these have others: {short}'
      )


def _by_corruption(
  cells: tuple[tuple[str, int], ...],
) -> Mapping[str, list[int]]:
  found: dict[str, list[int]] = {}
  for corruption, severity in cells:
    found.setdefault(corruption, []).append(severity)
  return found
