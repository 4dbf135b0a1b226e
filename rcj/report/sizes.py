"""Error against the number of parameters left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rcj.report import style, suites
from rcj.report.summary import Line, label

if TYPE_CHECKING:
  from matplotlib.axes import Axes
  from matplotlib.figure import Figure

_ACROSS = 4  # panels that fit side by side


def against_size(lines: Sequence[Line], reference: Line) -> Figure:
  """Error against remaining parameters, one panel per suite."""
  from matplotlib.figure import Figure
  from matplotlib.ticker import MaxNLocator

  found = suites.ordered(suite for line in lines for suite in line.errors)
  methods = list(dict.fromkeys(line.method for line in lines))
  dashed = f'reference: {label(reference, lines)}'
  rows = math.ceil(len(found) / _ACROSS)
  columns = math.ceil(len(found) / rows)
  height = 2.5 * rows + style.legend_height([dashed, *methods])
  figure = Figure(figsize=(style.WIDTH, height))
  grid = figure.subplots(rows, columns, squeeze=False)
  axes = grid.ravel()[: len(found)]
  marks = style.marks(methods)
  shifts = _shifts(lines)
  for ax, suite in zip(axes, found, strict=True):
    ax.set_title(suites.title(suite))
    for method in methods:
      own = [x for x in lines if x.method == method and suite in x.errors]
      _curve(ax, own, suite, marks[method], shifts)
    if suite in reference.errors:
      ax.axhline(
        reference.errors[suite].mean,
        color=style.INK,
        linestyle=(0, (4, 2.5)),
        linewidth=0.9,
        zorder=1,
        label=dashed,
      )
    size_axis(ax, [line.nonzero for line in lines])
    ax.margins(y=0.08)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
  for ax in grid[:, 0]:
    ax.set_ylabel('error (%)')
  for ax in grid.ravel()[len(found) :]:
    ax.set_visible(False)
  style.legend(figure, style.entries(axes))
  return figure


def _curve(
  ax: Axes,
  lines: Sequence[Line],
  suite: str,
  mark: Mapping[str, Any],
  shifts: Mapping[int, float],
) -> None:
  """Points of one method; those of one architecture are joined."""
  for parameters in dict.fromkeys(line.parameters for line in lines):
    own = [line for line in lines if line.parameters == parameters]
    errors = [line.errors[suite] for line in own]
    mean = np.array([e.mean for e in errors])
    ends = np.array([[e.low, e.high] for e in errors])
    ends = np.where(np.isnan(ends), mean[:, None], ends)
    # A t interval that was cut at zero may start above a rounded mean.
    bars = np.abs(ends - mean[:, None]).T
    ax.errorbar(
      [line.nonzero * shifts[id(line)] for line in own],
      mean,
      yerr=bars,
      elinewidth=0.7,
      markeredgecolor='white',
      markeredgewidth=0.5,
      label=own[0].method,
      zorder=2.5,
      **mark,
    )


def _shifts(lines: Sequence[Line]) -> dict[int, float]:
  """{id(line): factor} that moves points of nearly equal size apart."""
  ordered = sorted(lines, key=lambda line: line.nonzero)
  clusters: list[list[Line]] = []
  for line in ordered:
    if clusters and line.nonzero < 1.1 * clusters[-1][0].nonzero:
      clusters[-1].append(line)
    else:
      clusters.append([line])
  return {
    id(line): 1.07 ** (i - (len(cluster) - 1) / 2)
    for cluster in clusters
    for i, line in enumerate(cluster)
  }


def size_axis(
  ax: Axes, sizes: Sequence[float], label: str = 'parameters left'
) -> None:
  """Makes x a logarithmic axis with few ticks that holds these sizes."""
  from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

  low, high = min(sizes), max(sizes)
  ax.set_xscale('log')
  ax.set_xlim(low / 1.5, high * 1.5)
  span = high / low
  if span < 4:
    steps: tuple[int, ...] = (1, 2, 3, 5, 7)
  elif span < 12:
    steps = (1, 2, 5)
  else:
    steps = (1, 3) if span < 300 else (1,)
  ax.xaxis.set_major_locator(LogLocator(subs=steps, numticks=20))
  ax.xaxis.set_minor_locator(NullLocator())
  ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _short(x)))
  ax.set_xlabel(label)


def _short(count: float) -> str:
  for unit, suffix in ((1e9, 'G'), (1e6, 'M'), (1e3, 'k')):
    if count >= unit:
      return f'{count / unit:g}{suffix}'
  return f'{count:g}'
