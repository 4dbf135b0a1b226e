"""Bars in groups along an axis of words, such as teachers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rcj.report import style
from rcj.report.views.filled import Column, Filled, Outcome
from rcj.report.views.panels import Panel, empty, finish, panels

if TYPE_CHECKING:
  from matplotlib.figure import Figure

_GROUP = 0.84  # of the distance between groups
_NOT_RUN = {
  'facecolor': 'none',
  'edgecolor': '#d0d0d0',
  'hatch': '//////',
  'linewidth': 0,
}
_ACROSS = {'linestyle': (0, (4, 2.5)), 'linewidth': 1.0}


def bars(filled: Filled) -> Figure:
  """Error by x (groups) and series (bars), with intervals.

  Cells without x hold for every x and are drawn as a line across. Where
  nothing has been run there is a hatched bar as high as the panel.
  """
  groups = list(dict.fromkeys(o.cell.x for o in filled.outcomes if o.cell.x))
  colours = {s: m['color'] for s, m in style.marks(filled.series).items()}
  entries = _entries(filled, colours)
  tilted = sum(map(len, groups)) > 26
  under = 0.3 + (0.045 * max(map(len, groups), default=0) if tilted else 0.12)
  figure, made = panels(filled, list(entries), under=under)
  for panel in made:
    top = _top(filled, panel.column)
    panel.ax.set_ylim(0, top)
    _draw(panel, groups, colours, _width(filled), top)
    tilt = {'rotation': 40, 'ha': 'right', 'rotation_mode': 'anchor'}
    panel.ax.set_xticks(range(len(groups)), groups, **(tilt if tilted else {}))
    panel.ax.set_xlim(-0.6, len(groups) - 0.4)
    panel.ax.tick_params(axis='x', length=0)
    panel.ax.grid(False, axis='x')
    if panel.last:
      panel.ax.set_xlabel(filled.view.axis)
  return finish(figure, entries)


def _draw(
  panel: Panel,
  groups: Sequence[str],
  colours: Mapping[str, str],
  width: float,
  top: float,
) -> None:
  ends = []
  for centre, x in enumerate(groups):
    own = [o for o in panel.outcomes if o.cell.x == x]
    for i, outcome in enumerate(own):
      place = centre + width * (i - (len(own) - 1) / 2)
      if panel.column in outcome.values:
        e = outcome.values[panel.column].estimate
        colour = colours[outcome.cell.series]
        panel.ax.bar(place, e.mean, 0.9 * width, color=colour)
        ends += [] if math.isnan(e.low) else [(place, e.low, e.high)]
      elif outcome.lacks(panel.column.suite):
        panel.ax.bar(place, top, 0.9 * width, **_NOT_RUN)
  if ends:
    panel.ax.vlines(*zip(*ends, strict=True), color=style.INK, linewidth=0.7)
  if not panel.measured:
    empty(panel)
  for outcome in panel.measured:
    if not outcome.cell.x:
      _line(panel, outcome, colours[outcome.cell.series])


def _line(panel: Panel, outcome: Outcome, colour: str) -> None:
  estimate = outcome.values[panel.column].estimate
  panel.ax.axhline(estimate.mean, color=colour, **_ACROSS)
  if not math.isnan(estimate.low):
    panel.ax.axhspan(
      estimate.low,
      estimate.high,
      color=colour,
      alpha=0.12,
      linewidth=0,
      zorder=0.5,
    )


def _entries(filled: Filled, colours: Mapping[str, str]) -> dict[str, Any]:
  """Handles of all series, those that were not run too: hatches have no hue."""
  from matplotlib.lines import Line2D
  from matplotlib.patches import Patch

  across = {o.cell.series for o in filled.outcomes if not o.cell.x}
  entries: dict[str, Any] = {
    name: Line2D([], [], color=colour, **_ACROSS)
    if name in across
    else Patch(color=colour)
    for name, colour in colours.items()
  }
  suites = {column.suite for column in filled.columns}
  if any(o.lacks(suite) for o in filled.outcomes for suite in suites):
    entries['not run'] = Patch(**_NOT_RUN)
  return entries


def _width(filled: Filled) -> float:
  """Of a bar, so that the fullest group fits; the same in all panels."""
  sizes = Counter((o.cell.panel, o.cell.x) for o in filled.outcomes if o.cell.x)
  return _GROUP / max(sizes.values(), default=1)


def _top(filled: Filled, column: Column) -> float:
  """End of the axis; intervals much wider than the errors are cut."""
  found = [
    o.values[column].estimate for o in filled.outcomes if column in o.values
  ]
  ends = [e.mean if math.isnan(e.high) else e.high for e in found]
  return 1.05 * min(max(ends), 1.5 * max(e.mean for e in found)) or 1.0
