"""Rows aggregated over seeds: one line per method, size and setting."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from rcj import intervals
from rcj.report.rows import MEAN, SUITES, Row

SMOKE = 'smoke table: one seed, intervals over images only'
# Counts of the same method differ a little between seeds when whole filters
# go; ratios this close are the same request.
_SAME_RATIO = 1.05


@dataclasses.dataclass(frozen=True, order=True)
class Setting:
  """What two error rates must share to be compared.

  Attributes:
    data: name of the data set.
    protocol: where corrupted images came from; '' without them.
    cells: (corruption, severity) pairs that were evaluated, sorted.
    n: number of clean or corrupted images.
  """

  data: str
  protocol: str
  cells: tuple[tuple[str, int], ...]
  n: int

  @property
  def corruptions(self) -> tuple[str, ...]:
    """Names of the corruptions, in alphabetical order."""
    return tuple(dict.fromkeys(name for name, _ in self.cells))

  @property
  def severities(self) -> tuple[int, ...]:
    """Severities, ascending."""
    return tuple(sorted({severity for _, severity in self.cells}))

  def __str__(self) -> str:
    parts = [self.data, f'{self.n:,} images']
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
  """

  setting: Setting
  method: str
  ratio: float
  parameters: int
  nonzero: int
  errors: Mapping[str, Estimate]
  cells: Mapping[tuple[str, int], float]
  sources: Mapping[int, tuple[pathlib.Path, str]]

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
  and setting (data, protocol, corruptions, number of images) agree.

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
  groups: dict[tuple[Setting, str, int], list[list[Row]]] = defaultdict(list)
  for network in networks.values():
    for setting, part in _by_setting(network):
      first = part[0]
      groups[setting, first.method, first.parameters].append(part)
  lines = [
    _line(setting, cluster)
    for (setting, _, _), parts in groups.items()
    for cluster in _by_ratio(parts)
  ]
  return sorted(
    lines,
    key=lambda x: (x.setting, x.pruned, round(x.ratio), -x.parameters),
  )


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
  return Setting(rows[0].data, protocol, cells, sized[0].n)


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


def _line(setting: Setting, networks: list[list[Row]]) -> Line:
  by_seed: dict[int, list[Row]] = {}
  for network in networks:
    known = by_seed.setdefault(network[0].seed, network)
    _check_same(known, network)
  first = networks[0][0]
  chosen = list(by_seed.values())
  return Line(
    setting=setting,
    method=first.method,
    ratio=float(np.mean([rows[0].ratio for rows in chosen])),
    parameters=first.parameters,
    nonzero=round(float(np.mean([rows[0].nonzero for rows in chosen]))),
    errors=_errors(chosen),
    cells=_cells(chosen),
    sources={
      seed: (rows[0].folder, rows[0].network) for seed, rows in by_seed.items()
    },
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
  for suite in SUITES:
    found = [row for rows in networks for row in _summary(rows, suite)]
    if len(found) == 1:
      row = found[0]
      result[suite] = Estimate(100 * row.error, 100 * row.low, 100 * row.high)
    elif found:
      mean, low, high = intervals.over_seeds([100 * r.error for r in found])
      result[suite] = Estimate(mean, max(low, 0.0), min(high, 100.0))
  return result


def _summary(rows: list[Row], suite: str) -> list[Row]:
  """The row of a suite's mean; a suite of one cell is its own mean."""
  own = [row for row in rows if row.suite == suite]
  return [row for row in own if row.corruption == MEAN] or own


def _cells(networks: list[list[Row]]) -> dict[tuple[str, int], float]:
  values: dict[tuple[str, int], list[float]] = defaultdict(list)
  for rows in networks:
    for row in rows:
      if row.suite == 'corrupted' and row.corruption != MEAN:
        values[row.corruption, row.severity or 0].append(100 * row.error)
  return {cell: float(np.mean(errors)) for cell, errors in values.items()}
