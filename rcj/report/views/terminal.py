"""The numbers of a view in a terminal."""

from __future__ import annotations

import dataclasses
import functools

from rich import box
from rich.console import Console
from rich.table import Table

from rcj.report.terminal import WIDE, cell, fitting, head
from rcj.report.views import answer
from rcj.report.views.filled import Filled
from rcj.report.views.table import header, notes, numbers


def print_view(filled: Filled, console: Console | None = None) -> None:
  """Prints errors in percent with 95 % intervals, one row per cell.

  Of a claim, its differences in error and its verdict.

  Args:
    filled: the view.
    console: where to; standard output by default.
  """
  console = console or Console()
  if filled.view.kind == 'claim':
    console.print(_claim(filled))
  else:
    for columns in fitting(filled.columns, console.width):
      part = dataclasses.replace(filled, columns=columns)
      console.print(_numbers(part, wide=console.width >= WIDE))
  for note in notes(filled):
    console.print(note, style='dim', highlight=False)


def _claim(filled: Filled) -> Table:
  table = Table(
    title=f'{filled.view.name}: {filled.view.title}',
    box=box.SIMPLE_HEAD,
    padding=0,
    show_edge=False,
  )
  for name in answer.HEADS:
    table.add_column(name, overflow='fold')
  for finding in filled.findings:
    table.add_row(*answer.row(finding), style='bold' * finding.pooled)
  return table


def _numbers(filled: Filled, *, wide: bool) -> Table:
  table = Table(
    title=f'{filled.view.name}: {filled.view.title}',
    box=box.SIMPLE_HEAD,
    padding=(0, 1) if wide else 0,
    show_edge=False,
  )
  table.add_column('', overflow='fold', min_width=12)
  for name in header(filled):
    table.add_column(head(name, wide=wide), justify='right', no_wrap=True)
  show = functools.partial(cell, wide=wide)
  for panel, outcomes in filled.panels.items():
    if panel:
      table.add_section()
      table.add_row(f'[bold]{panel}[/]')
    for o in outcomes:
      name = ', '.join(filter(None, (o.cell.series, o.where)))
      table.add_row(name, *numbers(filled, o, show, best='[bold]{}[/]'))
  return table
