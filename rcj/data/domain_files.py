"""Domains in folders, and in one .npz: {name of a domain: how to read it}."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable

import numpy as np

from rcj.data import packed
from rcj.data.checks import check_labels
from rcj.data.encoded import EncodedSource
from rcj.data.folder import FolderSource
from rcj.data.listing import contents
from rcj.data.memory import in_memory
from rcj.data.options import blaming
from rcj.data.restricted import restrict
from rcj.data.sources import ArraySource, subset
from rcj.types import Source

Domains = dict[str, Callable[[], Source]]
_KEYS = ('jpeg', 'offset', 'label', 'domain', 'domains', 'classes')


def in_folders(base: pathlib.Path) -> Domains:
  """Every folder of `base`; 'images' may come before its classes.

  Raises:
    FileNotFoundError: if `base` is no folder.
  """
  if not base.is_dir():
    raise FileNotFoundError(
      f'{base} is no folder; expected is domain/class/*, or a .npz'
    )
  return {
    name: functools.partial(_folder, base / name) for name in contents(base)[0]
  }


def in_archive(path: pathlib.Path) -> Domains:
  """The domains of a .npz of small images, which are read into memory.

  Args:
    path: of a .npz with 'domains' and 'classes', their names; and for N images
      'jpeg', all files as one uint8 array, 'offset', N+1 places in it, 'domain'
      and 'label', indices of the names.

  Raises:
    FileNotFoundError: if there is no such file.
    ValueError: if it cannot be read, lacks an array, or they do not fit.
  """
  found = packed.arrays(path, _KEYS)
  names, domain = tuple(map(str, found['domains'])), found['domain']
  with blaming(str(path)):
    images = packed.images(path, found, found['classes'])
    with blaming('domain'):
      check_labels(domain, names)
    if len(domain) != len(images):
      raise ValueError(f'{len(images)} images, but {len(domain)} of domain')
  return {
    name: functools.partial(
      _part, f'{path}, {name}', images, np.flatnonzero(domain == i)
    )
    for i, name in enumerate(names)
  }


def _folder(folder: pathlib.Path) -> FolderSource:
  nested = contents(folder)[0] == ['images']
  return FolderSource(folder / 'images' if nested else folder)


def _part(where: str, images: EncodedSource, chosen: np.ndarray) -> ArraySource:
  with blaming(where):
    part = restrict(subset(images, chosen), images.classes)
    return in_memory(part)
