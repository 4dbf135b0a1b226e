"""The answer to a claim, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rcj import claim
from rcj.report import paired
from rcj.report.views.claims import verdict
from rcj.report.views.filled import Filled, Finding

HEADS = ('pair', 'error of', 'difference', 'verdict', 'images', 'seeds')
COLUMNS = (
  'view', 'first', 'second', 'pair', 'pooled', 'of', 'difference', 'low',
  'high', 'images', 'seeds', 'verdict', 'reason',
)  # fmt: skip


def row(finding: Finding) -> tuple[str, ...]:
  """What stands below `HEADS` for a difference."""
  known = not math.isnan(finding.mean)
  values = (finding.mean, finding.low, finding.high)
  return (
    finding.place,
    str(finding.quantity),
    paired.shown(*values) if known else '–',
    finding.verdict,
    f'{finding.images:,}' if known else '–',
    str(finding.seeds) if known else '–',
  )


def answered(filled: Filled) -> str:
  """The verdict, with 'so far' where pairs are missing: they may change it."""
  found = verdict(filled)
  if found == 'not run' or not any(_is_missing(f) for f in filled.findings):
    return found
  return f'{found} so far'


def _is_missing(finding: Finding) -> bool:
  return not finding.pooled and math.isnan(finding.mean)


def verdicts(filled: Filled) -> str:
  """'heavy: holds for 2 of 6 pairs at 300 images and 3 seeds', and so on."""
  return '; '.join(
    f'{f.quantity}: {f.verdict}{_numbers(f)}'
    for f in filled.findings
    if f.pooled
  )


def notes(filled: Filled) -> list[str]:
  """What a reader of the differences must know, in sentences."""
  stated = claim.parse(filled.view.axis)
  first, second = [*filled.series, 'first', 'second'][:2]
  result = [
    f'Verdict: {answered(filled)} ({verdicts(filled)}).',
    f'Difference: error of {first} minus that of {second} in percentage '
    f'points, image by image, with 95 % intervals: {_meaning(stated)}.',
    'Intervals are over images, with several seeds widened to hold the t '
    'interval over those seeds that all networks of the row share; with one '
    'seed they say nothing of other seeds. All pairs: their mean, each of '
    'equal weight.',
  ]
  if any(quantity.minus for quantity in stated.quantities):
    result.append(
      'A minus B: the difference under A less that under B, image by image.'
    )
  unknown = dict.fromkeys(
    f'{f.place}: {f.reason}' for f in filled.findings if f.reason
  )
  if unknown:
    result.append(f'Unknown: {"; ".join(unknown)}.')
  return result


def records(filled: Filled) -> Iterable[Mapping[str, Any]]:
  """Rows of a CSV, by `COLUMNS`; differences are fractions."""
  first, second = [*filled.series, '', ''][:2]
  for f in filled.findings:
    values = {'difference': f.mean, 'low': f.low, 'high': f.high}
    yield {
      'view': filled.view.name,
      'first': first,
      'second': second,
      'pair': f.place,
      'pooled': 'yes' if f.pooled else 'no',
      'of': f.quantity,
      **{k: _fraction(x) for k, x in values.items()},
      'images': f.images,
      'seeds': f.seeds,
      'verdict': f.verdict,
      'reason': f.reason,
    }


def markdown(filled: Filled) -> Iterable[Sequence[str]]:
  """Header, rule and rows of a table."""
  yield HEADS
  yield ('---', '---', '---:', '---', '---:', '---:')
  for finding in filled.findings:
    cells = row(finding)
    yield [f'**{x}**' for x in cells] if finding.pooled else cells


def _meaning(stated: claim.Claim) -> str:
  if stated.relation == 'within':
    margin = f'{stated.margin:g}'
    return (
      f'the claim holds if the interval ends below {margin}, and does not if '
      f'it begins above'
    )
  side = 'below' if stated.relation == 'lower' else 'above'
  return f'the claim holds if the interval lies {side} zero'


def _numbers(finding: Finding) -> str:
  if math.isnan(finding.mean):
    return ''
  seeds = f'{finding.seeds} seed{"s" if finding.seeds != 1 else ""}'
  return f' for {finding.place} at {finding.images:,} images and {seeds}'


def _fraction(points: float) -> str:
  return '' if math.isnan(points) else f'{points / 100:.5f}'
