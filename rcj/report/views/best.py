"""Which network of a panel is the best, where that can be told."""

from __future__ import annotations

from collections.abc import Sequence

from rcj.report import paired
from rcj.report.views.filled import Column, Outcome


def best(outcomes: Sequence[Outcome], column: Column) -> Outcome | None:
  """The outcome of lowest error, if its lead is resolved.

  Its paired difference to the runner-up must exclude zero. None where it does
  not, where there is no runner-up, and where the two share no seed or kept no
  predictions of the same images.
  """
  ranked = sorted(
    (o for o in outcomes if column in o.values),
    key=lambda o: o.values[column].estimate.mean,
  )
  if len(ranked) < 2:
    return None
  first, second = (o.values[column].sources for o in ranked[:2])
  try:
    _, _, high = paired.between(
      first, second, column.suite, column.setting.cells
    )
  except (FileNotFoundError, ValueError):
    return None
  return ranked[0] if high < 0 else None
