"""The results table in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby

from rich import box
from rich.console import Console
from rich.table import Table

from rcj.report import costs
from rcj.report.rows import SUITES, Row
from rcj.report.summary import SMOKE, Estimate, Line, is_smoke, table

WIDE = 110  # columns from which an interval fits beside its error


def print_table(rows: Iterable[Row], console: Console | None = None) -> None:
  """Prints errors in percent with 95 % intervals, one table per setting.

  Where rows tell what networks cost, a second table does.

  Args:
    rows: rows as `read` gives them.
    console: where to; standard output by default.
  """
  console = console or Console()
  wide = console.width >= WIDE
  for setting, lines in groupby(table(rows), key=lambda line: line.setting):
    lines = list(lines)
    console.print(_table(str(setting), lines, wide=wide))
    heads, costing = costs.table(lines)
    if costing:
      console.print(_costs(heads, costing, wide=wide))


def _costs(
  heads: Sequence[str], rows: Sequence[Sequence[str]], *, wide: bool
) -> Table:
  result = _empty('Size and speed', costs.CAPTION, wide=wide)
  for head in heads[1:]:
    words = head == costs.PLACE
    result.add_column(
      head, justify='left' if words else 'right', no_wrap=not words
    )
  for row in rows:
    result.add_row(*row)
  return result


def _empty(title: str, caption: str, *, wide: bool) -> Table:
  result = Table(
    title=title,
    caption=caption,
    box=box.SIMPLE_HEAD,
    padding=(0, 1) if wide else 0,
    show_edge=False,
  )
  result.add_column('method', overflow='fold', min_width=12)
  return result


def _table(title: str, lines: list[Line], *, wide: bool) -> Table:
  caption = 'error in %, 95 % intervals'
  if is_smoke(lines):
    caption += f'\n{SMOKE}'
  result = _empty(title, caption, wide=wide)
  for name in ('ratio', 'parameters', 'non-zero', 'seeds', *SUITES):
    result.add_column(name, justify='right', no_wrap=True)
  pruned = False
  for line in lines:
    if line.pruned and not pruned:
      result.add_section()
    pruned = line.pruned
    result.add_row(
      line.method,
      f'{line.ratio:.1f}',
      f'{line.parameters:,}',
      f'{line.nonzero:,}',
      str(len(line.sources)),
      *(cell(line.errors.get(suite), wide=wide) for suite in SUITES),
    )
  return result


def cell(estimate: Estimate | None, *, wide: bool) -> str:
  """An error with its interval, beside it or below; '-' for None."""
  if estimate is None:
    return '-'
  if wide or math.isnan(estimate.low):
    return str(estimate)
  return f'{estimate.mean:.1f}\n{estimate.low:.1f}–{estimate.high:.1f}'
