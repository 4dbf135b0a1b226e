"""Image files that lie in memory as they are, decoded when asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int

from rcj.data.checks import check_labels
from rcj.data.decode import decode


@dataclasses.dataclass(frozen=True, eq=False)
class EncodedSource:
  """Images out of an archive.

  Attributes:
    files: contents, JPEG or any other format of `decode`.
    names: one per file, for errors.
    labels: indices into `classes`.
    classes: names of the labels.

  Raises:
    ValueError: for unequal lengths, or labels that `classes` does not name.
  """

  files: tuple[bytes, ...]
  names: tuple[str, ...]
  labels: Int[np.ndarray, ' N']
  classes: tuple[str, ...]

  def __post_init__(self):
    check_labels(self.labels, self.classes)
    lengths = len(self.files), len(self.names), len(self.labels)
    if len(set(lengths)) > 1:
      raise ValueError(
        f'{lengths[0]} files, {lengths[1]} names and {lengths[2]} labels; each '
        'file needs one of both'
      )
    object.__setattr__(self, 'labels', np.asarray(self.labels, np.int32))
    object.__setattr__(self, 'classes', tuple(self.classes))

  def __len__(self) -> int:
    return len(self.files)

  def __getitem__(self, index: int) -> Mapping[str, Any]:
    try:
      image = decode(self.files[index])
    except ValueError as e:
      raise ValueError(f'{self.names[index]}: {e}') from e
    return {'image': image, 'label': int(self.labels[index])}
