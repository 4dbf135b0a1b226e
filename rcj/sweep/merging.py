"""What sweep.json says when views are swept into the same folder again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from etils import epath

from rcj import grid, locks
from rcj.grid import Cell, View
from rcj.sweep.plan import is_grid


def add(
  views: Sequence[View], folder: Path, *, when_busy: Callable[[], None]
) -> None:
  """Merges views into the folder's sweep.json; sweeps take turns.

  Args:
    views: with the names of run directories in every cell.
    folder: the sweep's folder.
    when_busy: called once if another sweep writes at the moment.
  """
  lock = epath.Path(folder / f'{grid.FILE}.lock')
  with locks.in_turn(lock, when_busy=when_busy):
    grid.write(merged(grid.read(folder), views), folder)


def merged(old: Sequence[View], new: Sequence[View]) -> tuple[View, ...]:
  """Old views and new ones.

  Where names agree the new view holds, with the runs that the old one had in
  the same cells: those of other seeds. A grid keeps the cells of other values.
  """
  views = {view.name: view for view in old}
  for view in new:
    before = views.get(view.name)
    views[view.name] = _joined(before, view) if before else view
  return tuple(views.values())


def _joined(old: View, new: View) -> View:
  ours = {_place(cell) for cell in new.cells}
  kept = [c for c in old.cells if is_grid(new) and _place(c) not in ours]
  before = {_place(cell): cell.runs for cell in old.cells}
  cells = (
    dataclasses.replace(
      cell, runs=tuple(dict.fromkeys(before.get(_place(cell), ()) + cell.runs))
    )
    for cell in new.cells
  )
  return dataclasses.replace(new, cells=(*kept, *cells))


def _place(cell: Cell) -> tuple[object, ...]:
  fields = frozenset(cell.fields.items())
  return fields, cell.series, cell.panel, cell.x
