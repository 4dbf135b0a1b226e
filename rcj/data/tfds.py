"""Benchmarks that TFDS has prepared, with what was made of their images."""

from __future__ import annotations

from collections.abc import Sequence

from rcj.data import class_lists, tfds_shifts
from rcj.data.arrayrecord import ArrayRecordSource, prepared
from rcj.data.options import blaming
from rcj.data.restricted import restrict
from rcj.data.sources import DataSets, shorten, sized
from rcj.types import Source


def array_record(
  name: str,
  root: str,
  *,
  train_split: str = 'train',
  test_split: str = 'test',
  classes: Sequence[str] | None = None,
  train_size: int = 0,
  corrupted_root: str = '',
  rendition_root: str = '',
) -> DataSets:
  """Two splits of a prepared TFDS set, and its corrupted and rendered sets.

  Choosing classes, a smaller training set or corrupted images needs all
  labels, which takes one pass over the records.

  Args:
    name: as TFDS names it: 'cifar10', 'imagenet2012:5.1.0',
      'cifar10_corrupted/fog_3'.
    root: TFDS' data_dir, which holds a folder per set.
    train_split: split to train on.
    test_split: split to measure on ('validation' for ImageNet).
    classes: names of the classes to read; None reads all.
    train_size: a fixed stratified subset of so many training images, 0 for all.
    corrupted_root: data_dir of imagenet2012_corrupted or cifar10_corrupted,
      see `tfds_shifts`; '' for none.
    rendition_root: data_dir of imagenet_r; '' for none.

  Raises:
    FileNotFoundError: if a set is not prepared where it should be.
    ValueError: as `ArrayRecordSource` and `restrict`, for a set with one config
      per corruption whose name says none, or for a corrupted or rendered set
      that TFDS does not have.
  """
  tfds_shifts.check_config(name)
  builder = prepared(name, root)
  train = _part(ArrayRecordSource(builder, train_split), classes)
  test = _part(ArrayRecordSource(builder, test_split), classes)
  chosen = shorten(train, train_size)
  listed = f', {class_lists.describe(train.classes)}' if classes else ''
  protocol = {
    'train': f'{sized(chosen, train)}: {builder.info.full_name} {train_split}'
    + listed,
    'test': f'{len(test)} images: {builder.info.full_name} {test_split}'
    + listed,
  }
  corrupted = rendition = None
  if corrupted_root:
    with blaming('corrupted_root'):
      corrupted = tfds_shifts.corrupted(name, corrupted_root, test.classes)
    protocol['corrupted'] = corrupted.protocol + listed
  if rendition_root:
    with blaming('rendition_root'):
      rendition, shown = tfds_shifts.rendition(
        name, rendition_root, test.classes
      )
    protocol['rendition'] = shown
  return DataSets(
    name=class_lists.name_of(train.classes) or name,
    train=chosen,
    test=test,
    rendition=rendition,
    protocol=protocol,
    corrupted=corrupted,
    parents=class_lists.parents(train.classes),
  )


def _part(source: ArrayRecordSource, classes: Sequence[str] | None) -> Source:
  if classes is None:
    return source
  with blaming('classes'):
    return restrict(source, classes)
