"""The results table in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TypeVar

from rich import box
from rich.console import Console
from rich.table import Table

from rcj.report import attacks, costs, suites
from rcj.report.rows import Row
from rcj.report.summary import SMOKE, Estimate, Line, is_smoke, table

WIDE = 110  # columns from which an interval fits beside its error
_NARROW = 80
_ALWAYS = 3  # errors that fit beside a name and sizes in either width
_T = TypeVar('_T')


def print_table(rows: Iterable[Row], console: Console | None = None) -> None:
  """Prints errors in percent with 95 % intervals, one table per setting.

  Where rows tell what networks cost, a second table does, and tables of
  attacks follow where there are any. Errors that do not fit beside each other
  are put in several tables.

  Args:
    rows: rows as `read` gives them.
    console: where to; standard output by default.
  """
  console = console or Console()
  wide = console.width >= WIDE
  for setting, lines in groupby(table(rows), key=lambda line: line.setting):
    lines = list(lines)
    found = suites.ordered(suite for line in lines for suite in line.errors)
    for part in fitting(found, console.width):
      console.print(_table(str(setting), lines, part, wide=wide))
    heads, costing = costs.table(lines)
    if costing:
      console.print(_costs(heads, costing, wide=wide))
    _attacks('Attacks', lines, console)


def print_attacks(rows: Iterable[Row], console: Console | None = None) -> None:
  """Prints robust accuracy under attack, one table per network that has it.

  Args:
    rows: rows as `read` gives them.
    console: where to; standard output by default.
  """
  console = console or Console()
  for setting, lines in groupby(table(rows), key=lambda line: line.setting):
    _attacks(f'Attacks: {setting}', list(lines), console)


def _attacks(title: str, lines: Sequence[Line], console: Console) -> None:
  """A table for each network: names and verdicts are long."""
  heads, networks = attacks.table(lines)
  wide = console.width >= WIDE
  if networks:
    console.print(f'{title}: {attacks.CAPTION}', highlight=False)
  for network in networks:
    shown = Table(
      title=f'{network.method}, ratio {network.ratio}, zero gradients '
      f'{network.zero_gradients}, masked? {network.masked}',
      title_justify='left',
      box=box.SIMPLE_HEAD,
      padding=(0, 1) if wide else 0,
      show_edge=False,
    )
    for head in heads:
      words = head == heads[0]
      shown.add_column(
        head, justify='left' if words else 'right', overflow='fold'
      )
    for row in network.rows:
      shown.add_row(*row if wide else map(_below, row))
    console.print(shown)


def _below(text: str) -> str:
  """An interval below its accuracy, and one radius below the other."""
  mean, bracket, ends = text.partition(' [')
  if bracket:
    return f'{mean}\n{ends.rstrip("]").replace(", ", "–")}'
  return text.replace('; ', '\n')


def fitting(columns: Sequence[_T], width: int) -> list[Sequence[_T]]:
  """Columns of errors, in as many parts as a terminal of that width needs."""
  wide = width >= WIDE
  room = (width - WIDE) // 20 if wide else (width - _NARROW) // 12
  fits = _ALWAYS + max(0, room)
  parts = max(1, math.ceil(len(columns) / fits))
  size = max(1, math.ceil(len(columns) / parts))
  return [columns[i * size : (i + 1) * size] for i in range(parts)]


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


def _table(
  title: str, lines: list[Line], shown: Sequence[str], *, wide: bool
) -> Table:
  caption = 'error in %, 95 % intervals'
  if is_smoke(lines):
    caption += f'\n{SMOKE}'
  result = _empty(title, caption, wide=wide)
  for name in ('ratio', 'parameters', 'non-zero', 'seeds', *shown):
    result.add_column(head(name, wide=wide), justify='right', no_wrap=True)
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
      *(cell(line.errors.get(suite), wide=wide) for suite in shown),
    )
  return result


def head(name: str, *, wide: bool) -> str:
  """A name above errors, in lines where there is little room."""
  return name if wide else name.replace(' ', '\n')


def cell(estimate: Estimate | None, *, wide: bool) -> str:
  """An error with its interval, beside it or below; '-' for None."""
  if estimate is None:
    return '-'
  if wide or math.isnan(estimate.low):
    return str(estimate)
  return f'{estimate.mean:.1f}\n{estimate.low:.1f}–{estimate.high:.1f}'
