"""Image files in one .npz: all their bytes, where each begins, and labels."""

from __future__ import annotations

import itertools
import pathlib
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Shaped

from rcj.data.encoded import EncodedSource

Arrays = Mapping[str, Shaped[np.ndarray, '*shape']]


def arrays(path: pathlib.Path, names: Sequence[str]) -> Arrays:
  """The named arrays of a .npz.

  Raises:
    FileNotFoundError: if there is no such file.
    ValueError: if it cannot be read, or lacks one of them.
  """
  if not path.is_file():
    raise FileNotFoundError(f'{path} does not exist')
  try:
    # A file that np.load opened itself stays open where the archive is bad.
    with open(path, 'rb') as f, np.load(f, allow_pickle=False) as z:
      present = sorted(z.files)
      found = {name: z[name] for name in names if name in present}
  except (zipfile.BadZipFile, EOFError, OSError, ValueError) as e:
    raise ValueError(
      f'{path} ({path.stat().st_size:,} bytes) cannot be read as a .npz of '
      f'plain arrays: {e}; a usual cause is an interrupted copy'
    ) from e
  if missing := sorted(set(names) - set(found)):
    raise ValueError(f'{path} lacks {missing}; it has {present}')
  return found


def images(
  path: pathlib.Path, found: Arrays, classes: Sequence[str], *, split: str = ''
) -> EncodedSource:
  """The images of `arrays`, as files in memory.

  Args:
    path: where they are from, for errors.
    found: 'jpeg', all files as one uint8 array, 'offset', N+1 places in it, and
      'label', N indices into `classes`.
    classes: names of the labels.
    split: stands before these names, as in 'train_jpeg'; '' for none.

  Raises:
    ValueError: as `EncodedSource`.
  """
  before = f'{split}_' if split else ''
  content, place, labels = (
    found[f'{before}{part}'] for part in ('jpeg', 'offset', 'label')
  )
  files = tuple(
    content[begin:end].tobytes() for begin, end in itertools.pairwise(place)
  )
  names = tuple(f'{path}, {split or "image"} {i}' for i in range(len(files)))
  return EncodedSource(files, names, labels, tuple(map(str, classes)))
