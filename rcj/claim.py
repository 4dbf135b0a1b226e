"""Claims of papers as values: what must be true of differences in error.

A claim is about pairs of networks, a first and a second one, and speaks of the
error of the first minus that of the second. In text:

  heavy lower                  the first has the lower error
  clean, shifts higher         the higher one, on each of the two
  light within 1               at most 1 percentage point more
  heavy:pgd minus heavy:salt_and_pepper lower
                               its lead under PGD is the larger one
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

SHIFTS = 'shifts'  # the mean over all suites of other domains
ATTACKED = ('light', 'heavy')  # suites whose attacks can be named
SUITES = ('clean', 'corrupted', SHIFTS, *ATTACKED)
Verdict = Literal['holds', 'does not hold', 'not resolved', 'not run']
Relation = Literal['lower', 'higher', 'within']


@dataclasses.dataclass(frozen=True)
class Measure:
  """An error: of a suite, or of one of its attacks.

  Attributes:
    suite: one of `SUITES`.
    attack: such as 'pgd', '' for the whole suite.
  """

  suite: str
  attack: str = ''

  def __str__(self) -> str:
    return f'{self.suite}:{self.attack}' if self.attack else self.suite


@dataclasses.dataclass(frozen=True)
class Quantity:
  """A difference between two networks, or between two such differences."""

  measure: Measure
  minus: Measure | None = None

  def __str__(self) -> str:
    return (
      f'{self.measure} minus {self.minus}' if self.minus else f'{self.measure}'
    )


@dataclasses.dataclass(frozen=True)
class Claim:
  """What must be true of each quantity.

  Attributes:
    quantities: at least one.
    relation: 'lower' and 'higher' are than zero, 'within' than the margin.
    margin: of 'within', in percentage points; 0 otherwise.
  """

  quantities: tuple[Quantity, ...]
  relation: Relation
  margin: float = 0.0

  def __str__(self) -> str:
    margin = f' {self.margin:g}' if self.relation == 'within' else ''
    return f'{", ".join(map(str, self.quantities))} {self.relation}{margin}'

  def verdict(self, low: float, high: float) -> Verdict:
    """What the 95 % interval of one quantity says, in percentage points."""
    if self.relation == 'higher':
      low, high = -high, -low
    if high < self.margin:
      return 'holds'
    return 'does not hold' if low > self.margin else 'not resolved'


def parse(text: str) -> Claim:
  """The claim that a text states, as in the module's docstring.

  Raises:
    ValueError: for anything else; says what was expected and what came.
  """
  *subject, last = text.split() or ['']
  if subject and subject[-1] == 'within':
    relation: Relation = 'within'
    margin = _margin(last, text)
    subject = subject[:-1]
  elif last in ('lower', 'higher'):
    relation, margin = last, 0.0
  else:
    raise ValueError(
      f'claim {text!r} does not say what must be true: expected it to end in '
      "'lower', 'higher' or 'within N', N in percentage points"
    )
  parts = ' '.join(subject).split(',')
  return Claim(tuple(_quantity(p, text) for p in parts), relation, margin)


def _margin(word: str, text: str) -> float:
  try:
    margin = float(word)
  except ValueError:
    margin = math.nan
  if not 0 < margin <= 100:
    raise ValueError(
      f'claim {text!r}: the margin is {word!r}, expected a number of '
      'percentage points above 0, such as 1.5'
    )
  return margin


def _quantity(part: str, text: str) -> Quantity:
  words = part.split(' minus ')
  if len(words) > 2:
    raise ValueError(
      f'claim {text!r}: {part.strip()!r} subtracts more than once; expected '
      "'A' or 'A minus B'"
    )
  return Quantity(*(_measure(word.strip(), text) for word in words))


def _measure(word: str, text: str) -> Measure:
  suite, colon, attack = word.partition(':')
  if suite not in SUITES or (colon and (suite not in ATTACKED or not attack)):
    raise ValueError(
      f'claim {text!r}: {word!r} is no error that a claim can speak of; '
      f'expected one of {", ".join(SUITES)}, or an attack of '
      f'{" or ".join(ATTACKED)}, such as heavy:pgd'
    )
  return Measure(suite, attack)
