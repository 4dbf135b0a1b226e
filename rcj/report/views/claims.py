"""What becomes of a claim: differences in error, of each pair and of all."""

from __future__ import annotations

from collections.abc import Sequence

from rcj import claim, grid
from rcj.report import contrast, paired, suites
from rcj.report.contrast import Contrast
from rcj.report.views.filled import Column, Filled, Finding, Outcome


class _NotRunError(ValueError):
  """What is missing can still be run."""


def findings(filled: Filled) -> tuple[Finding, ...]:
  """For each quantity of a claim that of all pairs, then those of each pair.

  All pairs together are their mean, each of equal weight. Test images that
  several pairs share are averaged image by image, so that the interval is over
  images, not over pairs. Pairs that were not run, or cannot be compared, are
  left out of it.
  """
  stated = claim.parse(filled.view.axis)
  outcomes = {id(o.cell): o for o in filled.outcomes}
  result: list[Finding] = []
  for quantity in stated.quantities:
    own, known = [], []
    for first, second in grid.pairs(filled.view):
      place = ', '.join(filter(None, (first.panel, first.x)))
      pair = (outcomes[id(first)], outcomes[id(second)])
      try:
        known.append(_difference(quantity, *pair))
      except (FileNotFoundError, ValueError) as e:
        own.append(_unknown(quantity, place, e))
      else:
        own.append(_finding(stated, quantity, place, known[-1]))
    result += [_pooled(stated, quantity, own, known), *own]
  return tuple(result)


def verdict(filled: Filled) -> claim.Verdict:
  """Of a claim as a whole: it holds where each of its quantities does."""
  found = {f.verdict for f in filled.findings if f.pooled}
  if 'does not hold' in found:
    return 'does not hold'
  return found.pop() if len(found) == 1 else 'not resolved'


def _difference(
  quantity: claim.Quantity, first: Outcome, second: Outcome
) -> Contrast:
  """The paired difference of a quantity.

  Raises:
    FileNotFoundError: without predictions.
    ValueError: if something was not run, or cannot be compared.
  """
  result = _measured(quantity.measure, first, second)
  if quantity.minus is None:
    return result
  minus = _measured(quantity.minus, first, second)
  return contrast.total([result, minus.scaled(-1)])


def _measured(
  measure: claim.Measure, first: Outcome, second: Outcome
) -> Contrast:
  wanted = [measure.suite]
  if measure.suite == claim.SHIFTS:
    found = {c.suite for o in (first, second) for c in o.values}
    wanted = sorted(filter(suites.is_shift, found))
  if not wanted:
    raise _NotRunError('no other domain was evaluated')
  return contrast.average(
    [_of_suite(suite, measure.attack, first, second) for suite in wanted]
  )


def _of_suite(
  suite: str, attack: str, first: Outcome, second: Outcome
) -> Contrast:
  column = _shared(suite, first, second)
  cells = column.setting.cells
  if attack:
    cells = tuple(cell for cell in cells if cell[0] == attack)
    if not cells:
      known = ', '.join(column.setting.corruptions) or 'none'
      raise _NotRunError(f'no attack {attack} in {suite}; there are: {known}')
  sources = (o.values[column].sources for o in (first, second))
  return paired.contrast(*sources, suite, cells)


def _shared(suite: str, first: Outcome, second: Outcome) -> Column:
  """The column of a suite in which both networks have the most seeds."""

  def seeds(column: Column) -> int:
    a, b = (o.values[column].sources for o in (first, second))
    return len(set(a) & set(b))

  found = [c for c in first.values if c.suite == suite and c in second.values]
  if not all(any(c.suite == suite for c in o.values) for o in (first, second)):
    raise _NotRunError(f'{suite} was not run')
  if not found:
    raise ValueError(f'{suite}: they were evaluated on different images')
  return max(found, key=seeds)


def _finding(
  stated: claim.Claim,
  quantity: claim.Quantity,
  place: str,
  difference: Contrast,
  *,
  pooled: bool = False,
) -> Finding:
  mean, low, high = difference.interval()
  return Finding(
    quantity=quantity,
    place=place,
    pooled=pooled,
    mean=mean,
    low=low,
    high=high,
    images=difference.count,
    seeds=len(difference.seeds),
    verdict=stated.verdict(low, high),
  )


def _unknown(quantity: claim.Quantity, place: str, error: Exception) -> Finding:
  missing = isinstance(error, _NotRunError)
  return Finding(
    quantity=quantity,
    place=place,
    pooled=False,
    verdict='not run' if missing else 'not resolved',
    reason=str(error),
  )


def _pooled(
  stated: claim.Claim,
  quantity: claim.Quantity,
  own: Sequence[Finding],
  known: Sequence[Contrast],
) -> Finding:
  # Pairs of fewer seeds would take the seeds that the others share.
  most = max((set(c.seeds) for c in known), key=len, default=set())
  known = [c for c in known if set(c.seeds) >= most]
  every = (
    f'all {len(own)}'
    if len(known) == len(own)
    else (f'{len(known)} of {len(own)}')
  )
  place = f'{every} pair{"s" if len(own) != 1 else ""}'
  if known:
    mean = contrast.average(known)
    return _finding(stated, quantity, place, mean, pooled=True)
  compared = any(f.verdict != 'not run' for f in own)
  return Finding(
    quantity=quantity,
    place=place,
    pooled=True,
    verdict='not resolved' if compared else 'not run',
  )
