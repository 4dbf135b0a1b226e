"""Rows aggregated over seeds: one line per method, size and setting."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from rcj import intervals
from rcj.report import attacks, costs, names, suites
from rcj.report.rows import MEAN, Fields, Row

# A method's networks: {seed: (run directory, label of the network in it)}.
Sources = Mapping[int, tuple[pathlib.Path, str]]
SMOKE = 'smoke table: one seed, intervals over images only'
# Counts of the same method differ a little between seeds when whole filters
# go; ratios this close are the same request.
_SAME_RATIO = 1.05


@dataclasses.dataclass(frozen=True, order=True)
class Setting:
  """What two error rates must share to be compared.

  Attributes:
    data: name of the data set.
    protocol: where corrupted images came from; '' without them. Of one suite,
      where its images came from.
    cells: (corruption, severity) pairs that were evaluated, sorted.
    n: number of images, of the corrupted ones where there are any.
    others: (suite, names of its attacks, number of images) of every other
      domain and strength of attack, sorted.
  """

  data: str
  protocol: str
  cells: tuple[tuple[str, int], ...]
  n: int
  others: tuple[tuple[str, tuple[str, ...], int], ...] = ()

  @property
  def corruptions(self) -> tuple[str, ...]:
    """Names of the corruptions, in alphabetical order."""
    return tuple(dict.fromkeys(name for name, _ in self.cells))

  @property
  def severities(self) -> tuple[int, ...]:
    """Severities, ascending."""
    return tuple(sorted({severity for _, severity in self.cells}))

  def cells_of(self, suite: str) -> tuple[tuple[str, int], ...]:
    """(corruption or attack, severity) of a suite; () for plain images."""
    if suite == 'corrupted':
      return self.cells
    found = {name: names for name, names, _ in self.others}
    return tuple((name, 0) for name in found.get(suite, ()))

  def __str__(self) -> str:
    parts = [self.data, f'{self.n:,} images']
    domains = [s for s, *_ in self.others if suites.is_shift(s)]
    parts += [f'domains: {", ".join(domains)}'] * bool(domains)
    attacked = {n for s, _, n in self.others if suites.is_attack(s)}
    parts += [f'{n:,} images under attack' for n in sorted(attacked)]
    if self.cells:
      severities = ', '.join(map(str, self.severities))
      parts.append(
        f'{len(self.corruptions)} corruptions at severity {severities} '
        f'({self.protocol})'
      )
    return '; '.join(parts)


@dataclasses.dataclass(frozen=True)
class Estimate:
  """An error in percent with its 95 % interval (nan where unknown)."""

  mean: float
  low: float
  high: float

  def __str__(self) -> str:
    if math.isnan(self.low):
      return f'{self.mean:.1f}'
    return f'{self.mean:.1f} [{self.low:.1f}, {self.high:.1f}]'


@dataclasses.dataclass(frozen=True)
class Line:
  """One method at one size.

  Attributes:
    setting: what it was evaluated on.
    method: label of the method.
    ratio: parameters / nonzero, mean over seeds.
    parameters: parameters of the dense architecture.
    nonzero: parameters left, mean over seeds, rounded.
    errors: {suite: error in percent}; intervals are over images with one
      seed, and over seeds with several.
    cells: {(corruption, severity): error in percent}, mean over seeds.
    sources: {seed: (run directory, label of the network in it)}.
    costs: what it costs to run and to store, mean over seeds.
    attacks: {(suite, attack): its error and what is known of it}; suites are
      also those that stand apart.
  """

  setting: Setting
  method: str
  ratio: float
  parameters: int
  nonzero: int
  errors: Mapping[str, Estimate]
  cells: Mapping[tuple[str, int], float]
  sources: Sources
  costs: costs.Costs
  attacks: Mapping[tuple[str, str], attacks.Measured]

  @property
  def seeds(self) -> tuple[int, ...]:
    """Seeds in ascending order."""
    return tuple(sorted(self.sources))

  @property
  def pruned(self) -> bool:
    """Whether fewer parameters are left than the architecture has."""
    return self.nonzero < self.parameters


def table(rows: Iterable[Row]) -> list[Line]:
  """Aggregates rows over seeds.

  Rows are put in one line only where method, architecture, compression ratio
  and setting (data, protocol, corruptions, number of images) agree, and in a
  sweep, where one method has several experiments, only those of one of them.

  Returns:
    Lines by setting, then ratio, then architecture (largest first), then
    order of appearance.

  Raises:
    ValueError: if two networks claim the same method, size and seed with
      different results.
  """
  networks: dict[tuple[pathlib.Path, str, str], list[Row]] = defaultdict(list)
  for row in rows:
    networks[row.folder, row.network, row.method].append(row)
  groups: dict[tuple[Setting, str, int], dict[Fields, list[list[Row]]]]
  groups = defaultdict(lambda: defaultdict(list))
  for network in networks.values():
    for setting, part in _by_setting(network):
      row = part[0]
      groups[setting, row.method, row.parameters][row.fields].append(part)
  lines = [
    _line(setting, _told_apart(method, fields, experiments), cluster)
    for (setting, method, _), experiments in groups.items()
    for fields, parts in experiments.items()
    for cluster in _by_ratio(parts)
  ]
  return sorted(
    lines,
    key=lambda x: (x.setting, x.pruned, round(x.ratio), -x.parameters),
  )


def mean_row(rows: Sequence[Row]) -> Row:
  """The mean over the cells of a suite; one cell is its own mean."""
  return next((row for row in rows if row.corruption == MEAN), rows[0])


def estimate(rows: Sequence[Row]) -> Estimate:
  """Error over seeds, with the interval over images if there is one seed.

  Args:
    rows: for each seed the `mean_row` of the suite.
  """
  if len(rows) == 1:
    row = rows[0]
    return Estimate(100 * row.error, 100 * row.low, 100 * row.high)
  mean, low, high = intervals.over_seeds([100 * row.error for row in rows])
  return Estimate(mean, max(low, 0.0), min(high, 100.0))


def is_smoke(lines: Iterable[Line]) -> bool:
  """Whether some line rests on a single seed."""
  return any(len(line.sources) == 1 for line in lines)


def label(line: Line, lines: Sequence[Line]) -> str:
  """Shortest name that tells `line` from the others."""
  text = line.method
  if line.pruned:
    ratio = f'{line.ratio:.2g}' if line.ratio < 99.5 else f'{line.ratio:.0f}'
    text += f', {ratio}×'
  twins = [
    other
    for other in lines
    if other.method == line.method
    and other.pruned == line.pruned
    and abs(other.ratio - line.ratio) < 0.05 * line.ratio
  ]
  if len({other.parameters for other in twins}) > 1:
    text += f' ({line.parameters:,})'
  return text


def _by_setting(network: list[Row]) -> list[tuple[Setting, list[Row]]]:
  """Splits the rows of a network by protocol, plain suites in every part."""
  corrupted = [row for row in network if row.suite == 'corrupted']
  plain = [row for row in network if row.suite != 'corrupted']
  parts = [
    [row for row in corrupted if row.protocol == protocol] + plain
    for protocol in dict.fromkeys(row.protocol for row in corrupted)
  ]
  return [(_setting(part), part) for part in parts or [plain]]


def _setting(rows: list[Row]) -> Setting:
  corrupted = [row for row in rows if row.suite == 'corrupted']
  cells = tuple(
    sorted(
      (row.corruption, row.severity or 0)
      for row in corrupted
      if row.corruption != MEAN
    )
  )
  sized = corrupted or [r for r in rows if r.suite == 'clean'] or rows
  protocol = corrupted[0].protocol if corrupted else ''
  return Setting(rows[0].data, protocol, cells, sized[0].n, _others(rows))


def _others(
  rows: Iterable[Row],
) -> tuple[tuple[str, tuple[str, ...], int], ...]:
  found: dict[tuple[str, int], set[str]] = defaultdict(set)
  for row in rows:
    if suites.is_shift(row.suite) or row.suite in suites.ATTACKS:
      found[row.suite, row.n].add(row.corruption)
  return tuple(
    (suite, tuple(sorted(names - {'', MEAN})), n)
    for (suite, n), names in sorted(found.items())
  )


def _by_ratio(parts: list[list[Row]]) -> list[list[list[Row]]]:
  """Clusters networks whose ratios are the same request."""
  clusters: list[list[list[Row]]] = []
  for part in sorted(parts, key=lambda rows: rows[0].ratio):
    head = clusters[-1][0][0] if clusters else None
    row = part[0]
    if (
      head is not None
      and row.ratio <= _SAME_RATIO * head.ratio
      and (row.nonzero < row.parameters) == (head.nonzero < head.parameters)
    ):
      clusters[-1].append(part)
    else:
      clusters.append([part])
  return clusters


def _told_apart(
  method: str, fields: Fields, experiments: Iterable[Fields]
) -> str:
  """The label of a method, with what tells a sweep's experiments apart."""
  difference = names.differing(
    dict(fields), map(dict, experiments), known=names.SIZES
  )
  return f'{method} ({difference})' if difference else method


