"""Some classes of a source, with labels of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from rcj.data.listing import chosen_classes, some
from rcj.types import Source


@dataclasses.dataclass(frozen=True, eq=False)
class Restricted:
  """Chosen images of a source, labelled anew.

  Attributes:
    source: all images.
    indices: of the images that were chosen.
    labels: their labels in `classes`, int32.
    classes: names of the labels.
    parents: label of each class in `source`; an image whose label is another
      is an error when it is read.
  """

  source: Source
  indices: Int[np.ndarray, ' M']
  labels: Int[np.ndarray, ' M']
  classes: tuple[str, ...]
  parents: Int[np.ndarray, ' K']

  def __len__(self) -> int:
    return len(self.indices)

  def __getitem__(self, index: int) -> Mapping[str, Any]:
    label = int(self.labels[index])
    example = self.source[int(self.indices[index])]
    if example['label'] != self.parents[label]:
      raise ValueError(
        f'image {self.indices[index]} has the label {example["label"]}, but '
        f'{self.parents[label]} ({self.classes[label]}) was expected: these '
        'images are in another order than those that the labels came from'
      )
    return {**example, 'label': label}


def restrict(source: Source, classes: Sequence[str]) -> Restricted:
  """The images of some classes; label k is the k-th of the sorted names.

  Raises:
    ValueError: if `source` lacks one of the classes, or images of it.
  """
  names = tuple(chosen_classes(classes))
  if missing := [c for c in names if c not in source.classes]:
    raise ValueError(
      f'{len(missing)} of {len(names)} classes are missing: {some(missing)}; '
      f'there are {len(source.classes)}: {some(source.classes)}'
    )
  parents = np.array([source.classes.index(c) for c in names], np.int32)
  renumbered = np.full(len(source.classes), -1, np.int32)
  renumbered[parents] = np.arange(len(names))
  labels = renumbered[source.labels]
  indices = np.flatnonzero(labels >= 0)
  counts = np.bincount(labels[indices], minlength=len(names))
  if empty := [c for c, n in zip(names, counts, strict=True) if not n]:
    raise ValueError(
      f'{len(empty)} of {len(names)} classes have no images: {some(empty)}'
    )
  return Restricted(source, indices, labels[indices], names, parents)
