"""One look for all figures: fonts, colours, markers, SVG and PNG output."""

from __future__ import annotations

import base64
import io
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from matplotlib.axes import Axes
  from matplotlib.colors import LinearSegmentedColormap
  from matplotlib.figure import Figure

WIDTH = 7.2  # inches, two columns of a paper
INK = '#222222'
FAINT = '#8a8a8a'
# Okabe and Ito, Color Universal Design (2008), without black, which is the
# reference's, and with the yellow darkened for a white page.
COLOURS = (
  '#0072B2',
  '#D55E00',
  '#009E73',
  '#CC79A7',
  '#56B4E9',
  '#E69F00',
  '#9A8700',
)
MARKERS = 'osD^vPX<>h'
RC = {
  'font.family': 'DejaVu Sans',
  'font.size': 8.0,
  'axes.titlesize': 8.5,
  'axes.titleweight': 'bold',
  'axes.titlelocation': 'left',
  'axes.labelsize': 8.0,
  'axes.edgecolor': INK,
  'axes.labelcolor': INK,
  'axes.linewidth': 0.6,
  'axes.spines.top': False,
  'axes.spines.right': False,
  'axes.grid': True,
  'axes.axisbelow': True,
  'grid.color': '#e4e4e4',
  'grid.linewidth': 0.5,
  'xtick.labelsize': 7.0,
  'ytick.labelsize': 7.0,
  'xtick.color': INK,
  'ytick.color': INK,
  'xtick.major.width': 0.6,
  'ytick.major.width': 0.6,
  'lines.linewidth': 1.1,
  'lines.markersize': 4.5,
  'legend.frameon': False,
  'legend.fontsize': 7.5,
  'figure.facecolor': 'white',
  'svg.fonttype': 'path',
  'svg.hashsalt': 'rcj',
}


def sequential() -> LinearSegmentedColormap:
  """One hue, lightness falling evenly: reads the same in grey."""
  from matplotlib.colors import LinearSegmentedColormap

  stops = ['#f6f8fb', '#c3d5ea', '#7ba3cc', '#3a6ea5', '#16365c']
  return LinearSegmentedColormap.from_list('rcj', stops)


def marks(methods: Sequence[str]) -> dict[str, dict[str, Any]]:
  """{method: colour and marker}, distinct for up to 70 methods."""
  return {
    method: {
      'color': COLOURS[i % len(COLOURS)],
      'marker': MARKERS[i % len(MARKERS)],
    }
    for i, method in enumerate(methods)
  }


def legend_shape(names: Sequence[str]) -> tuple[int, int]:
  """Columns and rows in which a legend of these names fits below a figure."""
  widths = [0.55 + 0.062 * len(name) for name in names]  # inches
  if sum(widths) <= WIDTH:
    return len(names), 1
  columns = max(1, min(4, int(WIDTH / max(widths))))
  return columns, math.ceil(len(names) / columns)


def legend_height(names: Sequence[str]) -> float:
  """Height of that legend in inches."""
  return 0.06 + 0.17 * legend_shape(names)[1]


def entries(axes: Sequence[Axes]) -> dict[str, Any]:
  """What the axes name for a legend, each name once: {name: handle}."""
  result: dict[str, Any] = {}
  for ax in axes:
    for handle, text in zip(*ax.get_legend_handles_labels(), strict=True):
      result.setdefault(text, handle)
  return result


def legend(
  figure: Figure, entries: Mapping[str, Any], *, below: float = 0.0
) -> None:
  """Lays the figure out with a legend under it.

  Args:
    figure: the figure; its height has room for `legend_height` and `below`.
    entries: {name: handle}.
    below: inches that stay free under the legend.
  """
  height = figure.get_figheight()
  bottom = (below + legend_height(list(entries))) / height
  figure.set_layout_engine(
    'constrained', rect=(0, bottom, 1, 1 - bottom), wspace=0.03, hspace=0.03
  )
  figure.legend(
    entries.values(),
    entries.keys(),
    loc='lower center',
    bbox_to_anchor=(0, below / height, 1, 1),
    ncols=legend_shape(list(entries))[0],
    columnspacing=1.4,
    handlelength=2.2,
    borderaxespad=0.2,
  )


def svg(figure: Figure) -> bytes:
  """The figure as SVG, equal for equal figures."""
  # The layout's solver may differ in the last bits, which names in SVG show.
  figure.draw_without_rendering()
  figure.set_layout_engine('none')
  for ax in figure.axes:
    ax.set_position([round(v, 6) for v in ax.get_position().bounds])
  buffer = io.BytesIO()
  figure.savefig(buffer, format='svg', metadata={'Date': None})
  return buffer.getvalue()


def png(figure: Figure) -> bytes:
  """The figure as PNG."""
  buffer = io.BytesIO()
  figure.savefig(buffer, format='png', dpi=200)
  return buffer.getvalue()


def png_uri(path: pathlib.Path) -> str:
  """A PNG file as a data URI."""
  text = base64.b64encode(path.read_bytes()).decode()
  return f'data:image/png;base64,{text}'


def data_uri(figure: Figure) -> str:
  """The figure's SVG as a data URI."""
  text = base64.b64encode(svg(figure)).decode()
  return f'data:image/svg+xml;base64,{text}'
