"""Labelled sets of images: in memory, parts of others, and a benchmark's three.

A source is anything with `rcj.types.Source`'s four names. One whose images all
fit in memory is an `ArraySource`; the training stream then gathers on the
device.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from rcj.types import Source


@dataclasses.dataclass(frozen=True, eq=False)
class ArraySource:
  """Images in memory.

  Attributes:
    images: RGB, 0..255, all of one size.
    labels: indices into `classes`.
    classes: names of the labels.

  Raises:
    ValueError: for other dtypes or shapes, unequal lengths, no images at all,
      or labels that `classes` does not name.
  """

  images: UInt8[np.ndarray, 'N H W 3']
  labels: Int[np.ndarray, ' N']
  classes: tuple[str, ...]

  def __post_init__(self):
    _check_images(self.images)
    check_labels(self.labels, self.classes)
    if len(self.images) != len(self.labels):
      raise ValueError(
        f'{len(self.images)} images but {len(self.labels)} labels; '
        'each image needs one label'
      )
    object.__setattr__(self, 'labels', np.asarray(self.labels, np.int32))
    object.__setattr__(self, 'classes', tuple(self.classes))

  def __len__(self) -> int:
    return len(self.images)

  def __getitem__(self, index: int) -> Mapping[str, Any]:
    return {'image': self.images[index], 'label': int(self.labels[index])}


@dataclasses.dataclass(frozen=True)
class DataSets:
  """What an experiment trains and is measured on.

  Attributes:
    name: of the benchmark.
    train: training images.
    test: images of the same kind, none of which is in `train`.
    rendition: the same classes drawn in another style, where there is such.
    protocol: how each of these parts came about, by the part's name, in words
      for a report.
  """

  name: str
  train: Source
  test: Source
  rendition: Source | None = None
  protocol: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class _Subset:
  """Some images of a source that is read on demand."""

  source: Source
  indices: Int[np.ndarray, ' M']

  @property
  def labels(self) -> Int[np.ndarray, ' M']:
    return self.source.labels[self.indices]

  @property
  def classes(self) -> tuple[str, ...]:
    return self.source.classes

  def __len__(self) -> int:
    return len(self.indices)

  def __getitem__(self, index: int) -> Mapping[str, Any]:
    return self.source[int(self.indices[index])]


def subset(source: Source, indices: Int[np.ndarray, ' M']) -> Source:
  """The images at `indices`, in that order; in memory if `source` is.

  Raises:
    IndexError: if an index lies outside 0..N-1.
  """
  indices = np.asarray(indices, np.int64)
  wrong = indices[(indices < 0) | (indices >= len(source))]
  if wrong.size:
    raise IndexError(
      f'{wrong.size} of {indices.size} indices lie outside 0..'
      f'{len(source) - 1}, first {wrong[0]}'
    )
  if isinstance(source, ArraySource):
    return ArraySource(
      source.images[indices], source.labels[indices], source.classes
    )
  return _Subset(source, indices)


def stratified(
  labels: Int[np.ndarray, ' N'], size: int, *, seed: int
) -> Int[np.ndarray, ' M']:
  """Sorted indices of `size` images, classes in the proportions of `labels`.

  Shares are rounded by largest remainder (smaller label first among equals),
  and the images of each class drawn by NumPy's default generator from `seed`.

  Raises:
    ValueError: if there are fewer than `size` labels, or `size` < 1.
  """
  if not 1 <= size <= len(labels):
    raise ValueError(
      f'a subset of {size} images was asked for, but there are {len(labels)}'
    )
  rng = np.random.default_rng(seed)
  found, counts = np.unique(labels, return_counts=True)
  exact = counts * size
  take = exact // len(labels)
  remainders = np.argsort(-(exact % len(labels)), kind='stable')
  take[remainders[: size - take.sum()]] += 1
  chosen = [
    rng.permutation(np.flatnonzero(labels == label))[:n]
    for label, n in zip(found, take, strict=True)
  ]
  return np.sort(np.concatenate(chosen))


def shorten(source: Source, size: int, *, seed: int = 0) -> Source:
  """A stratified subset of `size` images, all of them if `size` is 0.

  Raises:
    ValueError: if `size` is negative or more than there are.
  """
  if size == 0:
    return source
  return subset(source, stratified(source.labels, size, seed=seed))


def _check_images(images: Any) -> None:
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
