"""Files of runs, in local folders or wherever etils.epath writes (gs://...)."""

from __future__ import annotations

import os

from etils import epath


def is_local(path: epath.Path) -> bool:
  """Whether the path is on a file system of this machine."""
  return '://' not in os.fspath(path)


def write_whole(path: epath.Path, data: bytes) -> None:
  """Replaces a file; a kill leaves the old or the new one."""
  if not is_local(path):  # the objects of a store come as a whole
    path.write_bytes(data)
    return
  partial = path.with_name(f'{path.name}.partial')
  partial.write_bytes(data)
  partial.replace(path)


def append(path: epath.Path, text: str) -> None:
  """Adds to the end of a file, and makes it where there is none."""
  if is_local(path):
    with path.open('a') as f:
      f.write(text)
    return
  # The objects of a store cannot grow.
  before = path.read_text() if path.exists() else ''
  path.write_text(before + text)
