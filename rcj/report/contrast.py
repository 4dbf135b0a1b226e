"""Differences in error image by image, their sums and intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from rcj import intervals


@dataclasses.dataclass(frozen=True)
class Contrast:
  """A difference in error, as what each image adds to it.

  Images are known by their labels: arrays of equal labels are the same images,
  and are added image by image. Should two sets of images have equal labels by
  chance, their differences are independent, and the interval stays right.

  Attributes:
    images: {labels as bytes: difference of each image, mean over seeds}; the
      difference as a whole is the sum of the means of these arrays.
    seeds: {seed: the difference as a whole between networks of that seed}.
  """

  images: Mapping[bytes, Float[np.ndarray, ' N']]
  seeds: Mapping[int, float]

  def scaled(self, factor: float) -> Contrast:
    """The difference times a factor."""
    return Contrast(
      {labels: factor * x for labels, x in self.images.items()},
      {seed: factor * x for seed, x in self.seeds.items()},
    )

  @property
  def count(self) -> int:
    """Number of different images."""
    return sum(x.size for x in self.images.values())

  def interval(self) -> intervals.Interval:
    """(difference, low, high) in percentage points, 95 %.

    Over images, and with several seeds the hull of that and the t interval
    over seeds: a few seeds that happen to agree would else resolve differences
    of a single image.
    """
    mean, low, high = intervals.bootstrap_sum(list(self.images.values()))
    if len(self.seeds) > 1:
      _, *ends = intervals.over_seeds(list(self.seeds.values()))
      low, high = min(low, ends[0]), max(high, ends[1])
    return 100 * mean, 100 * low, 100 * high


def total(contrasts: Sequence[Contrast]) -> Contrast:
  """The sum; seeds are those that all have."""
  images: dict[bytes, np.ndarray] = {}
  for contrast in contrasts:
    for labels, x in contrast.images.items():
      images[labels] = images.get(labels, 0.0) + x
  seeds = set.intersection(*(set(c.seeds) for c in contrasts))
  return Contrast(
    images, {s: sum(c.seeds[s] for c in contrasts) for s in sorted(seeds)}
  )


def average(contrasts: Sequence[Contrast]) -> Contrast:
  """The mean, each of equal weight; seeds are those that all have."""
  return total(contrasts).scaled(1 / len(contrasts))
