"""Image files in ImageNet's layout: root/split/class/image.jpg."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8

from rcj.data.checks import check_same_classes
from rcj.data.decode import decode
from rcj.data.listing import SUFFIXES, class_folders, is_image, some, visible
from rcj.data.sources import DataSets, shorten
from rcj.data.variants import variants


class FolderSource:
  """Images that are decoded when asked for.

  Classes are the names of the folders, sorted; images are in the order of
  their sorted paths. Names that begin with a dot are ignored.

  Attributes:
    files: one path per image, as text (a million of them travel to workers).
    labels: int32 [N], known from the folders.
    classes: names of the labels.
    skipped: paths that were left out, empty unless `on_error` is 'skip'.
  """

  def __init__(
    self,
    root: str | pathlib.Path,
    *,
    classes: Sequence[str] | None = None,
    on_error: Literal['raise', 'skip'] = 'raise',
  ):
    """Lists the files of `root`/class/.

    Args:
      root: folder of one split.
      classes: folders to read, in any order; others are ignored. None reads
        all.
      on_error: 'raise' stops at the first bad file, which for a damaged image
        is when it is read; 'skip' decodes every file once now (as long as one
        epoch of reading), leaves bad ones out and warns with their count.

    Raises:
      FileNotFoundError: if `root` or one of `classes` does not exist.
      ValueError: if there are no classes, a class without images, images
        beside the folders of classes, or files that are no images.
    """
    if on_error not in ('raise', 'skip'):
      raise ValueError(f"on_error must be 'raise' or 'skip', not {on_error!r}")
    root = pathlib.Path(root)
    folders = class_folders(root, classes=classes)
    files = [(f, i) for i, c in enumerate(folders) for f in visible(c)]
    bad = _bad_files(root, [f for f, _ in files], on_error)
    kept = [(f, i) for f, i in files if f not in bad]
    self.files = tuple(f for f, _ in kept)
    self.labels = np.array([i for _, i in kept], np.int32)
    self.classes = tuple(os.path.basename(c) for c in folders)
    self.skipped = tuple(f for f, _ in files if f in bad)
    self._check_classes(root)
    if bad:
      warnings.warn(
        f'{root}: left out {len(bad)} of {len(files)} files that cannot be '
        f'decoded: {some(self.skipped)}',
        stacklevel=2,
      )

  def _check_classes(self, root: pathlib.Path) -> None:
    counts = np.bincount(self.labels, minlength=len(self.classes))
    empty = [c for c, n in zip(self.classes, counts, strict=True) if not n]
    if empty:
      raise ValueError(
        f'{root}: {len(empty)} of {len(self.classes)} classes have no images '
        f'({", ".join(SUFFIXES)}): {some(empty)}; the other folders hold '
        f'{counts.sum()} images'
      )

  def __len__(self) -> int:
    return len(self.files)

  def __getitem__(self, index: int) -> Mapping[str, Any]:
    file = self.files[index]
    try:
      image = _decode_file(file)
    except ValueError as e:
      raise ValueError(
        f"{file}: {e}; replace the file or pass on_error='skip'"
      ) from e
    return {'image': image, 'label': int(self.labels[index])}


def folder(
  root: str,
  *,
  train_split: str = 'train',
  test_split: str = 'val',
  on_error: Literal['raise', 'skip'] = 'raise',
  train_size: int = 0,
  deepaugment_root: str = '',
) -> DataSets:
  """Both splits of a set in ImageNet's layout, `root`/split/class/image.

  Args:
    root: folder of the splits.
    train_split: name of the training folder.
    test_split: name of the test folder.
    on_error: see `FolderSource`.
    train_size: a fixed stratified subset of so many training images, 0 for all.
    deepaugment_root: see `variants`; '' for none.

  Raises:
    FileNotFoundError: if `root`, a split or a version of an image is missing.
    ValueError: as `FolderSource`, or if the splits have different classes.
  """
  base = pathlib.Path(root)
  train = FolderSource(base / train_split, on_error=on_error)
  test = FolderSource(base / test_split, on_error=on_error)
  check_same_classes(base, {train_split: train, test_split: test})
  chosen = shorten(train, train_size)
  return DataSets(
    name=base.name,
    train=chosen,
    test=test,
    protocol={
      'train': f'{len(chosen)} images of {train_split}, {len(train.skipped)} '
      'left out',
      'test': f'{len(test)} images of {test_split}, {len(test.skipped)} '
      'left out',
    },
    variants=variants(chosen, deepaugment_root),
  )


def _decode_file(file: str) -> UInt8[np.ndarray, 'H W 3']:
  with open(file, 'rb') as f:
    return decode(f.read())


def _bad_files(
  root: pathlib.Path, files: Sequence[str], on_error: str
) -> set[str]:
  """Files to leave out; without leave to skip, foreign ones are an error."""
  foreign = [f for f in files if not is_image(f)]
  if on_error == 'skip':
    rest = [f for f in files if is_image(f)]
    return {*foreign, *_undecodable(rest)}
  if foreign:
    raise ValueError(
      f'{root}: {len(foreign)} of {len(files)} files are no images '
      f'({", ".join(SUFFIXES)}): {some(foreign)}; remove them or pass '
      "on_error='skip'"
    )
  return set()


def _undecodable(files: Sequence[str]) -> set[str]:
  def fails(file: str) -> bool:
    try:
      _decode_file(file)
    except (ValueError, OSError):
      return True
    return False

  with concurrent.futures.ThreadPoolExecutor() as pool:
    results = pool.map(fails, files)
    return {f for f, bad in zip(files, results, strict=True) if bad}
