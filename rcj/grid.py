"""Tables and figures as values: which experiments fill them, and where.

A view is what a paper shows: a table, bars, or lines. Its cells name an
experiment by the config fields that differ from the family's defaults, and
their place by words. A sweep runs the cells; a report draws the views from the
rows, whatever part of the cells has been run.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

Scalar = bool | int | float | str

FILE = 'sweep.json'


@dataclasses.dataclass(frozen=True)
class Cell:
  """One experiment and its place in a view.

  Attributes:
    fields: config fields that make it, without the seed.
    series: row of a table; bar or line of a figure.
    panel: block of rows of a table; panel of a figure.
    x: place along the axis of bars, '' holds for every place; '' in tables,
      and in lines, whose axis is measured.
    runs: run directories, one per seed, relative to the sweep's folder; empty
      until a sweep named them.
  """

  fields: Mapping[str, Scalar]
  series: str
  panel: str = ''
  x: str = ''
  runs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class View:
  """A table or a figure.

  Attributes:
    name: for files and flags, such as 'figure1'.
    title: what it shows, in a sentence, with its source.
    kind: 'table', 'bars' or 'lines'.
    cells: its experiments.
    axis: of bars, what x is, in words; of lines, 'ratio' or 'nonzero', which
      are measured; '' for tables.
  """

  name: str
  title: str
  kind: Literal['table', 'bars', 'lines']
  cells: tuple[Cell, ...]
  axis: str = ''


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
