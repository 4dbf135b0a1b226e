"""From predictions to rows of error rates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rcj import intervals
from rcj.evaluate.predict import Outcome
from rcj.evaluate.suites import Suite


def rows(suite: Suite, outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
  """Error rates with 95 % bootstrap intervals over images.

  One row per cell and, where there are several, one with corruption 'mean':
  the plain mean over cells (decision 18), each image's cells resampled
  together (decision 28).
  """
  wrong = np.stack([o.predicted != suite.labels for o in outcomes], 1)
  made = [
    _row(suite, o.corruption, o.severity or '', wrong[:, i])
    for i, o in enumerate(outcomes)
  ]
  if len(outcomes) > 1:
    made.append(_row(suite, 'mean', '', wrong))
  return made


def _row(
  suite: Suite, corruption: str, severity: int | str, wrong: np.ndarray
) -> dict[str, object]:
  error, low, high = intervals.bootstrap_mean(wrong)
  return {
    'suite': suite.name,
    'corruption': corruption,
    'severity': severity,
    'protocol': suite.protocol,
    'n': len(wrong),
    'error': error,
    'low': low,
    'high': high,
  }
