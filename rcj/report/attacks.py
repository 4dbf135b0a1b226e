"""Robust accuracy under attack, and whether the attacks can be believed."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rcj.report import suites

if TYPE_CHECKING:
  from rcj.report.summary import Estimate, Line


@dataclasses.dataclass(frozen=True)
class Attacked:
  """The columns `results.ATTACKED`; nan or '' where there is nothing.

  Attributes:
    eps: radius, images in 0..1; of salt and pepper the rate of pixels.
    norm: 'linf' or 'l2'.
    norm_25: a quarter of the images were fooled by at most this norm; inf if
      fewer were fooled at all.
    norm_50: half of them.
    norm_75: three quarters.
    zero_gradients: share of the images whose gradient is exactly zero.
    masked: what disagrees with robustness, comma-separated; 'no', '' where it
      was not checked.
  """

  eps: float = math.nan
  norm: str = ''
  norm_25: float = math.nan
  norm_50: float = math.nan
  norm_75: float = math.nan
  zero_gradients: float = math.nan
  masked: str = ''

  def radius(self, attack: str) -> str:
    """'8/255', '0.5 l2', '5 % px'; '' without one."""
    if math.isnan(self.eps):
      return ''
    if attack == _OF_PIXELS:
      return f'{100 * self.eps:.3g} % px'
    if self.norm == 'linf':
      return f'{255 * self.eps:.3g}/255'
    return f'{self.eps:.3g} {self.norm}'.rstrip()

  @property
  def quantiles(self) -> str:
    """'0.12, 0.31, inf l2', '0, 2, inf /255'; '' where they are unknown."""
    values = (self.norm_25, self.norm_50, self.norm_75)
    if all(map(math.isnan, values)):
      return ''
    scale, unit = (255, '/255') if self.norm == 'linf' else (1, self.norm)
    texts = (f'{scale * x:.2g}' for x in values)
    return f'{", ".join(texts)} {unit}'.rstrip()


@dataclasses.dataclass(frozen=True)
class Attacks:
  """What the table 'Attacks' says of a network, in words.

  Attributes:
    method: label of the network.
    ratio: parameters / nonzero.
    zero_gradients: share of the images whose gradient is zero.
    masked: what disagrees with its robustness, 'no', or 'not checked'.
    rows: one for each attack.
  """

  method: str
  ratio: str
  zero_gradients: str
  masked: str
  rows: tuple[tuple[str, ...], ...]


Measured = tuple['Estimate', Attacked]  # error in percent, and its attack
CAPTION = (
  'robust accuracy in %, 95 % intervals; eps in the order of the strengths, '
  'n/255 in linf, px: of the pixels; fooled by: norms of the perturbations '
  'that fool 25, 50, 75 % of the images, 0 where these are wrong as they are'
)
_OF_PIXELS = 'salt_and_pepper'  # its eps is a rate, whatever its norm
_FIELDS = dataclasses.fields(Attacked)


def read(record: Mapping[str, str]) -> Attacked:
  """The attack of a line of results.csv, whose columns may be missing.

  Raises:
    ValueError: if there is text where a number is due.
  """
  found = {f: record.get(f.name) or f.default for f in _FIELDS}
  return Attacked(**{f.name: type(f.default)(x) for f, x in found.items()})


def mean(of_seeds: Sequence[Attacked]) -> Attacked:
  """Mean over seeds; the norm is that of the first, of masking all is told."""
  values = zip(*map(dataclasses.astuple, of_seeds), strict=True)
  means = [x[0] if isinstance(x[0], str) else sum(x) / len(x) for x in values]
  joined = _joined([attacked.masked for attacked in of_seeds])
  return dataclasses.replace(Attacked(*means), masked=joined)


def _joined(masked: Sequence[str]) -> str:
  """'Square (2 of 3 seeds), transfer'; 'no' and '' where all seeds say so."""
  words = Counter(
    word.strip()
    for text in masked
    for word in (text or 'not checked').split(',')
  )
  if set(words) == {'not checked'}:
    return ''
  if len(words) > 1:
    del words['no']
  return ', '.join(
    word if count == len(masked) else f'{word} ({count} of {len(masked)} seeds)'
    for word, count in words.items()
  )


def table(lines: Sequence[Line]) -> tuple[tuple[str, ...], list[Attacks]]:
  """Heads of the rows, and the networks that were attacked."""
  strengths = [
    suite
    for suite in (*suites.ATTACKS, *suites.APART)
    if any(suite == found for line in lines for found, _ in line.attacks)
  ]
  networks = [_network(line, strengths) for line in lines if line.attacks]
  return ('attack', *strengths, 'eps', 'fooled by'), networks


def _network(line: Line, strengths: Sequence[str]) -> Attacks:
  own = [attacked for _, attacked in line.attacks.values()]
  shares = [a.zero_gradients for a in own if not math.isnan(a.zero_gradients)]
  verdicts = [a.masked for a in own if a.masked]
  names = dict.fromkeys(attack for _, attack in line.attacks)
  return Attacks(
    method=line.method,
    ratio=f'{line.ratio:.1f}',
    zero_gradients=f'{100 * shares[0]:.1f} %' if shares else '-',
    masked=verdicts[0] if verdicts else 'not checked',
    rows=tuple(_row(line, name, strengths) for name in names),
  )


def _row(line: Line, name: str, strengths: Sequence[str]) -> tuple[str, ...]:
  found = {s: line.attacks.get((s, name)) for s in strengths}
  own = [x[1] for x in found.values() if x]
  return (
    name,
    *(_accuracy(x[0]) if x else '-' for x in found.values()),
    _distinct(attacked.radius(name) for attacked in own),
    _distinct(attacked.quantiles for attacked in own),
  )


def _accuracy(error: Estimate) -> str:
  shown = f'{100 - error.mean:.1f}'
  if math.isnan(error.low):
    return shown
  return f'{shown} [{100 - error.high:.1f}, {100 - error.low:.1f}]'


def _distinct(texts: Iterable[str]) -> str:
  return '; '.join(dict.fromkeys(filter(None, texts))) or '-'
