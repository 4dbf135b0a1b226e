"""The numbers of a view in a terminal."""

from __future__ import annotations

import functools

from rich import box
from rich.console import Console
from rich.table import Table

from rcj.report.terminal import WIDE, cell
from rcj.report.views.filled import Filled
from rcj.report.views.table import header, notes, numbers


def print_view(filled: Filled, console: Console | None = None) -> None:
  """Prints errors in percent with 95 % intervals, one row per cell.

  Args:
    filled: the view.
    console: where to; standard output by default.
  """
  console = console or Console()
  wide = console.width >= WIDE
  table = Table(
    title=f'{filled.view.name}: {filled.view.title}',
    box=box.SIMPLE_HEAD,
    padding=(0, 1) if wide else 0,
    show_edge=False,
  )
  table.add_column('', overflow='fold', min_width=12)
  for name in header(filled):
    table.add_column(name, justify='right', no_wrap=True)
  show = functools.partial(cell, wide=wide)
  for panel, outcomes in filled.panels.items():
    if panel:
      table.add_section()
      table.add_row(f'[bold]{panel}[/]')
    for o in outcomes:
      name = ', '.join(filter(None, (o.cell.series, o.where)))
      table.add_row(name, *numbers(filled, o, show, best='[bold]{}[/]'))
  console.print(table)
  for note in notes(filled):
    console.print(note, style='dim', highlight=False)
