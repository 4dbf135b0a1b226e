"""Folders of images that rcj made: they say so in a file of their own.

The file is JSON with `protocol`, the images' making in words; `settings`, all
that decides their content; and `complete`, false until the last is written.
"""

from __future__ import annotations

import json
import pathlib

FILE = 'generated.json'


def origin(root: str | pathlib.Path, *, official: str) -> str:
  """Who made the corrupted images in a folder, in words.

  Args:
    root: the folder.
    official: the words where nothing says that rcj made them.

  Raises:
    ValueError: if rcj has not finished the folder, or its file is damaged.
  """
  path = pathlib.Path(root) / FILE
  if not path.is_file():
    return official
  try:
    made = json.loads(path.read_text())
    words, complete = str(made['protocol']), made['complete']
  except (ValueError, KeyError, TypeError) as e:
    raise ValueError(
      f'{path} should say how the images beside it were generated, but cannot '
      f'be read: {type(e).__name__}: {e}'
    ) from e
  if not complete:
    raise ValueError(
      f'{root} is not complete: the program that generates its images was '
      'stopped; the same command continues it'
    )
  return words
