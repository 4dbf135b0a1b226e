"""Labelled sets of images: in memory, parts of others, and all of a benchmark.

A source is anything with `rcj.types.Source`'s four names. One whose images all
fit in memory is an `ArraySource`; the training stream then gathers on the
device.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from rcj.data.checks import check_images, check_labels
from rcj.data.corrupted import CorruptedSets
from rcj.data.variants import Variants
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
    check_images(self.images)
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
    rendition: the same classes drawn in another style, where there is such;
      its own `classes` may be fewer, as ImageNet-R has 200 of ImageNet's 1000.
    protocol: how each of these parts came about, by the part's name, in words
      for a report.
    corrupted: test images that others corrupted, where there are such.
    shifts: the same classes in other domains, by the domain's name; 'shifts'
      is their name in `protocol`.
    parents: label of each class of `train` among the 1000 of ImageNet, where
      that is known: the logits of a 1000-class teacher are taken there.
    variants: `train` with DeepAugment's versions, where there are files of
      them.
  """

  name: str
  train: Source
  test: Source
  rendition: Source | None = None
  protocol: Mapping[str, str] = dataclasses.field(default_factory=dict)
  corrupted: CorruptedSets | None = None
  shifts: Mapping[str, Source] = dataclasses.field(default_factory=dict)
  parents: Int[np.ndarray, ' K'] | None = None
  variants: Variants | None = None


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

  @property
  def files(self) -> tuple[str, ...]:
    return tuple(self.source.files[i] for i in self.indices)

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


def sized(part: Source, whole: Source) -> str:
  """How many of the training images were taken, in words for a report."""
  how = '' if len(part) == len(whole) else ' (stratified, seed 0)'
  return f'{len(part)} of {len(whole)} images{how}'
