"""Tables and figures as values: which experiments fill them, and where.

A view is what a paper shows: a table, bars, or lines, or what it claims. Its
cells name an experiment by the config fields that differ from the family's
defaults, and their place by words. A sweep runs the cells; a report draws the
views from the rows, whatever part of the cells has been run.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rcj import claim

Scalar = bool | int | float | str

FILE = 'sweep.json'


@dataclasses.dataclass(frozen=True)
class Cell:
  """One experiment and its place in a view.

  Attributes:
    fields: config fields that make it, without the seed.
    series: row of a table; bar or line of a figure; side of a claim.
    panel: block of rows of a table; panel of a figure; pair of a claim.
    x: place along the axis of bars, '' holds for every place; '' in tables,
      and in lines, whose axis is measured; part of a claim's pair.
    runs: run directories, one per seed, relative to the sweep's folder; empty
      until a sweep named them.
    network: label of the network within each run, '' for the one that was
      evaluated last.
  """

  fields: Mapping[str, Scalar]
  series: str
  panel: str = ''
  x: str = ''
  runs: tuple[str, ...] = ()
  network: str = ''


@dataclasses.dataclass(frozen=True)
class View:
  """A table, a figure, or a claim.

  The cells of a claim are pairs of the same panel and x. The series that comes
  first is what the claim is about, the second what it is compared with.

  Attributes:
    name: for files and flags, such as 'figure1'.
    title: what it shows or claims, in a sentence, with its source.
    kind: 'table', 'bars', 'lines' or 'claim'.
    cells: its experiments.
    axis: of bars, what x is, in words; of lines, 'ratio', 'nonzero' or 'bits'
      (of weights), which are measured; of claims, what must be true, see
      `claim`; '' for tables.

  Raises:
    ValueError: for a claim that cannot be read, or cells that are no pairs.
  """

  name: str
  title: str
  kind: Literal['table', 'bars', 'lines', 'claim']
  cells: tuple[Cell, ...]
  axis: str = ''

  def __post_init__(self):
    if self.kind == 'claim':
      try:
        claim.parse(self.axis)
      except ValueError as e:
        raise ValueError(f'view {self.name!r}: {e}') from None
      pairs(self)


def pairs(view: View) -> tuple[tuple[Cell, Cell], ...]:
  """The pairs of a claim, the cell that it is about first.

  Raises:
    ValueError: where a panel and x do not have one cell of each series.
  """
  series = list(dict.fromkeys(cell.series for cell in view.cells))
  found: dict[tuple[str, str], list[Cell]] = defaultdict(list)
  for cell in view.cells:
    found[cell.panel, cell.x].append(cell)
  for place, cells in found.items():
    if len(series) != 2 or sorted(series) != sorted(c.series for c in cells):
      raise ValueError(
        f'view {view.name!r}: a claim has two series, and one cell of each for '
        f'every panel and x; the series are {series}, and panel and x {place} '
        f'have the cells {[c.series for c in cells]}'
      )
  ordered = (
    sorted(c, key=lambda x: series.index(x.series)) for c in found.values()
  )
  return tuple((first, second) for first, second in ordered)


def write(views: Sequence[View], folder: pathlib.Path) -> None:
  """Writes sweep.json, as a whole or not at all."""
  folder.mkdir(parents=True, exist_ok=True)
  partial = folder / f'{FILE}.partial'
  record = {'views': [dataclasses.asdict(view) for view in views]}
  partial.write_text(json.dumps(record, indent=1) + '\n')
  partial.replace(folder / FILE)


def read(folder: pathlib.Path) -> tuple[View, ...]:
  """Views of a sweep's folder; () where there is no sweep.json."""
  path = folder / FILE
  if not path.is_file():
    return ()
  return tuple(map(_view, json.loads(path.read_text())['views']))


def _view(record: Mapping[str, Any]) -> View:
  cells = (Cell(**{**c, 'runs': tuple(c['runs'])}) for c in record['cells'])
  return View(**{**record, 'cells': tuple(cells)})
