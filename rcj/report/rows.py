"""Rows of `results.csv`, read from run directories and checked at the door."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
import pathlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from rcj import grid
from rcj.report import attacks, costs, suites
from rcj.report.attacks import Attacked
from rcj.report.costs import Costs
from rcj.results import COLUMNS

MEAN = 'mean'  # name of the summary row over the cells of a suite
Fields = tuple[tuple[str, grid.Scalar], ...]
CONFIG_FIELDS = ('variant', 'seed', 'scale', 'data')


@dataclasses.dataclass(frozen=True)
class Row:
  """One measured error rate.

  Attributes:
    run: name of the run.
    variant: what the run's config calls itself.
    network: label of the evaluated network within the run.
    method: label of the method, as legends show it.
    seed: seed of the run.
    parameters: parameters of the dense architecture.
    nonzero: parameters that are left.
    ratio: parameters / nonzero.
    suite: 'clean', 'corrupted', 'to sketch', 'light', ...: see `suites`.
    corruption: name of the corruption or attack, 'mean' in the summary row,
      else ''.
    severity: 1..5, None where there is none.
    protocol: where the images came from, such as 'official'.
    n: number of images.
    error: fraction of them that is classified wrongly.
    low: lower end of the 95 % interval over images, nan if unknown.
    high: upper end.
    data: name of the data set, from the run's config.
    scale: factor that shortened its training, from the same.
    folder: the run directory.
    fields: in the folder of a sweep, the config without the seed, which tells
      its experiments apart; () elsewhere.
    costs: what it costs to run and to store the network, where that is known.
    attacked: what is known of the attack, in the rows of attacks.
  """

  run: str
  variant: str
  network: str
  method: str
  seed: int
  parameters: int
  nonzero: int
  ratio: float
  suite: str
  corruption: str
  severity: int | None
  protocol: str
  n: int
  error: float
  low: float
  high: float
  data: str
  scale: float
  folder: pathlib.Path
  fields: Fields
  costs: Costs
  attacked: Attacked


def read(run_dirs: Iterable[str | os.PathLike[str]]) -> list[Row]:
  """Reads the rows of all run directories.

  Args:
    run_dirs: run directories, or folders that hold run directories, such as
      a sweep's. Runs without results yet are passed over.

  Returns:
    The rows, in the order of the directories and files; [] for a sweep of
    which nothing is finished.

  Raises:
    FileNotFoundError: if a folder is no run directory and holds none.
    ValueError: for results with missing columns, without rows, with values
      that are no error rates; says which file and line.
  """
  if isinstance(run_dirs, str | os.PathLike):
    run_dirs = [run_dirs]
  folders = list(map(pathlib.Path, run_dirs))
  if not folders:
    raise ValueError('expected at least one run directory, got none')
  runs: dict[pathlib.Path, bool] = {}
  for folder in folders:
    swept = (folder / grid.FILE).is_file()
    for run in _runs(folder):
      runs[run] = swept or runs.get(run, False)
  return [row for run in runs for row in _read(run, swept=runs[run])]


def read_config(folder: pathlib.Path) -> Mapping[str, Any]:
  """The flat fields of a run's `config.json`.

  Raises:
    FileNotFoundError: if the run has none.
    ValueError: if it is no JSON object with the fields that a report needs.
  """
  path = folder / 'config.json'
  if not path.is_file():
    raise FileNotFoundError(
      f'{folder} has results but no config.json; it holds: {_content(folder)}. '
      'Give the run directory itself, not a copy of its table'
    )
  try:
    config = json.loads(path.read_text())
  except json.JSONDecodeError as e:
    raise ValueError(f'{path} is not JSON: {e}') from e
  fields = config if isinstance(config, dict) else {}
  missing = [name for name in CONFIG_FIELDS if name not in fields]
  if missing:
    raise ValueError(
      f'{path} lacks the fields {missing}; it has: {sorted(fields)}'
    )
  return config


def _runs(folder: pathlib.Path) -> list[pathlib.Path]:
  """Run directories with results; a sweep's may lie deeper than one level."""
  if not folder.is_dir():
    raise FileNotFoundError(
      f'{folder} is not a folder; expected a run directory'
    )
  if (folder / 'results.csv').is_file():
    return [folder]
  views = grid.read(folder)
  named = {
    folder / run for view in views for cell in view.cells for run in cell.runs
  }
  inside = {path.parent for path in folder.glob('*/results.csv')}
  inside |= {run for run in named if (run / 'results.csv').is_file()}
  if not inside and not views:
    raise FileNotFoundError(
      f'{folder} is no run directory and holds none: expected results.csv and '
      f'config.json in it or one level below; it holds: {_content(folder)}. '
      'The run may not have reached its evaluation yet'
    )
  return sorted(inside)


