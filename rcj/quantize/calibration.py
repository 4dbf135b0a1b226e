"""Ranges of a network's results over a set of images."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int32

from rcj import graph as graphs
from rcj import models
from rcj.models.graph_net import nested
from rcj.quantize.observers import OBSERVERS
from rcj.types import Frozen, PyTree

_BATCH = 32
_BINS = 2048

_Extremes = dict[str, tuple[Float32[Array, ''], Float32[Array, '']]]


def calibrate(
  frozen: Frozen, images01: Float[Array, 'N H W 3'], *, observer: str = 'minmax'
) -> PyTree:
  """Ranges {'low', 'high'} at the path of every result with its own scale.

  Images should be such as the network will see, but not those that it is
  measured on; a few hundred suffice.

  Args:
    frozen: a network that `models.folded` gave.
    images01: in 0..1, of the size that the network wants.
    observer: 'minmax' covers all values; 'percentile' and 'mse' clip some, see
      `quantize.observers`. They go through the images twice.

  Raises:
    ValueError: for an unknown observer, no images, or images that are not float
      NHWC.
  """
  if observer not in OBSERVERS:
    raise ValueError(f'no observer {observer!r}; there are {list(OBSERVERS)}')
  if not len(images01):
    raise ValueError('calibration needs images, got none')
  found = [_extremes(frozen, batch) for batch in _batches(images01)]
  lows, highs = (
    {name: np.array([x[name][end] for x in found]) for name in found[0]}
    for end in (0, 1)
  )
  bounds = {n: (float(lows[n].min()), float(highs[n].max())) for n in lows}
  if observer != 'minmax':
    counts = _counts(frozen, images01, bounds)
    bounds = {n: OBSERVERS[observer](counts[n], *bounds[n]) for n in bounds}
  return nested(
    {
      name: {'low': jnp.float32(low), 'high': jnp.float32(high)}
      for name, (low, high) in bounds.items()
    }
  )


def _batches(images: Array) -> Iterator[Float[Array, 'n H W 3']]:
  for start in range(0, len(images), _BATCH):
    yield images[start : start + _BATCH]


def _counts(
  frozen: Frozen,
  images01: Float[Array, 'N H W 3'],
  bounds: dict[str, tuple[float, float]],
) -> dict[str, np.ndarray]:
  """Values of each result in equal bins of its range."""
  ends = jax.tree.map(jnp.float32, bounds)
  parts = [_histograms(frozen, batch, ends) for batch in _batches(images01)]
  parts = jax.device_get(parts)
  return {n: sum(part[n].astype(np.int64) for part in parts) for n in bounds}


@jax.jit
def _extremes(frozen: Frozen, images01: Float[Array, 'n H W 3']) -> _Extremes:
  return {
    name: (jnp.min(x), jnp.max(x))
    for name, x in _results(frozen, images01).items()
  }


@jax.jit
def _histograms(
  frozen: Frozen, images01: Float[Array, 'n H W 3'], ends: _Extremes
) -> dict[str, Int32[Array, ' bins']]:
  found = {}
  for name, x in _results(frozen, images01).items():
    low, high = ends[name]
    part = (x - low) / jnp.maximum(high - low, 1e-12)
    bins = jnp.clip((part * _BINS).astype(jnp.int32), 0, _BINS - 1)
    found[name] = jnp.bincount(bins.ravel(), length=_BINS)
  return found


def _results(
  frozen: Frozen, images01: Float[Array, 'n H W 3']
) -> dict[str, Array]:
  """Those results that have a scale of their own."""
  owners = graphs.stored(frozen.model.graph)
  values = models.results(frozen, images01)
  return {
    name: values[name].astype(jnp.float32)
    for name, owner in owners.items()
    if name == owner
  }
