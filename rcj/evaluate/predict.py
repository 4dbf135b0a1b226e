"""Predicted classes of every image of a suite, on any number of devices."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, UInt8

from rcj import data, models
from rcj.evaluate.suites import Cell, Suite, Transform
from rcj.types import Frozen


class Outcome(NamedTuple):
  """Predicted class of every image in one cell."""

  corruption: str
  severity: int
  predicted: Int[np.ndarray, ' N']


def evaluate(
  network: Frozen,
  suite: Suite,
  *,
  mesh: jax.sharding.Mesh,
  batch_size: int = 256,
) -> list[Outcome]:
  """Predictions for every cell of a suite; arguments are `classify`'s.

  Raises:
    ValueError: if a cell has other labels than the suite.
  """
  outcomes = []
  for cell in suite.cells():
    _check_labels(suite, cell)
    predicted = classify(
      network, cell, mesh=mesh, batch_size=batch_size, transform=suite.transform
    )
    outcomes.append(Outcome(cell.corruption, cell.severity, predicted))
  return outcomes


def classify(
  network: Frozen,
  cell: Cell,
  *,
  mesh: jax.sharding.Mesh,
  batch_size: int = 256,
  transform: Transform | None = None,
) -> Int[np.ndarray, ' N']:
  """Predicted classes, computed in batches split over the mesh.

  Each process reads and corrupts its own share of the images. Batches are
  padded to one shape, so that the program compiles once, and predictions are
  put back by index, so that every image counts exactly once. All processes
  get the same result. Where the images have fewer classes than the network,
  the highest of their logits counts, as on ImageNet-R.

  Args:
    network: placed on the devices of `mesh`.
    cell: the images.
    mesh: devices with the axis 'data', as many of each process.
    batch_size: images at a time over all devices, rounded up to split evenly.
    transform: image to image on the host; needed where sizes differ.

  Raises:
    ValueError: if the network does not know a class of the images.
  """
  n, columns = len(cell.source), _columns(network, cell)
  per_device = -(-min(batch_size, n) // mesh.size)
  spread = jax.NamedSharding(mesh, jax.P('data'))
  put = functools.partial(jax.make_array_from_process_local_data, spread)
  found = []
  for batch in data.eval_batches(
    cell.source,
    batch_size=per_device * len(mesh.local_devices),
    transform=transform,
  ):
    images, index = batch['image'], batch['index']
    if cell.change is not None:
      images = cell.change(images, index)
    found.append(
      _classify(network, put(images), put(index), columns, mesh=mesh)
    )
  predicted = np.empty(n, np.int32)
  for index, classes in jax.device_get(found):
    predicted[index[index >= 0]] = classes[index >= 0]
  return predicted


@functools.partial(jax.jit, static_argnames='mesh')
def _classify(
  network: Frozen,
  images: UInt8[Array, 'B H W 3'],
  index: Int[Array, ' B'],
  columns: Int[np.ndarray, ' K'] | None,
  *,
  mesh: jax.sharding.Mesh,
) -> tuple[Int[Array, ' B'], Int[Array, ' B']]:
  """Index and class of each image, on every device."""
  logits = models.predict(network, images.astype(jnp.float32) / 255)
  if columns is not None:
    logits = logits[:, columns]
  everywhere = jax.NamedSharding(mesh, jax.P())
  return jax.lax.with_sharding_constraint(
    (index, jnp.argmax(logits, -1)), everywhere
  )


def _columns(network: Frozen, cell: Cell) -> Int[np.ndarray, ' K'] | None:
  """The network's outputs for the classes of the images, None for all."""
  known, wanted = network.classes, tuple(cell.source.classes)
  if wanted == tuple(known):
    return None
  place = {name: i for i, name in enumerate(known)}
  if missing := [name for name in wanted if name not in place]:
    raise ValueError(
      f'the images have {len(wanted)} classes, of which the network knows '
      f'{len(wanted) - len(missing)}; it lacks {missing[:5]}'
    )
  return np.array([place[name] for name in wanted], np.int32)


def _check_labels(suite: Suite, cell: Cell) -> None:
  labels = cell.source.labels
  if not np.array_equal(labels, suite.labels):
    where = f'{cell.corruption} {cell.severity}'.strip()
    raise ValueError(
      f'suite {suite.name}: the cell {where!r} has {len(labels)} images whose '
      f'labels are not those of the suite, which has {len(suite.labels)}; '
      'every cell must show the same images in the same order'
    )
