"""Draws docs/inference.svg of the numbers that benchmarks/inference.py wrote.

  python benchmarks/inference_figure.py [docs/inference.json]

Images per second on two threads, a panel for each network and batch. The SVG
lies beside the JSON, and is the same for the same numbers.
"""

import argparse
import json
import math
import pathlib
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rcj.report import style

THREADS = 2
# (runtime, variant), from what people use today to what rcj adds.
BARS = (
  ('onnxruntime', 'dense'),
  ('OpenVINO', 'dense'),
  ('OpenVINO', 'int8'),
  ('DeepSparse', '90 % zeros'),
  ('rcj', '90 % zeros'),
  ('rcj', '90 % zeros, int8'),
)
_ACROSS = 4  # panels that fit beside the names
_BAR = 0.17  # inches


def rates(table: Mapping[str, Any]) -> dict[tuple[str, str], float]:
  """{(runtime, variant): images per second} of those of `BARS` there are."""
  took = table['milliseconds']
  return {
    (runtime, variant): 1e3 * table['batch'] / took[variant][runtime]
    for runtime, variant in BARS
    if took.get(variant, {}).get(runtime)
  }


def figure(found: Mapping[str, Any]) -> Figure:
  """Bars of all tables on two threads, the machine below.

  Raises:
    ValueError: if nothing was measured on two threads.
  """
  tables = [t for t in found['tables'] if t['threads'] == THREADS]
  panels = [(_title(t), rates(t)) for t in tables]
  panels = [(title, each) for title, each in panels if each]
  if not panels:
    raise ValueError(
      f'expected a table of {THREADS} threads with one of {list(BARS)}, got '
      f'{len(found["tables"])} tables without'
    )
  shown = [bar for bar in BARS if any(bar in each for _, each in panels)]
  caption = textwrap.wrap(
    f'Images per second on {THREADS} threads. {found["machine"]}', 120
  )
  rows = math.ceil(len(panels) / _ACROSS)
  columns = math.ceil(len(panels) / rows)
  below = 0.15 * len(caption) + 0.05
  height = rows * (_BAR * len(shown) + 0.6) + below
  drawn = Figure(figsize=(style.WIDTH, height))
  drawn.set_layout_engine(
    'constrained', rect=(0, below / height, 1, 1 - below / height)
  )
  grid = drawn.subplots(rows, columns, squeeze=False, sharey=True).ravel()
  for ax, (title, each) in zip(grid, panels, strict=False):
    ax.set_title(title)
    _bars(ax, shown, each)
  for ax in grid[len(panels) :]:
    ax.set_visible(False)
  drawn.text(
    *(0.01, 0.05 / height, '\n'.join(caption)), color=style.FAINT, size=7
  )
  return drawn


def _title(table: Mapping[str, Any]) -> str:
  return f'{table["case"]}\n{table["size"]} px, batch {table["batch"]}'


def _bars(
  ax: Axes,
  shown: Sequence[tuple[str, str]],
  found: Mapping[tuple[str, str], float],
) -> None:
  """Horizontal bars from above, each with its number at its end."""
  places = [i for i, bar in enumerate(shown) if bar in found]
  widths = [found[shown[i]] for i in places]
  own = [shown[i][0] == 'rcj' for i in places]
  drawn = ax.barh(
    places,
    widths,
    height=0.72,
    color=[style.COLOURS[0] if x else style.FAINT for x in own],
  )
  ax.bar_label(drawn, [_short(x) for x in widths], padding=2, fontsize=7)
  ax.set_yticks(range(len(shown)), [f'{r}, {v}' for r, v in shown])
  ax.set_ylim(len(shown) - 0.5, -0.5)
  ax.set_xlim(0, 1.35 * max(widths))
  ax.grid(visible=False, axis='y')
  ax.tick_params(axis='y', length=0)
  ax.locator_params(axis='x', nbins=3)


def _short(rate: float) -> str:
  return f'{rate:,.0f}' if rate >= 10 else f'{rate:.1f}'


def main() -> None:
  """Reads the JSON, writes the SVG."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    'numbers', nargs='?', default='docs/inference.json', type=pathlib.Path
  )
  path = parser.parse_args().numbers
  found = json.loads(path.read_text())
  with matplotlib.rc_context(style.RC):
    path.with_suffix('.svg').write_bytes(style.svg(figure(found)))
  print(path.with_suffix('.svg'))


if __name__ == '__main__':
  main()
