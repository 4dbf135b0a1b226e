"""From rows to the cells of a view."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import string
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from rcj import grid
from rcj.report import names, suites
from rcj.report.rows import MEAN, Row
from rcj.report.summary import Setting, estimate, mean_row
from rcj.report.views.best import best
from rcj.report.views.claims import findings
from rcj.report.views.filled import Column, Filled, Outcome, Value

_Key = tuple[str, Setting]


def fill(view: grid.View, folder: pathlib.Path, rows: Sequence[Row]) -> Filled:
  """Puts rows into the cells of a view.

  A run with several networks stands for the one that its cell names.

  Args:
    view: as `grid.read` gives it.
    folder: the sweep's folder.
    rows: rows of its runs, and of any others, as `report.read` gives them.
  """
  runs: dict[pathlib.Path, list[Row]] = defaultdict(list)
  for row in rows:
    runs[row.folder].append(row)
  networks = [
    [
      own
      for run in cell.runs
      if (own := _network(runs.get(folder / run, []), cell.network))
    ]
    for cell in view.cells
  ]
  # A network may fill several cells.
  distinct = {(n[0].folder, n[0].network): n for cell in networks for n in cell}
  used = [row for network in distinct.values() for row in network]
  columns = _columns(used)
  outcomes = tuple(
    _outcome(cell, where, own, columns)
    for cell, where, own in zip(
      view.cells, _places(view), networks, strict=True
    )
  )
  scales = tuple(sorted({row.scale for row in used}))
  filled = Filled(view, tuple(columns.values()), outcomes, scales)
  if view.kind == 'claim':
    return dataclasses.replace(filled, findings=findings(filled))
  return _marked(filled) if view.kind == 'table' else filled


def _network(rows: Sequence[Row], name: str) -> list[Row]:
  """Rows of a network of a run, '' is the last; exported files are left out."""
  rows = [row for row in rows if not row.costs.runtime]
  return [row for row in rows if row.network == (name or rows[-1].network)]


def _columns(rows: Sequence[Row]) -> dict[_Key, Column]:
  """One column per suite and setting, lettered where a suite has several."""
  networks: dict[tuple[pathlib.Path, str], list[Row]] = defaultdict(list)
  for row in rows:
    networks[row.folder, row.network].append(row)
  keys = {key for network in networks.values() for key in _means(network)}
  columns = {}
  for suite in suites.ordered(suite for suite, _ in keys):
    own = sorted(key for key in keys if key[0] == suite)
    letters = string.ascii_lowercase if len(own) > 1 else ('',)
    for (_, setting), letter in zip(own, letters, strict=False):
      columns[suite, setting] = Column(suite, setting, letter)
  return columns


def _means(network: Sequence[Row]) -> dict[_Key, Row]:
  """The mean of each suite of a network, by what it was measured on."""
  parts: dict[tuple[str, str], list[Row]] = defaultdict(list)
  for row in network:
    if row.suite not in suites.APART:
      parts[row.suite, row.protocol].append(row)
  return {
    (suite, _setting(rows)): mean_row(rows)
    for (suite, _), rows in parts.items()
  }


def _setting(rows: Sequence[Row]) -> Setting:
  cells = sorted(
    (row.corruption, row.severity or 0)
    for row in rows
    if row.corruption not in ('', MEAN)
  )
  return Setting(rows[0].data, rows[0].protocol, tuple(cells), rows[0].n)


def _places(view: grid.View) -> list[str]:
  """What tells each cell from others of its panel and series, in words."""
  twins: dict[tuple[str, str, str], list[grid.Cell]] = defaultdict(list)
  for cell in view.cells:
    twins[cell.panel, cell.series, cell.x].append(cell)

  def place(cell: grid.Cell) -> str:
    others = twins[cell.panel, cell.series, cell.x]
    sizes = {names.by_size(other.fields) for other in others}
    if len(others) > 1 and len(sizes) == len(others):
      differing = names.by_size(cell.fields)
    else:
      differing = names.differing(cell.fields, [o.fields for o in others])
    return ', '.join(filter(None, (cell.x, differing)))

  return [place(cell) for cell in view.cells]


def _outcome(
  cell: grid.Cell,
  where: str,
  networks: Sequence[Sequence[Row]],
  columns: Mapping[_Key, Column],
) -> Outcome:
  found: dict[Column, list[Row]] = defaultdict(list)
  for network in networks:
    for key, row in _means(network).items():
      found[columns[key]].append(row)
  firsts = [network[0] for network in networks]

  def mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0

  return Outcome(
    cell=cell,
    where=where,
    values={
      column: Value(
        estimate(found[column]),
        {row.seed: (row.folder, row.network) for row in found[column]},
      )
      for column in columns.values()
      if column in found
    },
    seeds=tuple(sorted(row.seed for row in firsts)),
    parameters=firsts[0].parameters if firsts else 0,
    nonzero=round(mean([row.nonzero for row in firsts])),
    ratio=mean([row.ratio for row in firsts]),
    bits=mean([row.costs.weight_bits for row in firsts]) or math.nan,
  )


def _marked(filled: Filled) -> Filled:
  """The view with the best of each panel marked where that is resolved."""
  found = {
    (id(winner), column)
    for panel in filled.panels.values()
    for column in filled.columns
    if (winner := best(panel, column)) is not None
  }
  outcomes = tuple(
    dataclasses.replace(
      o, best=frozenset(c for c in filled.columns if (id(o), c) in found)
    )
    for o in filled.outcomes
  )
  return dataclasses.replace(filled, outcomes=outcomes)
