"""Error against severity, in small multiples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rcj.report import style
from rcj.report.summary import Line, label

if TYPE_CHECKING:
  from matplotlib.figure import Figure


def by_severity(lines: Sequence[Line], reference: Line) -> Figure:
  """Error against severity, one panel per corruption.

  With many lines only the reference and the extremes are told apart.
  """
  from matplotlib.figure import Figure

  setting = lines[0].setting
  count = len(setting.corruptions)
  columns = min(5 if count > 9 else 3, count)
  rows = math.ceil(count / columns)
  looks = _severity_looks(lines, reference)
  entries = list(dict.fromkeys(look['label'] for look in looks))
  height = 0.4 + 1.3 * rows + style.legend_height(entries)
  figure = Figure(figsize=(style.WIDTH, height))
  grid = figure.subplots(
    rows, columns, sharex=True, sharey=True, squeeze=False
  ).ravel()
  for ax, corruption in zip(grid, setting.corruptions, strict=False):
    ax.set_title(corruption.replace('_', ' '), fontweight='normal', pad=3)
    for line, look in zip(lines, looks, strict=True):
      known = [s for s in setting.severities if (corruption, s) in line.cells]
      errors = [line.cells[corruption, s] for s in known]
      ax.plot(known, errors, markersize=3.2, **look)
    ax.set_xticks(setting.severities)
    ax.margins(x=0.08)
  grid[0].set_ylim(bottom=0)
  for ax in grid[count:]:
    ax.set_visible(False)
  for i, ax in enumerate(grid[:count]):
    ax.tick_params(labelbottom=i + columns >= count, left=i % columns == 0)
    if i + columns >= count:
      ax.set_xlabel('severity')
    if i % columns == 0:
      ax.set_ylabel('error (%)')
  style.legend(figure, style.entries(grid[:1]))
  return figure


def _severity_looks(
  lines: Sequence[Line], reference: Line
) -> list[dict[str, Any]]:
  """Line styles; all but the reference and the extremes grey if many."""
  marks = style.marks(list(dict.fromkeys(line.method for line in lines)))
  ordered = sorted(lines, key=lambda line: line.errors['corrupted'].mean)
  shown = ordered if len(lines) <= 6 else (ordered[0], ordered[-1])
  looks: list[dict[str, Any]] = []
  for line in lines:
    look = {'label': label(line, lines), **marks[line.method]}
    look['linestyle'] = (0, (2, 1)) if line.pruned else '-'
    if line is reference:
      look |= {'color': style.INK, 'linestyle': (0, (4, 2.5)), 'zorder': 3}
      look['label'] = f'reference: {look["label"]}'
    elif not any(line is x for x in shown):
      look = {'label': 'the others', 'color': '#c4c4c4', 'linewidth': 0.7}
      look['zorder'] = 1.5
    looks.append(look)
  return looks
