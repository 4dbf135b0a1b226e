"""A handful of ImageNet's images in a .tar, for measuring public networks."""

from __future__ import annotations

import csv
import io
import pathlib
import tarfile
from collections.abc import Mapping

import numpy as np

from rcj.data import class_lists
from rcj.data.encoded import EncodedSource
from rcj.data.listing import some
from rcj.data.sources import DataSets

_TABLE = 'labels.csv'
_COLUMNS = ('class_index', 'wnid', 'file')


def sample(root: str) -> DataSets:
  """One image or more of each class; `train` and `test` are the same images.

  So nothing should be trained on it: it is for networks that were trained on
  ImageNet.

  Args:
    root: a .tar of images and of labels.csv with the columns class_index (among
      ImageNet's 1000), wnid and file.

  Raises:
    FileNotFoundError: if there is no such file.
    ValueError: if it is no .tar, lacks labels.csv, its columns or a listed
      image, or gives a class another index than ImageNet.
  """
  path = pathlib.Path(root)
  files = _unpacked(path)
  rows = _rows(files, path)
  parents = {wnid: int(index) for index, wnid, _ in rows}
  classes = tuple(sorted(parents))
  _check_parents(parents, path)
  images = EncodedSource(
    tuple(files[file] for *_, file in rows),
    tuple(f'{path}, {file}' for *_, file in rows),
    np.array([classes.index(wnid) for _, wnid, _ in rows], np.int32),
    classes,
  )
  shown = (
    f'{len(images)} images of {path.name}, {class_lists.describe(classes)}'
  )
  return DataSets(
    name=path.stem,
    train=images,
    test=images,
    protocol={'train': f'{shown}, those of the test', 'test': shown},
    parents=np.array([parents[c] for c in classes], np.int32),
  )


def _unpacked(path: pathlib.Path) -> dict[str, bytes]:
  """Contents of the files in the archive, by their names without folders."""
  if not path.is_file():
    raise FileNotFoundError(
      f'{path} is no file; expected is a .tar of images and {_TABLE}'
    )
  try:
    with tarfile.open(path) as tar:
      members = [m for m in tar.getmembers() if m.isfile()]
      return {
        pathlib.PurePosixPath(m.name).name: tar.extractfile(m).read()
        for m in members
      }
  except (tarfile.TarError, EOFError, OSError) as e:
    raise ValueError(
      f'{path} ({path.stat().st_size:,} bytes) cannot be read as a .tar: {e}; '
      'a usual cause is an interrupted copy'
    ) from e


def _rows(
  files: Mapping[str, bytes], path: pathlib.Path
) -> list[tuple[str, ...]]:
  """(class index, wnid, file) of every image, sorted by wnid and file."""
  if _TABLE not in files:
    raise ValueError(f'{path} has no {_TABLE}, but {some(sorted(files))}')
  table = csv.DictReader(io.StringIO(files[_TABLE].decode()))
  missing = sorted(set(_COLUMNS) - set(table.fieldnames or ()))
  if missing:
    raise ValueError(
      f'{path}: {_TABLE} lacks the columns {missing}; it has '
      f'{list(table.fieldnames or ())}'
    )
  rows = [tuple(row[c] for c in _COLUMNS) for row in table]
  absent = [file for *_, file in rows if file not in files]
  if absent or not rows:
    raise ValueError(
      f'{path}: {_TABLE} lists {len(rows)} images, of which {len(absent)} are '
      f'not there: {some(absent)}'
    )
  return sorted(rows, key=lambda row: row[1:])


def _check_parents(parents: Mapping[str, int], path: pathlib.Path) -> None:
  wnids = tuple(parents)
  known = class_lists.parents(wnids)
  if known is None:
    return
  odd = [
    f'{wnid} is {index}, not {parents[wnid]}'
    for wnid, index in zip(wnids, known, strict=True)
    if parents[wnid] != index
  ]
  if odd:
    raise ValueError(
      f'{path}: {_TABLE} gives {len(odd)} classes another index than '
      f"ImageNet's sorted wnids: {some(odd)}"
    )
