"""The files of a run directory that hold its results.

`results.csv` has one row per evaluated cell, `predictions.npz` the predicted
class of every image. Both are replaced as a whole, so a kill leaves the old or
the new file, and an evaluation that runs again replaces its own rows.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = (
  'run', 'variant', 'network', 'method', 'seed', 'parameters', 'nonzero',
  'ratio', 'suite', 'corruption', 'severity', 'protocol', 'n', 'error', 'low',
  'high',
)  # fmt: skip
_CELL = ('network', 'suite', 'corruption', 'severity')


def add_rows(workdir: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
  """Writes rows to results.csv in place of older ones of the same cells."""
  path = Path(workdir) / 'results.csv'
  new = [{c: str(row[c]) for c in COLUMNS} for row in rows]
  cells = {tuple(row[c] for c in _CELL) for row in new}
  old = [r for r in read_rows(path) if tuple(r[c] for c in _CELL) not in cells]
  partial = path.with_suffix('.partial')
  with partial.open('w', newline='') as f:
    writer = csv.DictWriter(f, COLUMNS)
    writer.writeheader()
    writer.writerows(old + new)
  os.replace(partial, path)


def read_rows(path: str | Path) -> list[dict[str, str]]:
  """Rows of a results.csv, none where the file does not exist."""
  path = Path(path)
  if not path.exists():
    return []
  with path.open(newline='') as f:
    return list(csv.DictReader(f))


def add_predictions(
  workdir: str | Path, arrays: Mapping[str, Sequence[int] | np.ndarray]
) -> None:
  """Adds int16 arrays to predictions.npz; same names are replaced."""
  path = Path(workdir) / 'predictions.npz'
  old: dict[str, np.ndarray] = {}
  if path.exists():
    with np.load(path) as z:
      old = dict(z)
  new = {name: np.asarray(x, np.int16) for name, x in arrays.items()}
  partial = path.with_suffix('.partial.npz')
  np.savez_compressed(partial, **{**old, **new})
  os.replace(partial, path)
