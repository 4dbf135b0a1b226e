"""Lines over a measured size: ratio, parameters left, or bits of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rcj.report import style
from rcj.report.sizes import size_axis
from rcj.report.views.filled import Column, Filled, Outcome
from rcj.report.views.panels import Panel, empty, finish, panels, wrapped

if TYPE_CHECKING:
  from matplotlib.figure import Figure

# Doublings, of which 5, 10, 20 and 40 are what papers prune to.
_RATIOS = (1, 2.5, *(5 * 2**i for i in range(10)))
_SIZES = {'nonzero': 'parameters left', 'bits': 'bits of weights'}
_BANDS = 4  # that can be told apart; more series have whiskers
_LINES = 3  # of the list of what was not run


def lines(filled: Filled) -> Figure:
  """Error against size, one line per series with a band of intervals.

  With many series the bands are whiskers, moved apart sideways. Cells that
  were not run have no measured size, so they are named below.
  """
  marks = style.marks(filled.series)
  drawn = {o.cell.series for o in filled.outcomes if o.values}
  entries = {
    name: _handle(marks[name]) for name in filled.series if name in drawn
  }
  note = _note(filled)
  figure, made = panels(filled, list(entries), under=0.45, note=note)
  for panel in made:
    _curves(panel, filled, marks)
    if not panel.measured:
      empty(panel)
    _axis(panel, filled)
    panel.ax.set_ylim(*_limits(filled, panel.column))
  return finish(figure, entries, note=note)


def _curves(
  panel: Panel, filled: Filled, marks: Mapping[str, Mapping[str, Any]]
) -> None:
  series = filled.series
  for i, name in enumerate(series):
    # A size that is not known is no place on the axis.
    own = [
      o
      for o in panel.measured
      if o.cell.series == name and _size(o, filled.view.axis) > 0
    ]
    if own and len(series) <= _BANDS:
      _curve(panel, own, filled.view.axis, marks[name], band=len(own) > 1)
    elif own:
      shift = 1.025 ** (i - (len(series) - 1) / 2)
      _curve(panel, own, filled.view.axis, marks[name], shift=shift)


def _curve(
  panel: Panel,
  outcomes: Sequence[Outcome],
  axis: str,
  mark: Mapping[str, Any],
  *,
  band: bool = False,
  shift: float = 1.0,
) -> None:
  """Markers joined by a line, over a band or with whiskers."""
  ordered = sorted(outcomes, key=lambda o: _size(o, axis))
  x = np.array([_size(o, axis) for o in ordered]) * shift
  mean, low, high = _errors(ordered, panel.column)
  edges = {'markeredgecolor': 'white', 'markeredgewidth': 0.5}
  panel.ax.plot(x, mean, zorder=2.5, **edges, **mark)
  if band:
    panel.ax.fill_between(
      x, low, high, color=mark['color'], alpha=0.13, linewidth=0
    )
  else:
    panel.ax.vlines(x, low, high, color=mark['color'], linewidth=0.7)


def _size(outcome: Outcome, axis: str) -> float:
  return getattr(outcome, axis)


def _errors(
  outcomes: Sequence[Outcome], column: Column
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Means and ends of intervals; an unknown interval has no width."""
  found = [o.values[column].estimate for o in outcomes]
  mean = np.array([e.mean for e in found])
  low = np.array([e.low for e in found])
  high = np.array([e.high for e in found])
  return (
    mean,
    np.where(np.isnan(low), mean, low),
    np.where(np.isnan(high), mean, high),
  )


def _limits(filled: Filled, column: Column) -> tuple[float, float]:
  """Ends of the axis; intervals much wider than the errors differ are cut."""
  own = [o for o in filled.outcomes if column in o.values]
  mean, low, high = _errors(own, column)
  room = max(0.4 * float(np.ptp(mean)), 2.0)
  bottom = max(float(low.min()), float(mean.min()) - room, 0.0)
  top = min(float(high.max()), float(mean.max()) + room)
  margin = 0.05 * (top - bottom) or 1.0
  return max(bottom - margin, 0.0), top + margin


def _axis(panel: Panel, filled: Filled) -> None:
  from matplotlib.ticker import FixedLocator, NullLocator

  known = [o for o in filled.outcomes if o.seeds]
  axis = filled.view.axis
  if axis in _SIZES:
    sizes = [_size(o, axis) for o in panel.measured or known]
    size_axis(panel.ax, [x for x in sizes if x > 0] or [1], _SIZES[axis])
  else:
    panel.ax.set_xscale('log')
    ratios = [o.ratio for o in known]
    panel.ax.set_xlim(min(ratios) / 1.25, max(ratios) * 1.25)
    panel.ax.xaxis.set_major_locator(FixedLocator(_RATIOS))
    panel.ax.xaxis.set_minor_locator(NullLocator())
    panel.ax.xaxis.set_major_formatter('{x:g}')
    panel.ax.set_xlabel('compression ratio')
  if not panel.last:
    panel.ax.set_xlabel('')


def _note(filled: Filled) -> str:
  if not filled.missing:
    return ''
  listed = wrapped(f'not run: {"; ".join(filled.missing)}')
  if len(listed.splitlines()) <= _LINES:
    return listed
  count = sum(not o.seeds for o in filled.outcomes)
  return f'not run: {count} of {len(filled.outcomes)} cells'


def _handle(mark: Mapping[str, Any]) -> Any:
  from matplotlib.lines import Line2D

  return Line2D([], [], **mark)
