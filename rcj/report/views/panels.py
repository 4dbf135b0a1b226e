"""Small multiples: the panels of a view across, its columns down."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rcj.report import style, suites
from rcj.report.views.filled import Column, Filled, Outcome

if TYPE_CHECKING:
  from matplotlib.axes import Axes
  from matplotlib.figure import Figure

_ACROSS = 4  # panels that fit side by side
_ROW = 1.5  # inches
_NOTE_SIZE = 7.0  # points
_NOTE_LINE = 0.14  # inches
_NOTE_CHARACTERS = 125  # that fit in a line


@dataclasses.dataclass(frozen=True)
class Panel:
  """One pair of axes and what it shows.

  Attributes:
    ax: the axes.
    column: the errors.
    outcomes: cells of the panel, run or not.
    last: whether nothing stands below, so that x needs its labels here.
  """

  ax: Axes
  column: Column
  outcomes: Sequence[Outcome]
  last: bool

  @property
  def measured(self) -> Sequence[Outcome]:
    """Cells that have an error in this column."""
    return [o for o in self.outcomes if self.column in o.values]


def panels(
  filled: Filled,
  legend: Sequence[str],
  *,
  under: float,
  note: str = '',
) -> tuple[Figure, Sequence[Panel]]:
  """A figure of empty axes with titles.

  A view with one panel has its columns across.

  Args:
    filled: the view.
    legend: names of the legend, for which room is left.
    under: inches for what stands below the axes of a last row.
    note: text that `finish` will put below the legend.
  """
  from matplotlib.figure import Figure

  rows = _rows(filled)
  bands = sum(last for row in rows for _, _, last in row[:1])
  height = 0.3 + _ROW * len(rows) + under * bands
  height += style.legend_height(legend) + _note_height(note)
  figure = Figure(figsize=(style.WIDTH, height))
  grid = figure.subplots(len(rows), len(rows[0]), squeeze=False)
  made = []
  for axes, row in zip(grid, rows, strict=True):
    for ax in axes[len(row) :]:
      ax.set_visible(False)
    for ax, (name, column, last) in zip(axes, row, strict=False):
      made.append(Panel(ax, column, filled.panels[name], last))
      _label(made[-1], name, filled)
  return figure, made


def finish(
  figure: Figure, entries: Mapping[str, Any], *, note: str = ''
) -> Figure:
  """The figure, laid out, with a legend and a note."""
  below = _note_height(note)
  style.legend(figure, entries, below=below)
  figure.text(
    0.5,
    0.03 / figure.get_figheight(),
    note,
    ha='center',
    va='bottom',
    color=style.FAINT,
    fontsize=_NOTE_SIZE,
  )
  return figure


def wrapped(note: str) -> str:
  """A note in lines that fit a figure's width."""
  return textwrap.fill(note, _NOTE_CHARACTERS)


def empty(panel: Panel) -> None:
  """Says in the axes why there is nothing to draw."""
  lacks = all(o.lacks(panel.column.suite) for o in panel.outcomes)
  panel.ax.text(
    0.5,
    0.5,
    'not run' if lacks else 'other images',
    transform=panel.ax.transAxes,
    ha='center',
    va='center',
    color=style.FAINT,
  )


def _rows(filled: Filled) -> list[list[tuple[str, Column, bool]]]:
  """(panel, column, last) of every pair of axes."""
  names = list(filled.panels)
  if len(names) == 1:
    columns = filled.columns
    rows = math.ceil(len(columns) / _ACROSS)
    wide = math.ceil(len(columns) / rows)
    return [
      [(names[0], column, True) for column in columns[i : i + wide]]
      for i in range(0, len(columns), wide)
    ]
  return [
    [
      (name, column, column is filled.columns[-1])
      for name in names[i : i + _ACROSS]
    ]
    for i in range(0, len(names), _ACROSS)
    for column in filled.columns
  ]


def _label(panel: Panel, name: str, filled: Filled) -> None:
  """Titles and the names of y, once per row and column of axes."""
  alone = len(filled.panels) == 1
  if alone:
    letter = f' ({panel.column.letter})' if panel.column.letter else ''
    panel.ax.set_title(suites.title(panel.column.suite) + letter)
  elif panel.column is filled.columns[0]:
    panel.ax.set_title(textwrap.fill(name, _characters(panel.ax)))
  first = panel.ax.get_subplotspec().is_first_col()
  if first:
    what = name if alone else panel.column.title
    gap = '\n' if alone or panel.column.letter else ' '
    panel.ax.set_ylabel(f'{what}{gap}error (%)'.strip())
  named = {'left': first or alone, 'bottom': panel.last}
  panel.ax.tick_params(**named, **{f'label{k}': v for k, v in named.items()})


def _characters(ax: Axes) -> int:
  """How many characters of a title fit above the axes."""
  columns = ax.get_subplotspec().get_gridspec().ncols
  return int(style.WIDTH / columns / 0.095)


def _note_height(note: str) -> float:
  return 0.06 + _NOTE_LINE * len(note.splitlines()) if note else 0.0
