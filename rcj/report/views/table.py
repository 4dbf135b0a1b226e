"""A view as a table of numbers, in words."""

from __future__ import annotations

from collections.abc import Callable

from rcj.report.summary import Estimate
from rcj.report.views import answer
from rcj.report.views.filled import Column, Filled, Outcome

_SIZES = ('parameters', 'non-zero', 'ratio', 'seeds')


def header(filled: Filled) -> list[str]:
  """Names of the columns of numbers."""
  return [*(column.title for column in filled.columns), *_SIZES]


def numbers(
  filled: Filled,
  outcome: Outcome,
  show: Callable[[Estimate], str],
  *,
  best: str,
) -> list[str]:
  """What stands below `header` for a cell.

  Args:
    filled: the view.
    outcome: the cell.
    show: an error as text.
    best: what the best of a panel looks like, with '{}' for its text.
  """

  def error(column: Column) -> str:
    if column not in outcome.values:
      return 'not run' if outcome.lacks(column.suite) else '–'
    shown = show(outcome.values[column].estimate)
    return best.format(shown) if column in outcome.best else shown

  return [*map(error, filled.columns), *_sizes(outcome)]


def notes(filled: Filled) -> list[str]:
  """What a reader of the numbers must know, in sentences."""
  result = [f'{filled.status}.']
  if filled.view.kind == 'claim':
    result += answer.notes(filled)
  else:
    result.append(
      'Errors in percent with 95 % intervals: t over seeds; bootstrap over '
      'images where there is one seed, which says nothing of other seeds.'
    )
  if filled.columns:
    result.append(f'{". ".join(map(str, filled.columns))}.')
  if any(column.letter for column in filled.columns):
    result.append(
      'Columns of different letters rest on different images or protocols: '
      'they are not averaged and must not be compared.'
    )
  if any(o.best for o in filled.outcomes):
    result.append(
      'Bold: the lowest error of those run in the panel, where the 95 % '
      'interval of its paired difference to the runner-up excludes zero.'
    )
  if filled.missing:
    result.append(f'Not run: {"; ".join(filled.missing)}.')
  return result


def _sizes(outcome: Outcome) -> tuple[str, str, str, str]:
  if not outcome.seeds:
    return '', '', '', 'not run'
  return (
    f'{outcome.parameters:,}',
    f'{outcome.nonzero:,}',
    f'{outcome.ratio:.1f}',
    outcome.counted,
  )
