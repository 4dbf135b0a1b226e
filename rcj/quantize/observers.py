"""From the values that a result takes to the range that its integers cover.

What lies outside a range is clipped. Sections 2.2 and 3.1 of Nagel et al., A
White Paper on Neural Network Quantization, https://arxiv.org/abs/2106.08295;
percentiles as in Wu et al., https://arxiv.org/abs/2004.09602.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

Counts = Int[np.ndarray, ' bins']
Range = tuple[float, float]

# Left out at either end.
_TAIL = 1e-4
# Parts of the whole range among which the best is sought.
_PARTS = np.linspace(0.2, 1, 81)


def minmax(counts: Counts, low: float, high: float) -> Range:
  """The whole range.

  Args:
    counts: values in each of equal bins between `low` and `high`.
    low: the least value.
    high: the greatest value.
  """
  del counts
  return low, high


def percentile(counts: Counts, low: float, high: float) -> Range:
  """Without the outermost 0.01 % of the values at either end, to whole bins.

  Arguments are those of `minmax`.
  """
  edges = np.linspace(low, high, len(counts) + 1)
  below = np.cumsum(counts) / np.sum(counts)
  first = np.searchsorted(below, _TAIL, side='right')
  last = np.searchsorted(below, 1 - _TAIL)
  return float(edges[first]), float(edges[last + 1])


def mse(counts: Counts, low: float, high: float) -> Range:
  """The part of the range that rounds with the least mean squared error.

  Both ends shrink alike, in steps of a hundredth, to a fifth of the range.
  Arguments are those of `minmax`.
  """
  edges = np.linspace(low, high, len(counts) + 1)
  centres = (edges[1:] + edges[:-1]) / 2
  errors = [_error(counts, centres, low * part, high * part) for part in _PARTS]
  best = _PARTS[int(np.argmin(errors))]
  return low * best, high * best


def _error(
  counts: Counts,
  centres: Float[np.ndarray, ' bins'],
  low: float,
  high: float,
) -> float:
  """Sum of squared differences after rounding to 8 bits."""
  low, high = min(low, 0.0), max(high, 0.0)
  scale = max(high - low, 1e-12) / 255
  zero = np.rint(-low / scale)
  steps = np.clip(np.rint(centres / scale) + zero, 0, 255)
  return float(np.sum(counts * ((steps - zero) * scale - centres) ** 2))


OBSERVERS: dict[str, Callable[[Counts, float, float], Range]] = {
  'minmax': minmax,
  'percentile': percentile,
  'mse': mse,
}
