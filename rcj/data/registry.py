"""Data sets by name, as configs ask for them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from rcj.data.arrayrecord import array_record
from rcj.data.cifar import cifar
from rcj.data.digits import digits
from rcj.data.folder import folder
from rcj.data.sources import DataSets

_TFDS = 'tfds:'
_ON_DISK: dict[str, Callable[..., DataSets]] = {
  'cifar10': functools.partial(cifar, num_classes=10),
  'cifar100': functools.partial(cifar, num_classes=100),
  'folder': folder,
}


def load(name: str, *, root: str | None = None, **options: Any) -> DataSets:
  """The training and test images of a benchmark.

  Args:
    name: 'digits' (needs no files), 'cifar10', 'cifar100', 'folder' (images in
      ImageNet's layout) or 'tfds:<name>' (prepared as ArrayRecord).
    root: where its files are; see `cifar`, `folder` and `array_record`.
    **options: passed on to the reader: `train_size` for digits and CIFAR,
      `train_split` and `test_split` for folders and TFDS.

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
  if name.startswith(_TFDS):
    return array_record(name.removeprefix(_TFDS), root, **options)
  return _ON_DISK[name](root, **options)
