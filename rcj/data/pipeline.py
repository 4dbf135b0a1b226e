"""From a source to device batches for training."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax

from rcj.data.feeds import Transform, memory_feed, worker_feed
from rcj.data.order import Order
from rcj.data.sources import ArraySource
from rcj.types import Batch, Source


class TrainStream:
  """Endless batches, split over the mesh axis 'data'.

  A batch is {'image' uint8[B,H,W,3], 'label' int32[B], 'index' int32[B]}. Epoch
  e is a permutation drawn from (seed, e), its last incomplete batch is dropped,
  and an image's transform draws from (seed, e, index): neither devices,
  processes nor workers change what a step sees.

  A source in memory without a transform is gathered on the devices; everything
  else is read by grain in threads or worker processes.

  Of `Variants`, it also draws which version of an image is shown.

  Attributes:
    steps_per_epoch: whole batches in an epoch.
    wait_seconds: time spent so far in waiting for batches.
  """

  def __init__(
    self,
    source: Source,
    *,
    batch_size: int,
    seed: int,
    mesh: jax.sharding.Mesh,
    transform: Transform | None = None,
    workers: int = 0,
  ):
    """Reads nothing yet.

    Args:
      source: the training images.
      batch_size: images per step over all devices and processes.
      seed: 0..2**32-1.
      mesh: devices with the axis 'data'.
      transform: (generator, uint8[H,W,3]) -> uint8[h,w,3], on the host; needed
        where images differ in size.
      workers: processes that read; 0 reads in threads of this process. The
        program's main module must be importable without side effects.

    Raises:
      ValueError: if the batch does not split evenly over the mesh, there is
        not one whole batch, or the seed or number of workers is out of range.
    """
    _check(batch_size, mesh, workers)
    self._source, self._transform, self._workers = source, transform, workers
    self._order = Order(len(source), int(batch_size), int(seed))
    self._sharding = jax.NamedSharding(mesh, jax.P('data'))
    self._step = 0
    self._feed: Iterator[Batch] | None = None
    self.steps_per_epoch = self._order.steps_per_epoch
    self.wait_seconds = 0.0

  def __iter__(self) -> TrainStream:
    return self

  def __next__(self) -> Batch:
    begin = time.perf_counter()
    if self._feed is None:
      self._feed = self._start()
    try:
      batch = next(self._feed)
    except Exception:
      # A generator that raised would next seem to be at its end.
      self.close()
      raise
    self._step += 1
    self.wait_seconds += time.perf_counter() - begin
    return batch

  def get_state(self) -> dict[str, int]:
    """Where the stream stands, for JSON."""
    return {'step': self._step, **self._identity()}

  def set_state(self, state: Mapping[str, Any]) -> None:
    """Continues where `get_state` was called: the next batches are the same.

    Raises:
      ValueError: if that stream had another seed, batch or training set.
    """
    own = self._identity()
    other = {k: state.get(k) for k in own}
    if other != own:
      raise ValueError(
        f'the saved stream was over {other}, this one is over {own}; '
        'continue a run with the data, batch size and seed it began with'
      )
    self.close()
    self._step = int(state['step'])

  def close(self) -> None:
    """Ends the workers; the next batch starts new ones."""
    if self._feed is not None:
      self._feed.close()
    self._feed = None

  def _identity(self) -> dict[str, int]:
    return {
      'images': self._order.size,
      'batch_size': self._order.batch_size,
      'seed': self._order.seed,
    }

  def _start(self) -> Iterator[Batch]:
    where = self._order, self._sharding, self._step
    if isinstance(self._source, ArraySource) and self._transform is None:
      return memory_feed(self._source, *where)
    return worker_feed(
      self._source, *where, transform=self._transform, workers=self._workers
    )


def _check(batch_size: int, mesh: jax.sharding.Mesh, workers: int) -> None:
  if 'data' not in mesh.axis_names:
    raise ValueError(f"the mesh needs an axis 'data', has {mesh.axis_names}")
  parts = mesh.shape['data']
  if batch_size % parts:
    raise ValueError(
      f'a batch of {batch_size} images does not split evenly over the '
      f"{parts} devices of the mesh axis 'data'"
    )
  if workers < 0:
    raise ValueError(f'workers must be 0 or more, not {workers}')
