"""Which runs fill the cells of views."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from rcj import recipe
from rcj.experiment import Config
from rcj.grid import Cell, Scalar, View
from rcj.sweep.fields import replaced
from rcj.sweep.names import run_name
from rcj.sweep.order import prefixes

_GRID = 'grid'


@dataclasses.dataclass(frozen=True)
class Run:
  """One experiment with one seed, and the directory that it gets.

  Attributes:
    name: of its directory, in the sweep's folder.
    config: the experiment.
    phases: how many its recipe has.
    prefixes: names of the trained networks that it begins with, which other
      runs may begin with too.
    problem: why it cannot be run, '' where it can.
  """

  name: str
  config: Config
  phases: int = 0
  prefixes: tuple[str, ...] = ()
  problem: str = ''


def plan(
  views: Sequence[View], base: Config, seeds: Sequence[int], *, label: str = ''
) -> tuple[tuple[View, ...], tuple[Run, ...]]:
  """The views with names of run directories in every cell, and those runs.

  Cells of the same config are the same run. Runs come seed by seed, so that a
  sweep that is cut short has the first seed of everything.

  Args:
    views: what to fill.
    base: config that each cell changes.
    seeds: of every cell.
    label: what `base` is called, for names.

  Raises:
    ValueError: for a cell with a field or value that the config has not.
  """
  runs: dict[str, Run] = {}
  names: dict[tuple[str, int], list[str]] = {}
  for seed in seeds:
    for view in views:
      for i, cell in enumerate(view.cells):
        config = _configured(base, cell, seed, view)
        name = run_name(config, base, label=label)
        if name not in runs:
          runs[name] = _run(name, config)
        names.setdefault((view.name, i), []).append(name)
  return tuple(_filled(view, names) for view in views), tuple(runs.values())


def chosen(views: Sequence[View], names: Sequence[str]) -> tuple[View, ...]:
  """The views of these names, all of them for 'all'.

  Raises:
    ValueError: for an unknown name; lists those that exist.
  """
  known = {view.name: view for view in views}
  wanted = list(known) if list(names) == ['all'] else names
  for name in wanted:
    if name not in known:
      raise ValueError(
        f'no view {name!r}; there are '
        f'{", ".join(known) or "none in this config file"}'
        f'{", and all for all of them" if known else ""}'
      )
  return tuple(known[name] for name in dict.fromkeys(wanted))


def grid_view(axes: Mapping[str, Sequence[Scalar]]) -> View:
  """A table with one row for every combination of values."""
  cells = []
  for values in itertools.product(*axes.values()):
    fields = dict(zip(axes, values, strict=True))
    series = ', '.join(f'{name} {value}' for name, value in fields.items())
    cells.append(Cell(fields, series))
  return View(
    name='-'.join((_GRID, *axes)),
    title=f'Grid over {", ".join(axes)}',
    kind='table',
    cells=tuple(cells),
  )


def is_grid(view: View) -> bool:
  """Whether `grid_view` made the view."""
  return view.name.startswith(f'{_GRID}-')


def _configured(base: Config, cell: Cell, seed: int, view: View) -> Config:
  try:
    return replaced(base, {**cell.fields, 'seed': seed})
  except ValueError as e:
    place = ', '.join(filter(None, (cell.panel, cell.series, cell.x)))
    raise ValueError(f'view {view.name!r}, cell {place!r}: {e}') from None


def _run(name: str, config: Config) -> Run:
  try:
    phases = config.recipe()
    recipe.check(phases)
  except (ValueError, KeyError, OSError) as e:
    return Run(name, config, problem=f'{type(e).__name__}: {e}')
  return Run(name, config, len(phases), prefixes(phases, config.identity()))


def _filled(view: View, names: Mapping[tuple[str, int], list[str]]) -> View:
  cells = (
    dataclasses.replace(cell, runs=tuple(names[view.name, i]))
    for i, cell in enumerate(view.cells)
  )
  return dataclasses.replace(view, cells=tuple(cells))
