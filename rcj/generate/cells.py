"""Which corruptions a test set is written under, and how."""

from __future__ import annotations

import dataclasses
import itertools
import os

import numpy as np
from jaxtyping import Int, UInt8

from rcj import corruptions


@dataclasses.dataclass(frozen=True)
class Cells:
  """Corruptions and severities, and what else decides the pixels.

  Attributes:
    names: some of `corruptions.NAMES`.
    severities: some of 1 to 5.
    table: 32, 64 or 224, the severity table; None takes the smallest that is
      not smaller than the side of the images, and 224 for larger ones.
    seed: of all randomness.
    textures: folder of the benchmark's frost textures, None for those that are
      made here.
  """

  names: tuple[str, ...] = corruptions.STANDARD
  severities: tuple[int, ...] = corruptions.SEVERITIES
  table: int | None = None
  seed: int = 0
  textures: str | None = None

  def __iter__(self):
    """(name, severity) of each cell, severities within names."""
    return itertools.product(self.names, self.severities)

  def check(self, size: int) -> None:
    """Raises ValueError for what cannot be made of images of this side."""
    if not self.names or not self.severities:
      raise ValueError(
        'there must be a corruption and a severity, got '
        f'names={self.names}, severities={self.severities}'
      )
    one = np.zeros((1, size, size, 3), np.uint8)
    how = {'table': self.table, 'textures': self.textures}
    # Raises before the first cell is made.
    corruptions.corrupted_set(
      one, names=self.names, severities=self.severities, **how
    )
    if self.textures is not None and 'frost' in self.names:
      corruptions.corrupted_part(one, np.zeros(1, int), 'frost', 1, **how)

  def corrupted(
    self,
    images: UInt8[np.ndarray, 'B H W 3'],
    indices: Int[np.ndarray, ' B'],
    name: str,
    severity: int,
  ) -> UInt8[np.ndarray, 'B H W 3']:
    """The images in a cell; `indices` are their places in the set."""
    return corruptions.corrupted_part(
      images,
      indices,
      name,
      severity,
      table=self.table,
      seed=self.seed,
      textures=self.textures,
    )

  def settings(self) -> dict[str, object]:
    """All of it, as values of JSON."""
    textures = self.textures and os.path.abspath(self.textures)
    return {**dataclasses.asdict(self), 'textures': textures}

  def words(self) -> str:
    """How the images are made, for people."""
    table = f'{self.table} px' if self.table else 'by the size of the images'
    said = [f'severity table {table}', f'seed {self.seed}']
    if 'frost' in self.names:
      said.append(corruptions.frost_words(textures=self.textures))
    return ', '.join(said)
