"""95 % intervals over images and over seeds.

Over images: percentile bootstrap of per-image outcomes. All versions of one
image (its corruptions and severities) are drawn together, because they share
what makes the image hard: treating them as independent would give intervals
that are far too narrow. Over seeds: Student's t.

Reference: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

Outcomes = (
  Float[np.ndarray, ' N']
  | Bool[np.ndarray, ' N']
  | Float[np.ndarray, 'N cells']
  | Bool[np.ndarray, 'N cells']
)
Interval = tuple[float, float, float]


def bootstrap_mean(
  outcomes: Outcomes,
  *,
  key_seed: int = 0,
  samples: int = 2000,
  level: float = 0.95,
) -> Interval:
  """Mean outcome and its bootstrap interval over images.

  Where all images have the same outcome the interval has no width; it then
  says nothing about the error of other images.

  Args:
    outcomes: one value per image, or one per image and cell; for error rates
      1 where the prediction is wrong. The cells of an image stay together.
    key_seed: seed of the resampling; equal seeds give equal intervals.
    samples: number of bootstrap samples.
    level: coverage in (0, 1).

  Returns:
    (mean, low, high), in the units of `outcomes`.

  Raises:
    ValueError: for no images, another rank, values that are not finite.
  """
  return bootstrap_sum(
    [outcomes], key_seed=key_seed, samples=samples, level=level
  )


def bootstrap_sum(
  groups: Sequence[Outcomes],
  *,
  key_seed: int = 0,
  samples: int = 2000,
  level: float = 0.95,
) -> Interval:
  """Sum of the groups' means; the images of each group are drawn apart.

  Args:
    groups: outcomes as in `bootstrap_mean`, each of other images.
    key_seed: seed of the resampling.
    samples: number of bootstrap samples.
    level: coverage in (0, 1).

  Returns:
    (sum, low, high), in the units of the outcomes.

  Raises:
    ValueError: for no groups, and as `bootstrap_mean`.
  """
  if not groups:
    raise ValueError('expected at least one group of outcomes, got none')
  rng = np.random.default_rng(key_seed)
  sums, total = np.zeros(samples), 0.0
  for per_image in map(_per_image, groups):
    # Drawing N images with replacement and counting how often each distinct
    # value came up is a multinomial draw, and error counts take few values.
    values, counts = np.unique(per_image, return_counts=True)
    n = per_image.size
    sums += rng.multinomial(n, counts / n, size=samples) @ values / n
    total += float(per_image.mean())
  tail = (1 - level) / 2
  low, high = np.quantile(sums, [tail, 1 - tail])
  return total, float(low), float(high)


def paired_difference(
  a: Outcomes,
  b: Outcomes,
  *,
  key_seed: int = 0,
  samples: int = 2000,
  level: float = 0.95,
) -> Interval:
  """Mean of a - b with its interval, for two networks on the same images.

  Args:
    a: outcomes of the one network, as in `bootstrap_mean`.
    b: outcomes of the other, image by image and cell by cell.
    key_seed: seed of the resampling.
    samples: number of bootstrap samples.
    level: coverage in (0, 1).

  Returns:
    (difference, low, high); below zero throughout means that `a` is smaller.

  Raises:
    ValueError: if the shapes differ, and as `bootstrap_mean`.
  """
  if np.shape(a) != np.shape(b):
    raise ValueError(
      'paired outcomes need one shape, [images] or [images, cells]; got '
      f'{np.shape(a)} and {np.shape(b)}: were both networks evaluated on the '
      'same images and corruptions?'
    )
  difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
  return bootstrap_mean(
    difference, key_seed=key_seed, samples=samples, level=level
  )


def over_seeds(values: Sequence[float], *, level: float = 0.95) -> Interval:
  """Mean over seeds and its t interval.

  Args:
    values: one result per seed.
    level: coverage in (0, 1).

  Returns:
    (mean, low, high); low and high are nan for a single value, which says
    nothing about other seeds.

  Raises:
    ValueError: for no values.
  """
  x = np.asarray(values, np.float64)
  if x.ndim != 1 or x.size == 0:
    raise ValueError(
      f'expected one value per seed, at least one; got shape {x.shape}'
    )
  mean = float(x.mean())
  if x.size == 1:
    return mean, math.nan, math.nan
  half = t_quantile((1 + level) / 2, x.size - 1) * float(
    x.std(ddof=1) / math.sqrt(x.size)
  )
  return mean, mean - half, mean + half


def t_quantile(probability: float, freedom: int) -> float:
  """Quantile of Student's t distribution, by bisection.

  Args:
    probability: in [0.5, 1).
    freedom: degrees of freedom, a positive integer.

  Returns:
    The value that a t variable stays below with that probability.

  Raises:
    ValueError: for arguments out of range.
  """
  if not 0.5 <= probability < 1 or freedom < 1:
    raise ValueError(
      'expected a probability in [0.5, 1) and freedom >= 1; got '
      f'{probability} and {freedom}'
    )
  # Bisection over the angle atan(t / sqrt(freedom)), whose range is bounded.
  low, high = 0.0, math.pi / 2
  for _ in range(60):
    middle = (low + high) / 2
    if _t_central(middle, freedom) < 2 * probability - 1:
      low = middle
    else:
      high = middle
  return math.sqrt(freedom) * math.tan((low + high) / 2)


def _t_central(angle: float, freedom: int) -> float:
  """P(|T| < sqrt(freedom) tan(angle)): Abramowitz and Stegun 26.7.3, 26.7.4."""
  cos = math.cos(angle)
  odd = freedom % 2
  term, total = (cos if odd else 1.0), 0.0
  for k in range(2 + odd, freedom + 1, 2):
    total += term
    term *= cos * cos * (k - 1) / k
  total *= math.sin(angle)
  return (angle + total) * 2 / math.pi if odd else total


def _per_image(outcomes: Outcomes) -> Float[np.ndarray, ' N']:
  """Mean over the cells of each image, checked."""
  x = np.asarray(outcomes, np.float64)
  if x.ndim not in (1, 2) or x.size == 0:
    raise ValueError(
      'expected outcomes [images] or [images, cells] with at least one image; '
      f'got shape {x.shape}'
    )
  if not np.isfinite(x).all():
    raise ValueError('outcomes must be finite; some are nan or infinite')
  return x if x.ndim == 1 else x.mean(axis=1)
