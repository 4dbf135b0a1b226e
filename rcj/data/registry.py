"""Data sets by name, as configs ask for them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from rcj.data.cifar import cifar
from rcj.data.class_lists import IMAGENET100
from rcj.data.digits import digits
from rcj.data.domain_benchmarks import OFFICE31, OFFICE_HOME, PACS
from rcj.data.domains import domains
from rcj.data.folder import folder
from rcj.data.imagenet import imagenet
from rcj.data.sample import sample
from rcj.data.sources import DataSets
from rcj.data.tfds import array_record
from rcj.data.tiny_imagenet import tiny_imagenet

_TFDS = 'tfds:'
_TFDS_IMAGENET = functools.partial(
  array_record, 'imagenet2012', test_split='validation'
)
_ON_DISK: dict[str, Callable[..., DataSets]] = {
  'cifar10': functools.partial(cifar, num_classes=10),
  'cifar100': functools.partial(cifar, num_classes=100),
  'domains': domains,
  'folder': folder,
  'imagenet': imagenet,
  'imagenet100': functools.partial(imagenet, classes=IMAGENET100),
  'imagenet100_sample': sample,
  'office31': functools.partial(domains, benchmark=OFFICE31),
  'office_home': functools.partial(domains, benchmark=OFFICE_HOME),
  'pacs': functools.partial(domains, benchmark=PACS),
  'tiny_imagenet': tiny_imagenet,
  f'{_TFDS}imagenet': _TFDS_IMAGENET,
  f'{_TFDS}imagenet100': functools.partial(_TFDS_IMAGENET, classes=IMAGENET100),
}


def load(name: str, *, root: str | None = None, **options: Any) -> DataSets:
  """The training and test images of a benchmark.

  By name, with what `root` is and the options beside `train_size`:

  - digits: needs no files.
  - cifar10, cifar100: see `cifar`; corrupted_root.
  - imagenet100, imagenet: see `imagenet`; corrupted_root, rendition_root,
    deepaugment_root, and for imagenet classes.
  - tiny_imagenet: see `tiny_imagenet`; corrupted_root, classes.
  - imagenet100_sample: see `sample`; no options, not for training.
  - domains, and complete copies of office31, office_home and pacs: see
    `domains`; source, target.
  - folder: ImageNet's layout, see `folder`; train_split, test_split, on_error,
    deepaugment_root.
  - tfds:imagenet100, tfds:imagenet, tfds:NAME for any name that TFDS knows:
    prepared as ArrayRecord, see `array_record`; corrupted_root,
    rendition_root, classes, train_split, test_split.

  Args:
    name: one of these.
    root: where the files are.
    **options: passed on to the reader; `train_size` takes a fixed stratified
      subset of the training images.

  Raises:
    ValueError: for an unknown name, a missing root, or bad files.
    FileNotFoundError: if files are missing.
    TypeError: for an option that this set does not have.
  """
  if name == 'digits':
    return digits(**options)
  if name not in _ON_DISK and not name.startswith(_TFDS):
    raise ValueError(
      f'there is no data set {name!r}; there are digits, '
      f'{", ".join(_ON_DISK)} and {_TFDS}<name>'
    )
  if not root:
    raise ValueError(
      f'{name} is read from files: say where they are with root=..., on the '
      'command line --config.data_root=...'
    )
  if name in _ON_DISK:
    return _ON_DISK[name](root, **options)
  return array_record(name.removeprefix(_TFDS), root, **options)


def taking(option: str) -> tuple[str, ...]:
  """Names of the data sets that have this option."""
  return tuple(
    name
    for name, read in _ON_DISK.items()
    if option in inspect.signature(read).parameters
  )
