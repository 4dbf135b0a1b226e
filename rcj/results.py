"""The files of a run directory that hold its results.

`results.csv` has one row per evaluated cell, `predictions.npz` the predicted
class of every image. Both are replaced as a whole, so a kill leaves the old or
the new file, and an evaluation that runs again replaces its own rows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from rcj import files

# Every row has these.
COLUMNS = (
  'run', 'variant', 'network', 'method', 'seed', 'parameters', 'nonzero',
  'ratio', 'suite', 'corruption', 'severity', 'protocol', 'n', 'error', 'low',
  'high',
)  # fmt: skip
# Rows may have these, '' where something was not measured: what a network
# costs, `dense_` before its channels were removed; and one measured latency.
COSTS = (
  'dense_macs', 'macs', 'dense_bytes', 'bytes', 'packed_bytes', 'gzip_bytes',
  'weight_bits', 'latency_ms', 'runtime', 'threads', 'batch', 'dtype',
)  # fmt: skip
# Rows of attacks may have these, '' elsewhere: the radius (images in 0..1, for
# salt and pepper the rate of pixels) and its norm, 'linf' or 'l2'; quantiles
# over images of the perturbation's norm, inf where fewer were fooled; the
# share of images whose gradient is zero; and what disagrees with robustness,
# '' where that was not checked, 'no' where nothing does. The last two are the
# same in all rows of a network's attacks.
ATTACKED = (
  'eps', 'norm', 'norm_25', 'norm_50', 'norm_75', 'zero_gradients', 'masked',
)  # fmt: skip
_OPTIONAL = (*COSTS, *ATTACKED)
_CELL = ('network', 'suite', 'corruption', 'severity')


def add_rows(
  workdir: epath.PathLike, rows: Iterable[Mapping[str, Any]]
) -> None:
  """Writes rows to results.csv in place of older ones of the same cells."""
  path = epath.Path(workdir) / 'results.csv'
  new = [
    {c: str(row[c]) for c in COLUMNS}
    | {c: str(row.get(c, '')) for c in _OPTIONAL}
    for row in rows
  ]
  cells = {tuple(row[c] for c in _CELL) for row in new}
  old = [r for r in read_rows(path) if tuple(r[c] for c in _CELL) not in cells]
  text = io.StringIO(newline='')
  writer = csv.DictWriter(text, (*COLUMNS, *_OPTIONAL))
  writer.writeheader()
  writer.writerows(old + new)
  files.write_whole(path, text.getvalue().encode())


def read_rows(path: epath.PathLike) -> list[dict[str, str]]:
  """Rows of a results.csv, none where the file does not exist."""
  path = epath.Path(path)
  if not path.exists():
    return []
  text = path.read_bytes().decode()
  return list(csv.DictReader(io.StringIO(text, newline='')))


def add_predictions(
  workdir: epath.PathLike, arrays: Mapping[str, Sequence[int] | np.ndarray]
) -> None:
  """Adds int16 arrays to predictions.npz; same names are replaced.

  Raises:
    ValueError: if the labels of a suite are not those of the predictions that
      are there already: they would be of other images.
  """
  path = epath.Path(workdir) / 'predictions.npz'
  old: dict[str, np.ndarray] = {}
  if path.exists():
    with np.load(io.BytesIO(path.read_bytes())) as z:
      old = dict(z)
  new = {name: np.asarray(x, np.int16) for name, x in arrays.items()}
  for name in old.keys() & new.keys():
    if name.startswith('labels|') and not np.array_equal(old[name], new[name]):
      raise ValueError(
        f'{path} has {name} of {old[name].size} images, the new ones are '
        f'{new[name].size} others; a usual cause is another number of images '
        'than the run has: take the same, or another run directory'
      )
  data = io.BytesIO()
  np.savez_compressed(data, **{**old, **new})
  files.write_whole(path, data.getvalue())
