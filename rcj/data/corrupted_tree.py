"""Corrupted images as files in the layout of ImageNet-C.

`root`/corruption/severity/class/image, from "Benchmarking Neural Network
Robustness to Common Corruptions and Perturbations"
(https://arxiv.org/abs/1903.12261). Its archives are named after groups of
corruptions (noise, blur, weather, digital, extra), so
`root`/group/corruption/severity/class/image is read, too.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator, Sequence

from rcj.data.checks import check_balanced
from rcj.data.corrupted import CorruptedSets
from rcj.data.folder import FolderSource
from rcj.data.listing import contents, some

_EXPECTED = 'expected is [group/]corruption/severity/class/image.JPEG'


def corrupted_tree(
  root: str | pathlib.Path, *, classes: Sequence[str], origin: str
) -> CorruptedSets:
  """The cells on disk, restricted to some classes.

  Of files, only the first cell's are listed now; another cell's are when it is
  opened, and must have the same names.

  Args:
    root: folder of the corruptions, or of their groups.
    classes: folders to read in every cell; others are ignored.
    origin: see `CorruptedSets`.

  Raises:
    FileNotFoundError: if `root`, or a class in the first cell, is missing.
    ValueError: for other layouts, a corruption that occurs twice or lacks a
      severity, or classes of unequal size.
  """
  folders = _cells(pathlib.Path(root))
  first = folders[min(folders)]
  reference = FolderSource(first, classes=classes)
  check_balanced(reference, first)
  expected = _names(reference, first)

  def read(corruption: str, severity: int) -> FolderSource:
    folder = folders[corruption, severity]
    source = FolderSource(folder, classes=classes)
    _compare(folder, _names(source, folder), first, expected)
    return source

  return CorruptedSets(tuple(folders), reference.labels, origin, read)


def _cells(root: pathlib.Path) -> dict[tuple[str, int], pathlib.Path]:
  if not root.is_dir():
    raise FileNotFoundError(f'{root} is no folder; {_EXPECTED}')
  found = {}
  for folder, severities in _corruptions(root):
    for severity in severities:
      cell = folder.name, int(severity)
      if cell in found:
        raise ValueError(
          f'{folder.name} occurs twice: {found[cell].parent} and {folder}'
        )
      found[cell] = folder / severity
  if not found:
    raise ValueError(f'{root} has no folders; {_EXPECTED}')
  return found


def _corruptions(
  root: pathlib.Path,
) -> Iterator[tuple[pathlib.Path, list[str]]]:
  """(folder of a corruption, its severities), those in groups included."""
  for name in contents(root)[0]:
    inside, files = contents(root / name)
    if _are_severities(inside):
      yield root / name, inside
      continue
    for corruption in inside:
      severities, more = contents(root / name / corruption)
      if not _are_severities(severities):
        raise _foreign(root / name / corruption, [*severities, *more])
      yield root / name / corruption, severities
    if not inside:
      raise _foreign(root / name, files)


def _are_severities(names: Sequence[str]) -> bool:
  return bool(names) and all(n.isdecimal() for n in names)


def _foreign(folder: pathlib.Path, inside: Sequence[str]) -> ValueError:
  return ValueError(
    f'{folder} should hold severities, as folders 1 to 5, but holds '
    f'{some(inside) or "nothing"}; {_EXPECTED}'
  )


def _names(source: FolderSource, folder: pathlib.Path) -> tuple[str, ...]:
  return tuple(f.removeprefix(f'{folder}{os.sep}') for f in source.files)


def _compare(
  folder: pathlib.Path,
  names: tuple[str, ...],
  first: pathlib.Path,
  expected: tuple[str, ...],
) -> None:
  if names != expected:
    odd = sorted(set(names) ^ set(expected))
    raise ValueError(
      f'{folder} has {len(names)} images, {first} {len(expected)}; every cell '
      f'must hold the same files, but only one has: {some(odd)}'
    )
