"""Views as files to keep: SVG, tidy CSV and Markdown."""

from __future__ import annotations

import csv
import io
import itertools
import math
import os
import pathlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rcj.report import style
from rcj.report.views import answer
from rcj.report.views.figure import figure
from rcj.report.views.filled import Filled, Outcome
from rcj.report.views.table import header, notes, numbers

COLUMNS = (
  'view', 'panel', 'series', 'x', 'suite', 'error', 'low', 'high', 'seeds',
  'parameters', 'nonzero', 'ratio', 'n', 'protocol', 'status',
)  # fmt: skip


def write_files(
  views: Sequence[Filled], folder: str | os.PathLike[str]
) -> list[pathlib.Path]:
  """Writes NAME.csv and NAME.md of each view, and NAME.svg where it is drawn.

  The CSV has one row per cell, suite and protocol; errors are fractions, as in
  results.csv. That of a claim has one row per pair and quantity. Equal views
  give equal files.

  Returns:
    The files.

  Raises:
    ImportError: without matplotlib.
    ValueError: if two views have one name.
  """
  folder = pathlib.Path(folder)
  twice = [n for n, k in Counter(v.view.name for v in views).items() if k > 1]
  if twice:
    raise ValueError(
      f'more than one view is called {", ".join(twice)}: write the views of '
      'each sweep into a folder of its own'
    )
  folder.mkdir(parents=True, exist_ok=True)
  written = []
  for filled in views:
    for suffix, content in _contents(filled).items():
      path = folder / f'{filled.view.name}.{suffix}'
      path.write_bytes(content)
      written.append(path)
  return written


def _contents(filled: Filled) -> dict[str, bytes]:
  import matplotlib

  with matplotlib.rc_context(style.RC):
    drawn = figure(filled)
    result = {'svg': style.svg(drawn)} if drawn else {}
  buffer = io.StringIO()
  claimed = filled.view.kind == 'claim'
  columns = answer.COLUMNS if claimed else COLUMNS
  writer = csv.DictWriter(buffer, columns, lineterminator='\n')
  writer.writeheader()
  writer.writerows((answer.records if claimed else _records)(filled))
  result['csv'] = buffer.getvalue().encode()
  result['md'] = _markdown(filled, drawn=bool(drawn)).encode()
  return result


def _records(filled: Filled) -> Iterable[Mapping[str, Any]]:
  for o in filled.outcomes:
    shared = {
      'view': filled.view.name,
      'panel': o.cell.panel,
      'series': o.cell.series,
      'x': o.where,
      'status': o.status,
    }
    if not o.seeds:
      yield shared
      continue
    shared |= {
      'parameters': o.parameters,
      'nonzero': o.nonzero,
      'ratio': f'{o.ratio:.3f}',
    }
    for values in _values(o):
      yield shared | values


def _values(outcome: Outcome) -> Iterable[Mapping[str, Any]]:
  for column, value in outcome.values.items():
    estimate = value.estimate
    ends = {'error': estimate.mean, 'low': estimate.low, 'high': estimate.high}
    yield {
      'suite': column.suite,
      **{k: '' if math.isnan(x) else f'{x / 100:.5f}' for k, x in ends.items()},
      'seeds': ' '.join(map(str, sorted(value.sources))),
      'n': column.setting.n,
      'protocol': column.setting.protocol,
    }


def _markdown(filled: Filled, *, drawn: bool) -> str:
  claimed = filled.view.kind == 'claim'
  table = answer.markdown(filled) if claimed else _table(filled)
  image = f'![{filled.view.title}]({filled.view.name}.svg)'
  parts = [
    f'# {filled.view.name}',
    filled.view.title,
    *([image] if drawn else []),
    '\n'.join(f'| {" | ".join(row)} |' for row in table),
    '\n'.join(f'- {note}' for note in notes(filled)),
  ]
  return '\n\n'.join(parts) + '\n'


def _table(filled: Filled) -> Iterable[Sequence[str]]:
  """Header, rule and rows, without the words that no cell of the view has."""
  columns = header(filled)
  keep = [any(filled.panels), True, bool(filled.places)]
  words = ('panel', 'series', filled.places)
  yield [*itertools.compress(words, keep), *columns]
  yield ['---'] * sum(keep) + ['---:'] * len(columns)
  for panel, outcomes in filled.panels.items():
    for i, o in enumerate(outcomes):
      words = ('' if i else panel, o.cell.series, o.where)
      values = numbers(filled, o, str, best='**{}**')
      yield [*itertools.compress(words, keep), *values]
