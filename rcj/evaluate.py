"""Robustness suites: predictions per image, and rows of error rates.

Every network is measured on the same images in the same cells, and the
outcome of each image is kept, so that intervals are over images (an image's
corrupted versions are resampled together) and comparisons are paired.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, UInt8

from rcj import corruptions, intervals, models
from rcj.types import Frozen

# Corrupted sets below this size are made once and kept for the next network.
_KEEP_BYTES = 2**28


class Cell(NamedTuple):
  """Images under one condition; corruption '' and severity 0 where clean."""

  corruption: str
  severity: int
  images: UInt8[np.ndarray, 'N H W 3']


@dataclasses.dataclass(frozen=True)
class Suite:
  """One kind of test.

  Attributes:
    name: 'clean', 'corrupted', 'rendition', ...
    labels: int [N], the same in every cell.
    cells: gives the cells, anew at each call.
    protocol: how the images came to be, in words, for the row.
  """

  name: str
  labels: Int[np.ndarray, ' N']
  cells: Callable[[], Iterable[Cell]]
  protocol: str


class Outcome(NamedTuple):
  """Predicted class of every image in one cell."""

  corruption: str
  severity: int
  predicted: Int[np.ndarray, ' N']


def plain(
  name: str,
  images: UInt8[np.ndarray, 'N H W 3'],
  labels: Int[np.ndarray, ' N'],
  *,
  protocol: str,
) -> Suite:
  """A suite of one cell: the images as they are."""
  return Suite(name, labels, lambda: [Cell('', 0, images)], protocol)


def corrupted(
  images: UInt8[np.ndarray, 'N H W 3'],
  labels: Int[np.ndarray, ' N'],
  *,
  names: Sequence[str] = corruptions.NAMES,
  severities: Sequence[int] = (1, 2, 3, 4, 5),
  table: int | None = None,
  seed: int = 0,
) -> Suite:
  """Images under every corruption and severity, made here ('generated').

  Raises:
    ValueError: as `corruptions.corrupted_set`, at the call.
  """
  made: list[Cell] = []

  def generate() -> Iterator[Cell]:
    cells = corruptions.corrupted_set(
      images, names=names, severities=severities, table=table, seed=seed
    )
    return (Cell(*cell) for cell in cells)

  def kept() -> Iterable[Cell]:
    if not made:
      made[:] = list(generate())  # all of it, or none if interrupted
    return made

  generate()  # refuses what it cannot make; makes nothing before it is asked
  small = images.nbytes * len(names) * len(severities) <= _KEEP_BYTES
  shown = f'{table} px table' if table else 'table of the image size'
  return Suite(
    'corrupted',
    labels,
    kept if small else generate,
    f'generated, {shown}',
  )


@functools.partial(jax.jit, static_argnames='everywhere')
def _classify(
  network: Frozen,
  images: UInt8[Array, 'B H W 3'],
  *,
  everywhere: jax.sharding.NamedSharding,
) -> Int[Array, ' B']:
  logits = models.predict(network, images.astype(jnp.float32) / 255)
  return jax.lax.with_sharding_constraint(jnp.argmax(logits, -1), everywhere)


def classify(
  network: Frozen,
  images: UInt8[np.ndarray, 'N H W 3'],
  *,
  mesh: jax.sharding.Mesh,
  batch_size: int = 256,
) -> Int[np.ndarray, ' N']:
  """Predicted classes, computed in batches split over the mesh.

  The last batch is padded, so that every image counts exactly once and the
  program compiles once. `network` must live on the devices of `mesh`.
  """
  sharding = jax.NamedSharding(mesh, jax.P('data'))
  everywhere = jax.NamedSharding(mesh, jax.P())
  size = -(-min(batch_size, len(images)) // mesh.size) * mesh.size
  predicted = []
  for start in range(0, len(images), size):
    batch = images[start : start + size]
    padding = [(0, size - len(batch)), (0, 0), (0, 0), (0, 0)]
    batch = jax.device_put(np.pad(batch, padding), sharding)
    predicted.append(_classify(network, batch, everywhere=everywhere))
  return np.concatenate([np.asarray(p) for p in predicted])[: len(images)]


def evaluate(
  network: Frozen,
  suite: Suite,
  *,
  mesh: jax.sharding.Mesh,
  batch_size: int = 256,
) -> list[Outcome]:
  """Predictions for every cell of a suite."""
  return [
    Outcome(
      cell.corruption,
      cell.severity,
      classify(network, cell.images, mesh=mesh, batch_size=batch_size),
    )
    for cell in suite.cells()
  ]


def rows(suite: Suite, outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
  """Error rates with 95 % bootstrap intervals over images.

  One row per cell and, where there are several, one with corruption 'mean':
  the plain mean over cells (decision 18), each image's cells resampled
  together (decision 28).
  """
  wrong = np.stack([o.predicted != suite.labels for o in outcomes], 1)
  made = [
    _row(suite, o.corruption, o.severity or '', wrong[:, i])
    for i, o in enumerate(outcomes)
  ]
  if len(outcomes) > 1:
    made.append(_row(suite, 'mean', '', wrong))
  return made


def _row(
  suite: Suite, corruption: str, severity: int | str, wrong: np.ndarray
) -> dict[str, object]:
  error, low, high = intervals.bootstrap_mean(wrong)
  return {
    'suite': suite.name,
    'corruption': corruption,
    'severity': severity,
    'protocol': suite.protocol,
    'n': len(wrong),
    'error': error,
    'low': low,
    'high': high,
  }
