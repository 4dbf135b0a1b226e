"""CIFAR-10 and CIFAR-100, from the original python files or a .npz of arrays.

Learning Multiple Layers of Features from Tiny Images (Krizhevsky, 2009),
https://www.cs.toronto.edu/~kriz/cifar.html describes the files.
"""

from __future__ import annotations

import pathlib
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from rcj.data import unpickle
from rcj.data.cifar_c import cifar_c
from rcj.data.corrupted import CorruptedSets
from rcj.data.options import blaming
from rcj.data.sources import ArraySource, DataSets, shorten, sized

_SITE = 'https://www.cs.toronto.edu/~kriz/cifar.html'
_FOLDERS = {10: 'cifar-10-batches-py', 100: 'cifar-100-python'}
_PARTS = {
  10: ([f'data_batch_{i}' for i in range(1, 6)], ['test_batch']),
  100: (['train'], ['test']),
}
_META = {10: ('batches.meta', 'label_names'), 100: ('meta', 'fine_label_names')}
_LABELS = {10: 'labels', 100: 'fine_labels'}
_KEYS = ('train_images', 'train_labels', 'test_images', 'test_labels')
_CLASSES_10 = (
  *('airplane', 'automobile', 'bird', 'cat', 'deer'),
  *('dog', 'frog', 'horse', 'ship', 'truck'),
)


def cifar(
  root: str, *, num_classes: int, train_size: int = 0, corrupted_root: str = ''
) -> DataSets:
  """The training and test images, uint8 [N,32,32,3], original order.

  Args:
    root: the folder of the python batches (or the folder it lies in), or a .npz
      with train_images, train_labels, test_images, test_labels and optionally
      classes.
    num_classes: 10 or 100 (fine labels).
    train_size: a fixed stratified subset of so many training images, 0 for all.
    corrupted_root: folder of the official CIFAR-10-C or CIFAR-100-C, or of one
      that rcj generated, see `cifar_c`; '' for none.

  Raises:
    FileNotFoundError: if a file is missing.
    ValueError: for truncated or foreign files, wrong shapes and labels.
  """
  path = pathlib.Path(root)
  read = _from_npz if path.suffix == '.npz' else _from_batches
  train, test = read(path, num_classes)
  chosen = shorten(train, train_size)
  corrupted = _corrupted(corrupted_root, test)
  protocol = {
    'train': f'{sized(chosen, train)} of the training set',
    'test': f'all {len(test)} test images',
  }
  if corrupted:
    protocol['corrupted'] = corrupted.protocol
  return DataSets(
    name=f'cifar{num_classes}',
    train=chosen,
    test=test,
    protocol=protocol,
    corrupted=corrupted,
  )


def _corrupted(root: str, test: ArraySource) -> CorruptedSets | None:
  if not root:
    return None
  with blaming('corrupted_root'):
    return cifar_c(root, labels=test.labels, classes=test.classes)


def _from_npz(
  path: pathlib.Path, num_classes: int
) -> tuple[ArraySource, ArraySource]:
  if not path.is_file():
    raise FileNotFoundError(f'{path} does not exist; {_advice(num_classes)}')
  try:
    # A file that np.load opened itself stays open where the archive is bad.
    with open(path, 'rb') as f, np.load(f, allow_pickle=False) as z:
      arrays = {k: z[k] for k in (*_KEYS, 'classes') if k in z.files}
      found = z.files
  except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as e:
    raise ValueError(
      f'{path} ({path.stat().st_size:,} bytes) cannot be read as a .npz of '
      f'plain arrays: {e}; a usual cause is an interrupted copy'
    ) from e
  missing = [k for k in _KEYS if k not in arrays]
  if missing:
    raise ValueError(f'{path} lacks {missing}; it has {sorted(found)}')
  names = tuple(map(str, arrays.get('classes', _default_names(num_classes))))
  if len(names) != num_classes:
    raise ValueError(
      f'{path} names {len(names)} classes, but cifar{num_classes} was asked for'
    )
  return tuple(
    _source(arrays[f'{s}_images'], arrays[f'{s}_labels'], names, path)
    for s in ('train', 'test')
  )


def _from_batches(
  path: pathlib.Path, num_classes: int
) -> tuple[ArraySource, ArraySource]:
  inner = path / _FOLDERS[num_classes]
  folder = inner if inner.is_dir() else path
  meta, key = _META[num_classes]
  files = [*_PARTS[num_classes][0], *_PARTS[num_classes][1], meta]
  _check_files(folder, files, num_classes)
  names = tuple(_text(n) for n in _read(folder / meta, key)[key])
  return tuple(
    _joined([folder / f for f in part], names, num_classes)
    for part in _PARTS[num_classes]
  )


def _check_files(
  folder: pathlib.Path, files: list[str], num_classes: int
) -> None:
  found = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else None
  missing = [f for f in files if found is None or f not in found]
  if missing:
    shown = 'does not exist' if found is None else f'has {found[:20]}'
    raise FileNotFoundError(
      f'CIFAR-{num_classes}: missing {missing} in {folder}, which {shown}; '
      f'{_advice(num_classes)}'
    )


def _joined(
  files: list[pathlib.Path], names: tuple[str, ...], num_classes: int
) -> ArraySource:
  key = _LABELS[num_classes]
  parts = [_read(f, 'data', key) for f in files]
  for file, part in zip(files, parts, strict=True):
    shape = np.shape(part['data'])
    if shape != (len(part[key]), 3072):
      raise ValueError(
        f'{file}: data must be [N,3072] with one label each, but it is '
        f'{list(shape)} with {len(part[key])} labels'
      )
  # A row holds the red, the green and the blue plane.
  rows = np.concatenate([p['data'] for p in parts])
  images = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
  labels = np.concatenate([np.asarray(p[key]) for p in parts])
  return _source(np.ascontiguousarray(images), labels, names, files[0].parent)


def _read(path: pathlib.Path, *keys: str) -> Mapping[str, Any]:
  content = unpickle.load(path)
  if not isinstance(content, dict):
    raise ValueError(f'{path} holds a {type(content).__name__}, not a dict')
  content = {_text(k): v for k, v in content.items()}
  missing = [k for k in keys if k not in content]
  if missing:
    raise ValueError(f'{path} lacks {missing}; it has {sorted(content)}')
  return content


def _source(
  images: Any, labels: Any, names: tuple[str, ...], where: pathlib.Path
) -> ArraySource:
  if np.shape(images)[1:] != (32, 32, 3):
    raise ValueError(
      f'{where}: images must be [N,32,32,3], but are {np.shape(images)}'
    )
  try:
    return ArraySource(images, labels, names)
  except ValueError as e:
    raise ValueError(f'{where}: {e}') from e


def _default_names(num_classes: int) -> tuple[str, ...]:
  return _CLASSES_10 if num_classes == 10 else tuple(map(str, range(100)))


def _text(x: str | bytes) -> str:
  return x.decode() if isinstance(x, bytes) else x


def _advice(num_classes: int) -> str:
  return (
    f'get the python version of CIFAR-{num_classes} from {_SITE}, unpack it, '
    f'and give its folder {_FOLDERS[num_classes]}, or a .npz with the arrays '
    f'{", ".join(_KEYS)}'
  )
