"""Tiny-ImageNet: 64x64 images of ImageNet's classes, held in memory.

200 classes of 500 training and 50 validation images
(http://cs231n.stanford.edu/tiny-imagenet-200.zip), or a part of them.
"""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from rcj.data import class_lists, packed
from rcj.data.corrupted import CorruptedSets
from rcj.data.corrupted_tree import corrupted_tree
from rcj.data.encoded import EncodedSource
from rcj.data.generated import origin
from rcj.data.listing import class_folders, some, visible
from rcj.data.memory import in_memory
from rcj.data.options import blaming
from rcj.data.restricted import restrict
from rcj.data.sources import DataSets, shorten, sized

_KEYS = (
  'wnids',
  *('train_jpeg', 'train_offset', 'train_label'),
  *('val_jpeg', 'val_offset', 'val_label'),
)


def tiny_imagenet(
  root: str,
  *,
  classes: Sequence[str] | None = None,
  train_size: int = 0,
  corrupted_root: str = '',
) -> DataSets:
  """Training and validation images, uint8 [N,64,64,3].

  Args:
    root: the original folder, train/wnid/images/* with val/images/* and
      val/val_annotations.txt; or a .npz with wnids and, for train and val,
      {split}_jpeg (all files as one uint8 array), {split}_offset (N+1 places in
      it) and {split}_label.
    classes: wnids to read, None for all.
    train_size: a fixed stratified subset of so many training images, 0 for all.
    corrupted_root: folder of the official Tiny-ImageNet-C, or of one that rcj
      generated, see `corrupted_tree`; '' for none.

  Raises:
    FileNotFoundError: if a file, folder or class is missing.
    ValueError: for damaged files, other layouts, or classes without images.
  """
  path = pathlib.Path(root)
  if path.suffix == '.npz':
    sources = _from_npz(path)
  else:
    sources = _from_folder(path, classes)
  with blaming(str(path)):
    parts = [
      restrict(s, s.classes if classes is None else classes) for s in sources
    ]
  train, test = map(in_memory, parts)
  chosen = shorten(train, train_size)
  listed = class_lists.describe(train.classes)
  corrupted = _corrupted(corrupted_root, train.classes)
  protocol = {
    'train': f'{sized(chosen, train)} of Tiny-ImageNet train, {listed}',
    'test': f'{len(test)} images of Tiny-ImageNet val, {listed}',
  }
  if corrupted:
    protocol['corrupted'] = f'{corrupted.protocol}, {listed}'
  return DataSets(
    name='tiny_imagenet',
    train=chosen,
    test=test,
    protocol=protocol,
    corrupted=corrupted,
    parents=class_lists.parents(train.classes),
  )


def _corrupted(root: str, classes: tuple[str, ...]) -> CorruptedSets | None:
  if not root:
    return None
  with blaming('corrupted_root'):
    words = origin(root, official='official Tiny-ImageNet-C')
    return corrupted_tree(root, classes=classes, origin=words)


def _from_npz(path: pathlib.Path) -> tuple[EncodedSource, EncodedSource]:
  found = packed.arrays(path, _KEYS)
  with blaming(str(path)):
    train, val = (
      packed.images(path, found, found['wnids'], split=split)
      for split in ('train', 'val')
    )
  return train, val


def _from_folder(
  path: pathlib.Path, classes: Sequence[str] | None
) -> tuple[EncodedSource, EncodedSource]:
  folders = class_folders(path / 'train', classes=classes)
  wnids = tuple(map(os.path.basename, folders))
  train = [
    (file, label)
    for label, folder in enumerate(folders)
    for file in visible(os.path.join(folder, 'images'))
  ]
  val = [
    (str(path / 'val' / 'images' / name), wnids.index(wnid))
    for name, wnid in _annotations(path / 'val' / 'val_annotations.txt')
    if wnid in wnids
  ]
  return _read(train, wnids), _read(val, wnids)


def _annotations(path: pathlib.Path) -> list[tuple[str, str]]:
  """(file, wnid) of the validation images, sorted."""
  if not path.is_file():
    raise FileNotFoundError(
      f'{path} does not exist; where val was sorted into a folder per class, '
      "use the data set 'folder'"
    )
  lines = [line.split('\t') for line in path.read_text().splitlines()]
  if odd := ['\t'.join(line) for line in lines if len(line) < 2]:
    raise ValueError(
      f'{path}: {len(odd)} lines are not file, wnid and box, separated by '
      f'tabs: {some(odd)}'
    )
  return sorted((line[0], line[1]) for line in lines)


def _read(
  files: Sequence[tuple[str, int]], wnids: tuple[str, ...]
) -> EncodedSource:
  names = tuple(name for name, _ in files)
  with concurrent.futures.ThreadPoolExecutor() as pool:
    contents = tuple(pool.map(lambda f: pathlib.Path(f).read_bytes(), names))
  labels = np.array([label for _, label in files], np.int32)
  return EncodedSource(contents, names, labels, wnids)
