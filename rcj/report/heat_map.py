"""Error by method and corruption, as a table of shaded cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rcj.report import style
from rcj.report.summary import Line, label

if TYPE_CHECKING:
  from matplotlib.axes import Axes
  from matplotlib.figure import Figure


def heat_map(lines: Sequence[Line]) -> Figure:
  """Error by method (rows) and corruption (columns), with numbers."""
  from matplotlib.figure import Figure

  corruptions = lines[0].setting.corruptions
  names = [label(line, lines) for line in lines]
  values = np.array([_heat_row(line, corruptions) for line in lines])
  height = 0.74 + 0.2 * len(lines)
  # Columns as wide as their numbers, even if the figure gets wider for it.
  left = 0.25 + 0.058 * max(map(len, names))
  need = left + 0.36 * (len(corruptions) + 2.35) + 0.5
  width = max(style.WIDTH, need)
  figure = Figure(figsize=(width, height))
  left /= width
  right = 1 - 0.5 / width
  ax = figure.add_axes(
    (left, 0.06 / height, right - left, 0.2 * len(lines) / height)
  )
  # One column's width of white parts the two summaries from the corruptions.
  x = [0, 1, *(i + 2.35 for i in range(len(corruptions)))]
  top = float(np.nanmax(values)) or 1.0
  colours = style.sequential()
  for column, centre in zip(values.T, x, strict=True):
    for row, value in enumerate(column):
      _cell(ax, centre, row, value, value / top, colours)
  ax.set_xlim(-0.5, x[-1] + 0.5)
  ax.set_ylim(len(lines) - 0.5, -0.5)
  ax.set_yticks(range(len(lines)), names)
  columns = ['clean', 'mean', *(c.replace('_', ' ') for c in corruptions)]
  ax.set_xticks(x, columns, rotation=35, ha='left', rotation_mode='anchor')
  ax.xaxis.tick_top()
  ax.tick_params(length=0)
  ax.grid(False)
  ax.spines[:].set_visible(False)
  return figure


def _heat_row(line: Line, corruptions: Sequence[str]) -> list[float]:
  def mean(corruption: str) -> float:
    found = [e for (name, _), e in line.cells.items() if name == corruption]
    return float(np.mean(found)) if found else math.nan

  summary = [
    line.errors[suite].mean if suite in line.errors else math.nan
    for suite in ('clean', 'corrupted')
  ]
  return summary + [mean(corruption) for corruption in corruptions]


def _cell(
  ax: Axes,
  x: float,
  row: int,
  value: float,
  shade: float,
  colours: Any,
) -> None:
  from matplotlib.patches import Rectangle

  if math.isnan(value):
    ax.text(x, row, '–', ha='center', va='center', color=style.FAINT)
    return
  box = Rectangle(
    (x - 0.5, row - 0.5),
    1,
    1,
    facecolor=colours(shade),
    edgecolor='white',
    linewidth=0.8,
  )
  ax.add_patch(box)
  colour = 'white' if shade > 0.6 else style.INK
  ax.text(
    x, row, f'{value:.1f}', ha='center', va='center', color=colour, fontsize=7
  )