def _line(setting: Setting, method: str, networks: list[list[Row]]) -> Line:
  by_seed: dict[int, list[Row]] = {}
  for network in networks:
    known = by_seed.setdefault(network[0].seed, network)
    _check_same(known, network)
  first = networks[0][0]
  chosen = list(by_seed.values())
  return Line(
    setting=setting,
    method=method,
    ratio=float(np.mean([rows[0].ratio for rows in chosen])),
    parameters=first.parameters,
    nonzero=round(float(np.mean([rows[0].nonzero for rows in chosen]))),
    errors=_errors(chosen),
    cells=_cells(chosen),
    sources={
      seed: (rows[0].folder, rows[0].network) for seed, rows in by_seed.items()
    },
    costs=costs.mean([rows[0].costs for rows in chosen]),
    attacks=_attacks(chosen),
  )


def _check_same(known: list[Row], other: list[Row]) -> None:
  def results(rows: list[Row]) -> dict[tuple[str, str, int | None], float]:
    return {(r.suite, r.corruption, r.severity): r.error for r in rows}

  if results(known) != results(other):
    a, b = known[0], other[0]
    raise ValueError(
      f'two different networks are called {a.method!r} with seed {a.seed} and '
      f'ratio {a.ratio:.3g}: {a.network!r} of {a.folder} and {b.network!r} of '
      f'{b.folder}. Their mean would mean nothing: give them different method '
      'labels, or report the runs separately'
    )


def _errors(networks: list[list[Row]]) -> dict[str, Estimate]:
  result = {}
  for suite in suites.ordered(r.suite for rows in networks for r in rows):
    own = [[r for r in rows if r.suite == suite] for rows in networks]
    result[suite] = estimate([mean_row(rows) for rows in own if rows])
  return result


def _attacks(
  networks: list[list[Row]],
) -> dict[tuple[str, str], attacks.Measured]:
  found: dict[tuple[str, str], list[Row]] = defaultdict(list)
  for rows in networks:
    for row in rows:
      if suites.is_attack(row.suite) and row.corruption != MEAN:
        found[row.suite, row.corruption].append(row)
  return {
    place: (estimate(rows), attacks.mean([row.attacked for row in rows]))
    for place, rows in found.items()
  }


def _cells(networks: list[list[Row]]) -> dict[tuple[str, int], float]:
  values: dict[tuple[str, int], list[float]] = defaultdict(list)
  for rows in networks:
    for row in rows:
      if row.suite == 'corrupted' and row.corruption != MEAN:
        values[row.corruption, row.severity or 0].append(100 * row.error)
  return {cell: float(np.mean(errors)) for cell, errors in values.items()}