def _content(folder: pathlib.Path) -> str:
  names = sorted(p.name for p in folder.iterdir())
  more = ', ...' if len(names) > 20 else ''
  return ', '.join(names[:20]) + more if names else 'nothing'


def _read(folder: pathlib.Path, *, swept: bool) -> list[Row]:
  path = folder / 'results.csv'
  config = read_config(folder)
  shared = {
    'data': str(config['data']),
    'scale': float(config['scale']),
    'folder': folder,
    'fields': _fields(config) if swept else (),
  }
  with path.open(newline='') as f:
    table = csv.DictReader(f)
    missing = [c for c in COLUMNS if c not in (table.fieldnames or [])]
    if missing:
      raise ValueError(
        f'{path} lacks the columns {missing}; expected {",".join(COLUMNS)}, '
        f'found {",".join(table.fieldnames or []) or "an empty file"}'
      )
    rows = [
      _row(record, f'{path}, line {table.line_num}', shared) for record in table
    ]
  if not rows:
    raise ValueError(
      f'{path} has a header but no rows; the evaluation wrote nothing, or was '
      'interrupted'
    )
  _check_means(rows, path)
  return rows


def _fields(config: Mapping[str, Any]) -> Fields:
  """The scalars of a config that can change a result, the seed aside."""
  return tuple(
    (name, value)
    for name, value in sorted(config.items())
    if name not in ('seed', 'checkpoint_every')
    and isinstance(value, grid.Scalar)
  )


def _row(
  record: Mapping[str, str], where: str, shared: Mapping[str, Any]
) -> Row:
  try:
    row = Row(
      run=record['run'],
      variant=record['variant'],
      network=record['network'],
      method=record['method'],
      seed=int(record['seed']),
      parameters=int(record['parameters']),
      nonzero=int(record['nonzero']),
      ratio=float(record['ratio']),
      suite=record['suite'],
      corruption=record['corruption'],
      severity=int(record['severity']) if record['severity'] else None,
      protocol=record['protocol'],
      n=int(record['n']),
      error=float(record['error']),
      low=float(record['low'] or math.nan),
      high=float(record['high'] or math.nan),
      costs=costs.read(record),
      attacked=attacks.read(record),
      **shared,
    )
  except (TypeError, ValueError) as e:
    raise ValueError(f'{where}: not a number where one is due: {e}') from e
  try:
    suites.check(row.suite)
  except ValueError as e:
    raise ValueError(f'{where}: {e}') from None
  if not 0 <= row.error <= 1:
    raise ValueError(
      f'{where}: error is {row.error}, expected a fraction in 0..1, no percent'
    )
  if row.nonzero < 1 or row.n < 1:
    raise ValueError(
      f'{where}: nonzero is {row.nonzero} and n is {row.n}; both are at least 1'
    )
  return row


def _check_means(rows: list[Row], path: pathlib.Path) -> None:
  """Several cells of a suite come with a summary row that is their mean."""
  cells: dict[tuple[str, ...], list[float]] = defaultdict(list)
  means: dict[tuple[str, ...], float] = {}
  for row in rows:
    if row.suite in suites.APART:
      continue
    key = (row.network, row.suite, row.protocol)
    if row.corruption == MEAN:
      means[key] = row.error
    else:
      cells[key].append(row.error)
  for key, errors in cells.items():
    if len(errors) == 1 and key not in means:
      continue
    expected = sum(errors) / len(errors)
    # Half a thousandth leaves room for values that were rounded when written.
    if key not in means or abs(means[key] - expected) > 5e-4:
      raise ValueError(
        f'{path}: the {len(errors)} cells of {key} (network, suite, protocol) '
        f'have the mean {expected:.4f}; expected one row with corruption '
        f'{MEAN!r} that says so, found {means.get(key, "none")}'
      )
