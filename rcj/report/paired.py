"""Paired differences between methods, image by image, from predictions."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool

from rcj import intervals
from rcj.report.contrast import Contrast
from rcj.report.summary import Line, Sources

Verdict = Literal['lower', 'higher', 'not resolved']


@dataclasses.dataclass(frozen=True)
class Difference:
  """Error of a method minus that of the reference, in percentage points.

  Attributes:
    line: the method.
    suite: such as 'clean'.
    mean: difference; below zero is better than the reference.
    low: lower end of the 95 % interval: over images, and with several seeds
      the hull of that and the t interval over seeds. A few seeds that happen
      to agree would else resolve differences of a single image.
    high: upper end.
    seeds: number of seeds that both have.
  """

  line: Line
  suite: str
  mean: float
  low: float
  high: float
  seeds: int

  @property
  def verdict(self) -> Verdict:
    """'lower' or 'higher' where the interval excludes zero."""
    if self.high < 0:
      return 'lower'
    return 'higher' if self.low > 0 else 'not resolved'

  def __str__(self) -> str:
    return shown(self.mean, self.low, self.high)


def differences(lines: Sequence[Line], reference: Line) -> list[Difference]:
  """Differences to `reference` for every other line and suite.

  Pairs are networks of the same seed. Suites that one of the two lacks, and
  lines that share no seed with the reference, are left out.

  Raises:
    FileNotFoundError: if a run has no predictions.npz.
    ValueError: if predictions are missing in it, or two runs were evaluated on
      different images.
  """
  result = []
  for line in lines:
    seeds = sorted(set(line.sources) & set(reference.sources))
    if line is reference or not seeds:
      continue
    for suite in line.errors:
      if suite in reference.errors:
        cells = line.setting.cells_of(suite)
        interval = between(line.sources, reference.sources, suite, cells)
        result.append(Difference(line, suite, *interval, len(seeds)))
  return result


def between(
  sources: Sources,
  reference: Sources,
  suite: str,
  cells: Sequence[tuple[str, int]],
) -> intervals.Interval:
  """Difference of two methods over the seeds that both have.

  Args:
    sources: networks of the one method, by seed.
    reference: networks of the other.
    suite: such as 'clean'.
    cells: (corruption or attack, severity) of the suite; () if it has none.

  Returns:
    (difference, low, high) in percentage points, as in `Difference`.

  Raises:
    FileNotFoundError: if a run has no predictions.npz.
    ValueError: if the methods share no seed, predictions are missing, or the
      runs were evaluated on different images.
  """
  return contrast(sources, reference, suite, cells).interval()


def contrast(
  sources: Sources,
  reference: Sources,
  suite: str,
  cells: Sequence[tuple[str, int]],
) -> Contrast:
  """What each image adds to the difference `between` two methods."""
  seeds = sorted(set(sources) & set(reference))
  if not seeds:
    raise ValueError(
      f'no seed in common: {sorted(sources)} and {sorted(reference)}'
    )
  pairs, all_labels = [], []
  for seed in seeds:
    a, labels = wrong(*sources[seed], suite, cells)
    b, reference_labels = wrong(*reference[seed], suite, cells)
    pairs.append((a, b))
    all_labels += [labels, reference_labels]
  if any(not np.array_equal(x, all_labels[0]) for x in all_labels):
    folders = {x[s][0] for x in (sources, reference) for s in seeds}
    raise ValueError(
      f'the labels of suite {suite!r} differ between '
      f'{", ".join(sorted(map(str, folders)))}: these runs were evaluated on '
      'different images and cannot be paired'
    )
  first, second = (
    np.mean(outcomes, axis=0) for outcomes in zip(*pairs, strict=True)
  )
  return Contrast(
    {all_labels[0].tobytes(): (first - second).mean(axis=1)},
    {
      seed: float(a.mean() - b.mean())
      for seed, (a, b) in zip(seeds, pairs, strict=True)
    },
  )


def shown(mean: float, low: float, high: float) -> str:
  """'−1.2 [−2.0, +0.1]'."""
  texts = (f'{x:+z.1f}'.replace('-', '−') for x in (mean, low, high))
  return '{} [{}, {}]'.format(*texts)


def wrong(
  folder: pathlib.Path,
  network: str,
  suite: str,
  cells: Sequence[tuple[str, int]],
) -> tuple[Bool[np.ndarray, 'N cells'], np.ndarray]:
  """Which images a network got wrong, and the labels int16[N].

  Args:
    folder: run directory with predictions.npz.
    network: label of the network within the run.
    suite: such as 'clean'.
    cells: (corruption or attack, severity) of the suite; () if it has none.

  Raises:
    FileNotFoundError: if there is no predictions.npz.
    ValueError: if it lacks the predictions or labels; lists what it holds.
  """
  path = folder / 'predictions.npz'
  if not path.is_file():
    raise FileNotFoundError(f'{folder} has no predictions.npz')
  ends = [f'{name}|{severity or ""}' for name, severity in cells] or ['|']
  keys = [f'{network}|{suite}|{end}' for end in ends]
  with np.load(path) as stored:
    missing = {f'labels|{suite}', *keys} - set(stored.files)
    if missing:
      raise ValueError(
        f'{path} lacks {sorted(missing)[:4]}; expected one array per cell '
        f'of results.csv, found {len(stored.files)}: '
        f'{sorted(stored.files)[:6]} ...'
      )
    labels = stored[f'labels|{suite}']
    return np.stack([stored[k] != labels for k in keys], axis=1), labels
