"""One set of classes in several domains, as PACS and Office-31 have it."""

from __future__ import annotations

import pathlib

import numpy as np

from rcj.data.checks import check_same_classes
from rcj.data.domain_benchmarks import Benchmark
from rcj.data.domain_files import Domains, in_archive, in_folders
from rcj.data.sources import DataSets, shorten, sized, stratified, subset
from rcj.types import Source

TRAIN_SHARE = 0.8
SPLIT_SEED = 0


def domains(
  root: str,
  *,
  source: str,
  target: str = '',
  train_size: int = 0,
  benchmark: Benchmark | None = None,
) -> DataSets:
  """`root`/domain/class/image: one domain to train on, others to be shifts.

  80 % of the source's images, stratified (seed 0), are `train`, the others
  `test`. Of the other domains all images are measured.

  Args:
    root: folder of the domains; inside of each one Office-31's folder 'images'
      may come before the classes. Or a .npz, see `domain_files.in_archive`,
      whose images are held in memory.
    source: domain to train on.
    target: the one domain to be measured beside it, '' for all others.
    train_size: a fixed stratified subset of so many training images, 0 for all.
    benchmark: which one it must be; the domains that are read must be whole.
      None takes any domains.

  Raises:
    FileNotFoundError: if `root` does not exist.
    ValueError: for unknown domains, other layouts, domains with different
      classes, or incomplete copies of a benchmark.
  """
  read = _read(root, source, target, benchmark)
  (source, whole), *others = read.items()
  train, test = _split(whole)
  chosen = shorten(train, train_size)
  counts = ', '.join(f'{name} {len(images)}' for name, images in others)
  how = f'stratified, seed {SPLIT_SEED}'
  name = pathlib.Path(root).name.removesuffix('.npz')
  return DataSets(
    name=f'{benchmark.title if benchmark else name} from {source}',
    train=chosen,
    test=test,
    protocol={
      'train': f'{sized(chosen, train)}, {TRAIN_SHARE:.0%} of {source} ({how})',
      'test': f'the other {len(test)} images of {source}',
      'shifts': f'all images of domains never trained on: {counts}',
    },
    shifts=dict(others),
  )


def _read(
  root: str, source: str, target: str, benchmark: Benchmark | None
) -> dict[str, Source]:
  """The domains by their names, the source first."""
  if benchmark:
    source, target = benchmark.name(source), benchmark.name(target)
  found = _found(pathlib.Path(root), benchmark)
  known = benchmark.sizes if benchmark else found
  wanted = [target] if target else [name for name in known if name != source]
  _check_names(root, source, wanted, found, benchmark)
  read = {name: found[name]() for name in (source, *wanted)}
  if benchmark:
    benchmark.check(root, read)
  check_same_classes(root, read)
  return read


def _found(root: pathlib.Path, benchmark: Benchmark | None) -> Domains:
  """How to read each domain that there is."""
  if root.suffix != '.npz' and benchmark:
    root = benchmark.root(root)
  try:
    found = in_archive(root) if root.suffix == '.npz' else in_folders(root)
  except FileNotFoundError as e:
    if benchmark:
      raise FileNotFoundError(f'{e}. {benchmark.where}') from e
    raise
  if benchmark:
    return {benchmark.name(name): read for name, read in found.items()}
  return found


def _split(whole: Source) -> tuple[Source, Source]:
  size = round(TRAIN_SHARE * len(whole))
  first = stratified(whole.labels, size, seed=SPLIT_SEED)
  rest = np.setdiff1d(np.arange(len(whole)), first)
  return subset(whole, first), subset(whole, rest)


def _check_names(
  root: str,
  source: str,
  wanted: list[str],
  found: Domains,
  benchmark: Benchmark | None,
) -> None:
  """Raises ValueError unless there are domains to train on and to measure."""
  own = benchmark.sizes if benchmark else found
  unknown = [n for n in (source, *wanted) if n not in found or n not in own]
  if unknown:
    hint = f'. {benchmark.where}' if benchmark else ''
    raise ValueError(
      f'{root} has no domain {unknown}; there are {list(found)}{hint}'
    )
  if source in wanted or not wanted:
    raise ValueError(
      f'{root}: there must be a domain to be measured beside the source '
      f'{source!r}; there are {list(found)}'
    )
