"""The results table in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import groupby

from rich import box
from rich.console import Console
from rich.table import Table

from rcj.report.rows import SUITES, Row
from rcj.report.summary import SMOKE, Estimate, Line, is_smoke, table

WIDE = 110  # columns from which an interval fits beside its error


def print_table(rows: Iterable[Row], console: Console | None = None) -> None:
  """Prints errors in percent with 95 % intervals, one table per setting.

  Args:
    rows: rows as `read` gives them.
    console: where to; standard output by default.
  """
  console = console or Console()
  wide = console.width >= WIDE
  for setting, lines in groupby(table(rows), key=lambda line: line.setting):
    console.print(_table(str(setting), list(lines), wide=wide))


def _table(title: str, lines: list[Line], *, wide: bool) -> Table:
  caption = 'error in %, 95 % intervals'
  if is_smoke(lines):
    caption += f'\n{SMOKE}'
  result = Table(
    title=title,
    caption=caption,
    box=box.SIMPLE_HEAD,
    padding=(0, 1) if wide else 0,
    show_edge=False,
  )
  result.add_column('method', overflow='fold', min_width=12)
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
