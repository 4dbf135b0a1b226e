"""One set of classes in several domains, as PACS and Office-31 have it.

PACS: https://arxiv.org/abs/1710.03077. Office-31:
https://doi.org/10.1007/978-3-642-15561-1_16.
"""

from __future__ import annotations

import pathlib

import numpy as np

from rcj.data.checks import check_same_classes
from rcj.data.folder import FolderSource
from rcj.data.listing import contents
from rcj.data.sources import DataSets, shorten, sized, stratified, subset
from rcj.types import Source

TRAIN_SHARE = 0.8
SPLIT_SEED = 0


def domains(
  root: str, *, source: str, target: str = '', train_size: int = 0
) -> DataSets:
  """`root`/domain/class/image: one domain to train on, others to be shifts.

  80 % of the source's images, stratified (seed 0), are `train`, the others
  `test`. Of the other domains all images are measured.

  Args:
    root: folder of the domains; inside of each one Office-31's folder 'images'
      may come before the classes.
    source: domain to train on.
    target: the one domain to be measured beside it, '' for all others.
    train_size: a fixed stratified subset of so many training images, 0 for all.

  Raises:
    FileNotFoundError: if `root` does not exist.
    ValueError: for unknown domains, other layouts, or domains with different
      classes.
  """
  base = pathlib.Path(root)
  if not base.is_dir():
    raise FileNotFoundError(f'{base} is no folder; expected is domain/class/*')
  found = contents(base)[0]
  wanted = [target] if target else [name for name in found if name != source]
  _check_names(base, source, wanted, found)
  read = {name: _domain(base / name) for name in (source, *wanted)}
  check_same_classes(base, read)
  whole = read.pop(source)
  train, test = _split(whole)
  chosen = shorten(train, train_size)
  counts = ', '.join(f'{name} {len(images)}' for name, images in read.items())
  how = f'stratified, seed {SPLIT_SEED}'
  return DataSets(
    name=f'{base.name} from {source}',
    train=chosen,
    test=test,
    protocol={
      'train': f'{sized(chosen, train)}, {TRAIN_SHARE:.0%} of {source} ({how})',
      'test': f'the other {len(test)} images of {source}',
      'shifts': f'all images of domains never trained on: {counts}',
    },
    shifts=read,
  )


def _domain(folder: pathlib.Path) -> FolderSource:
  nested = contents(folder)[0] == ['images']
  return FolderSource(folder / 'images' if nested else folder)


def _split(whole: FolderSource) -> tuple[Source, Source]:
  size = round(TRAIN_SHARE * len(whole))
  first = stratified(whole.labels, size, seed=SPLIT_SEED)
  rest = np.setdiff1d(np.arange(len(whole)), first)
  return subset(whole, first), subset(whole, rest)


def _check_names(
  base: pathlib.Path, source: str, wanted: list[str], found: list[str]
) -> None:
  if unknown := [name for name in (source, *wanted) if name not in found]:
    raise ValueError(f'{base} has no domain {unknown}; there are {found}')
  if source in wanted or not wanted:
    raise ValueError(
      f'{base}: there must be a domain to be measured beside the source '
      f'{source!r}; there are {found}'
    )
