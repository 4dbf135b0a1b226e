"""A view with what has been measured of it.

Errors are put in one column, and thereby in one mean, axis or comparison, only
where suite, protocol, corruptions and number of images agree: official and
generated corruptions have columns of their own.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from rcj import claim, grid
from rcj.report import suites
from rcj.report.summary import Estimate, Setting, Sources


@dataclasses.dataclass(frozen=True)
class Column:
  """A suite under one setting.

  Attributes:
    suite: such as 'clean'.
    setting: what its errors share.
    letter: 'a', 'b', ... where the suite has several settings, else ''.
  """

  suite: str
  setting: Setting
  letter: str = ''

  @property
  def title(self) -> str:
    """Name for a header."""
    return f'{self.suite} ({self.letter})' if self.letter else self.suite

  def __str__(self) -> str:
    parts = [self.setting.data, self.setting.protocol or 'source not stated']
    if self.suite in suites.ATTACKS:
      parts.append(f'attacks {", ".join(self.setting.corruptions)}')
    elif self.setting.cells:
      severities = ', '.join(map(str, self.setting.severities))
      parts.append(
        f'{len(self.setting.corruptions)} corruptions at severity {severities}'
      )
    return f'{self.title}: {", ".join(parts)}, {self.setting.n:,} images'


@dataclasses.dataclass(frozen=True)
class Value:
  """An error and the networks, by seed, that it is the mean of."""

  estimate: Estimate
  sources: Sources


@dataclasses.dataclass(frozen=True)
class Outcome:
  """A cell and what is known of it.

  Attributes:
    cell: the experiment and its place.
    where: what tells the cell from others of its series, in words: its x, or
      fields such as 'ratio 10'; '' where the series has one cell.
    values: errors by column; {} where nothing has been run.
    seeds: seeds that were run, ascending.
    parameters: of the dense architecture; 0 where nothing has been run.
    nonzero: parameters left, mean over seeds, rounded; 0 likewise.
    ratio: parameters / nonzero, mean over seeds; 0 likewise.
    bits: of the weights that are stored, without their positions, mean over
      seeds; nan where that is not known.
    best: columns in which the cell is the best of its table's panel, and the
      difference to the runner-up is resolved.
  """

  cell: grid.Cell
  where: str
  values: Mapping[Column, Value]
  seeds: tuple[int, ...]
  parameters: int
  nonzero: int
  ratio: float
  bits: float = math.nan
  best: frozenset[Column] = frozenset()

  @property
  def partial(self) -> bool:
    """Whether some seeds were run, and some are missing."""
    return 0 < len(self.seeds) < len(self.cell.runs)

  @property
  def counted(self) -> str:
    """Number of seeds that were run, and of all where some are missing."""
    done = str(len(self.seeds))
    return f'{done} of {len(self.cell.runs)}' if self.partial else done

  @property
  def status(self) -> str:
    """'run', 'not run', or such as '1 of 3 seeds'."""
    if not self.seeds:
      return 'not run'
    return f'{self.counted} seeds' if self.partial else 'run'

  def lacks(self, suite: str) -> bool:
    """Whether the suite was not measured, whatever the setting.

    A network that was shown other domains does not lack the one that it was
    trained on.
    """
    found = {column.suite for column in self.values}
    if suites.is_shift(suite):
      return not any(map(suites.is_shift, found))
    return suite not in found


@dataclasses.dataclass(frozen=True)
class Finding:
  """A difference that a claim speaks of: of one of its pairs, or of all.

  Attributes:
    quantity: what differs.
    place: panel and x of the pair, or how many pairs there are.
    pooled: whether it is the mean over all pairs.
    mean: in percentage points, the first network's error minus the second's;
      nan where it is unknown.
    low: lower end of the 95 % interval, see `contrast`.
    high: upper end.
    images: number of different images.
    seeds: number of seeds that all networks of it share.
    verdict: what it says of the claim.
    reason: why it is unknown, '' where it is known.
  """

  quantity: claim.Quantity
  place: str
  pooled: bool
  mean: float = math.nan
  low: float = math.nan
  high: float = math.nan
  images: int = 0
  seeds: int = 0
  verdict: claim.Verdict = 'not run'
  reason: str = ''


@dataclasses.dataclass(frozen=True)
class Filled:
  """A view and what is known of its cells.

  Attributes:
    view: what it shows.
    columns: what was measured anywhere in it, by suite.
    outcomes: one per cell, in their order.
    scales: factors that shortened the training of its runs, ascending.
    findings: of a claim, what became of it, of all pairs first; () otherwise.
  """

  view: grid.View
  columns: tuple[Column, ...]
  outcomes: tuple[Outcome, ...]
  scales: tuple[float, ...]
  findings: tuple[Finding, ...] = ()

  @property
  def panels(self) -> Mapping[str, Sequence[Outcome]]:
    """Outcomes by panel, in order of appearance."""
    result: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in self.outcomes:
      result[outcome.cell.panel].append(outcome)
    return result

  @property
  def series(self) -> Sequence[str]:
    """Names of the series, in order of appearance."""
    return list(dict.fromkeys(o.cell.series for o in self.outcomes))

  @property
  def places(self) -> str:
    """What tells cells of a series apart, as a header; '' if nothing does."""
    if not any(o.where for o in self.outcomes):
      return ''
    return self.view.axis if self.view.kind == 'bars' else 'cell'

  @property
  def folders(self) -> frozenset[pathlib.Path]:
    """Run directories that its errors come from."""
    return frozenset(
      folder
      for outcome in self.outcomes
      for value in outcome.values.values()
      for folder, _ in value.sources.values()
    )

  @property
  def missing(self) -> Sequence[str]:
    """What was not run, in words: a panel, its series, cells of a series."""
    result = []
    for panel, outcomes in self.panels.items():
      if any(o.seeds for o in outcomes):
        listed = ', '.join(_missing(outcomes))
        result += [f'{panel}: {listed}' if panel else listed] * bool(listed)
      else:
        result.append(panel or 'all')
    return result

  @property
  def status(self) -> str:
    """How much of the view has been run, and how."""
    done = [o for o in self.outcomes if o.seeds]
    seeds = sorted({seed for o in done for seed in o.seeds})
    parts = [f'{len(done)} of {len(self.outcomes)} cells run']
    if seeds:
      parts.append(f'seeds {", ".join(map(str, seeds))}')
    partial = sum(o.partial for o in done)
    if partial:
      parts.append(f'{partial} of the cells still lack a seed')
    if set(self.scales) - {1.0}:
      shown = ', '.join(f'{scale:g}' for scale in self.scales)
      parts.append(f'number of epochs scaled by {shown}')
    return '; '.join(parts)


def _missing(outcomes: Sequence[Outcome]) -> list[str]:
  """What was not run of a panel; a series without results by its name."""
  series: dict[str, list[Outcome]] = defaultdict(list)
  for outcome in outcomes:
    series[outcome.cell.series].append(outcome)
  result = []
  for name, own in series.items():
    where = [o.where for o in own if not o.seeds]
    if len(where) == len(own):
      result.append(name)
    elif where:
      result.append(f'{name} ({", ".join(where)})')
  return result
