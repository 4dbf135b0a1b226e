"""Predicted classes of every image of a suite, on any number of devices."""

from __future__ import annotations

import collections
import functools
from collections.abc import Iterator
from typing import NamedTuple, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from rcj import data, models
from rcj import deck as decks
from rcj.deck import Deck
from rcj.evaluate.suites import Part, Suite, Transform
from rcj.types import Frozen, Source

# Which cell, then the indices and the classes of a batch.
_Found = tuple[int, Int[Array, ' B'], Int[Array, ' B']]
_Result = TypeVar('_Result')

# While the devices classify, the next cells are corrupted; not more than these,
# because a batch stays on the devices until it is classified.
_AHEAD = 4


class Predictor(Protocol):
  """A network that something else than jax runs, such as an exported file.

  Attributes:
    classes: names of the logits.
  """

  @property
  def classes(self) -> tuple[str, ...]: ...

  def __call__(
    self, images01: Float[np.ndarray, 'B H W 3']
  ) -> Float[np.ndarray, 'B K']:
    """Logits of images in 0..1, some or all of a batch."""


class Outcome(NamedTuple):
  """Predicted class of every image in one cell."""

  corruption: str
  severity: int
  predicted: Int[np.ndarray, ' N']


def evaluate(
  network: Frozen | Deck | Predictor,
  suite: Suite,
  *,
  mesh: jax.sharding.Mesh,
  batch_size: int = 256,
) -> list[Outcome]:
  """Predictions for every cell of a suite; arguments are `classify`'s.

  Raises:
    ValueError: if a part has other labels than the suite.
  """
  outcomes = []
  for part in suite.parts():
    check_labels(suite, part)
    predicted = classify(
      network, part, mesh=mesh, batch_size=batch_size, transform=suite.transform
    )
    outcomes += [
      Outcome(cell.corruption, cell.severity, of_cell)
      for cell, of_cell in zip(part.cells, predicted, strict=True)
    ]
  return outcomes


def classify(
  network: Frozen | Deck | Predictor,
  part: Part,
  *,
  mesh: jax.sharding.Mesh,
  batch_size: int = 256,
  transform: Transform | None = None,
) -> Int[np.ndarray, 'C N']:
  """Predicted classes in each of the part's cells.

  Images are read once, in batches split over the mesh, and each batch is shown
  in every cell before the next is read. Each process reads and corrupts its own
  share. Batches are padded to one shape, so that the program compiles once, and
  predictions are put back by index, so that every image counts exactly once.
  All processes get the same result. Where the images have fewer classes than
  the network, the highest of their logits counts, as on ImageNet-R.

  Args:
    network: placed on the devices of `mesh`. A deck that is asked per batch
      sees images of one cell at a time. A `Predictor` gets the images of a
      batch on the host, and there may be one process only.
    part: the images and their cells.
    mesh: devices with the axis 'data', as many of each process.
    batch_size: images at a time over all devices, rounded up to split evenly.
    transform: image to image on the host; needed where sizes differ.

  Raises:
    ValueError: if the network does not know a class of the images, or a
      `Predictor` meets several processes.
  """
  if not isinstance(network, Frozen | Deck) and jax.process_count() > 1:
    raise ValueError(
      f'{type(network).__name__} runs in one process, not in '
      f'{jax.process_count()}'
    )
  n = len(part.source)
  per_device = -(-min(batch_size, n) // mesh.size)
  batches = data.eval_batches(
    part.source,
    batch_size=per_device * len(mesh.local_devices),
    transform=transform,
  )
  started = _started(network, part, batches, mesh)
  predicted = np.empty((len(part.cells), n), np.int32)
  for i, index, classes in late(started, _AHEAD):
    predicted[i, index[index >= 0]] = classes[index >= 0]
  return predicted


def _started(
  network: Frozen | Deck | Predictor,
  part: Part,
  batches: Iterator[dict[str, np.ndarray]],
  mesh: jax.sharding.Mesh,
) -> Iterator[_Found]:
  """Results of each batch in each cell, which may not be there yet."""
  columns = columns_of(network, part.source)
  if isinstance(network, Frozen | Deck):
    spread = jax.NamedSharding(mesh, jax.P('data'))
    put = functools.partial(jax.make_array_from_process_local_data, spread)
    ask = functools.partial(_classify, columns=columns, mesh=mesh)
  else:
    put = np.asarray
    ask = functools.partial(_classify_on_host, columns=columns)
  for batch in batches:
    images, index = batch['image'], batch['index']
    where = put(index)
    for i, cell in enumerate(part.cells):
      shown = cell.change(images, index) if cell.change else images
      yield i, *ask(network, put(shown), where)


def late(started: Iterator[_Result], ahead: int) -> Iterator[_Result]:
  """Results as host arrays, each fetched when `ahead` later ones have begun."""
  waiting = collections.deque()
  for found in started:
    waiting.append(found)
    if len(waiting) > ahead:
      yield jax.device_get(waiting.popleft())
  yield from map(jax.device_get, waiting)


@functools.partial(jax.jit, static_argnames='mesh')
def _classify(
  network: Frozen | Deck,
  images: UInt8[Array, 'B H W 3'],
  index: Int[Array, ' B'],
  columns: Int[np.ndarray, ' K'] | None,
  *,
  mesh: jax.sharding.Mesh,
) -> tuple[Int[Array, ' B'], Int[Array, ' B']]:
  """Index and class of each image, on every device."""
  images01 = images.astype(jnp.float32) / 255
  if isinstance(network, Deck):
    logits = decks.predict(network, images01, real=index >= 0)
  else:
    logits = models.predict(network, images01)
  if columns is not None:
    logits = logits[:, columns]
  everywhere = jax.NamedSharding(mesh, jax.P())
  return jax.lax.with_sharding_constraint(
    (index, jnp.argmax(logits, -1)), everywhere
  )


def _classify_on_host(
  network: Predictor,
  images: UInt8[np.ndarray, 'B H W 3'],
  index: Int[np.ndarray, ' B'],
  *,
  columns: Int[np.ndarray, ' K'] | None,
) -> tuple[Int[np.ndarray, ' B'], Int[np.ndarray, ' B']]:
  """As `_classify`, without padding, which a deck would take for images."""
  real = index >= 0
  logits = network(images[real].astype(np.float32) / 255)
  if columns is not None:
    logits = logits[:, columns]
  return index[real], np.argmax(logits, -1)


def columns_of(
  network: Frozen | Deck | Predictor, source: Source
) -> Int[np.ndarray, ' K'] | None:
  """The network's outputs for the classes of the images, None for all.

  Raises:
    ValueError: if the network does not know one of them.
  """
  known, wanted = network.classes, tuple(source.classes)
  if wanted == tuple(known):
    return None
  place = {name: i for i, name in enumerate(known)}
  if missing := [name for name in wanted if name not in place]:
    raise ValueError(
      f'the images have {len(wanted)} classes, of which the network knows '
      f'{len(wanted) - len(missing)}; it lacks {missing[:5]}'
    )
  return np.array([place[name] for name in wanted], np.int32)


def check_labels(suite: Suite, part: Part) -> None:
  """Raises ValueError if a part has other labels than its suite."""
  labels = part.source.labels
  if not np.array_equal(labels, suite.labels):
    corruption, severity, _ = part.cells[0]
    where = f'{corruption} {severity}'.strip()
    raise ValueError(
      f'suite {suite.name}: the cell {where!r} has {len(labels)} images whose '
      f'labels are not those of the suite, which has {len(suite.labels)}; '
      'every cell must show the same images in the same order'
    )
