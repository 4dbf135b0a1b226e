"""Two ways to a training batch: gathered on the device, or read by workers."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Int, UInt8

from rcj.data.order import Order
from rcj.data.sources import ArraySource
from rcj.data.variants import Variants
from rcj.types import Batch, Source

# Called as transform(generator, image); picklable where workers > 0.
Transform = Callable[[np.random.Generator, UInt8[np.ndarray, 'H W 3']], Any]

_MAX_THREADS = 8
_WORKER_BUFFER = 2  # batches that each worker keeps ready
_ENDLESS = 2**40


def memory_feed(
  source: ArraySource,
  order: Order,
  sharding: jax.sharding.NamedSharding,
  step: int,
) -> Iterator[Batch]:
  """Batches from `step` on; all images lie on every device.

  Per epoch one permutation goes to the devices, per step one number.
  """
  everywhere = jax.NamedSharding(sharding.mesh, jax.P())
  put = functools.partial(jax.make_array_from_process_local_data, everywhere)
  images, labels = put(source.images), put(source.labels)
  present, permutation = None, None
  while True:
    epoch, start = order.position(step)
    if epoch != present:
      present, permutation = epoch, put(order.epoch(epoch))
    yield gather(
      images,
      labels,
      permutation,
      start,
      batch_size=order.batch_size,
      sharding=sharding,
    )
    step += 1


@functools.partial(jax.jit, static_argnames=('batch_size', 'sharding'))
def gather(
  images: UInt8[Array, 'N H W 3'],
  labels: Int[Array, ' N'],
  permutation: Int[Array, ' N'],
  start: int,
  *,
  batch_size: int,
  sharding: jax.sharding.NamedSharding,
) -> Batch:
  """The batch at `permutation[start:]`, each device taking its own rows."""
  index = jax.lax.dynamic_slice(permutation, (start,), (batch_size,))
  index = jax.lax.with_sharding_constraint(index, sharding)
  batch = {'image': images[index], 'label': labels[index], 'index': index}
  return jax.lax.with_sharding_constraint(batch, sharding)


def worker_feed(
  source: Source,
  order: Order,
  sharding: jax.sharding.NamedSharding,
  step: int,
  *,
  transform: Transform | None,
  workers: int,
) -> Iterator[Batch]:
  """Batches from `step` on, read by grain ahead of time.

  Each process reads only the rows of its own devices. Without workers, threads
  of this process read.
  """
  import grain

  n = order.batch_size
  host = HostBatches(source, order, local_rows(sharding, n), step, transform)
  threads = 0 if workers else min(_MAX_THREADS, os.cpu_count() or 1)
  read = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads)
  dataset = grain.MapDataset.source(host).to_iter_dataset(read)
  if workers:
    _make_flags_readable()
    # An element is a whole batch, so the number of workers changes nothing.
    options = grain.MultiprocessingOptions(workers, _WORKER_BUFFER)
    dataset = dataset.mp_prefetch(options)
  batches = iter(dataset)
  try:
    for local in batches:
      yield {
        name: jax.make_array_from_process_local_data(
          sharding, x, (n, *x.shape[1:])
        )
        for name, x in local.items()
      }
  finally:
    batches.close()


def _make_flags_readable() -> None:
  """Lets grain start workers in programs that parse no command line.

  grain 0.2.18 reads this flag of its own without asking whether flags were
  parsed, which raises UnparsedFlagAccessError; `present` says that its value,
  the default or what was parsed, may be read. Workers do so themselves.
  """
  from grain._src.core import profiler

  name = 'grain_enable_multiprocess_worker_profiling'
  if name in profiler.flags.FLAGS:
    profiler.flags.FLAGS[name].present = 1


def local_rows(
  sharding: jax.sharding.Sharding, n: int
) -> Int[np.ndarray, ' L']:
  """Rows of a batch of `n` that this process's devices hold."""
  slices = sharding.addressable_devices_indices_map((n,)).values()
  return np.unique(np.concatenate([np.arange(n)[s] for s in slices]))


@dataclasses.dataclass(frozen=True, eq=False)
class HostBatches:
  """Random access to one process's part of each batch, as NumPy arrays.

  Attributes:
    source: the training images.
    order: which of them come when.
    rows: rows of the global batch to make.
    first: step of element 0.
    transform: what happens to an image; None leaves it as it is.
  """

  source: Source
  order: Order
  rows: Int[np.ndarray, ' L']
  first: int
  transform: Transform | None

  def __len__(self) -> int:
    return _ENDLESS

  def __getitem__(self, element: int) -> dict[str, np.ndarray]:
    step = self.first + element
    index = self.order.batch(step)[self.rows]
    read = [self._read(step, int(i)) for i in index]
    return {
      'image': stack([image for image, _ in read]),
      'label': np.array([label for _, label in read], np.int32),
      'index': index,
    }

  def _read(self, step: int, index: int) -> tuple[np.ndarray, int]:
    generator = self.order.generator(step, index)
    if isinstance(self.source, Variants):
      example = self.source.draw(generator, index)
    else:
      example = self.source[index]
    image = example['image']
    if self.transform is not None:
      image = self.transform(generator, image)
    return image, example['label']


def stack(images: list[np.ndarray]) -> UInt8[np.ndarray, 'B H W 3']:
  """One array of uint8 images.

  Raises:
    ValueError: if the images differ in size, or are not uint8 [H,W,3].
  """
  shapes = {x.shape for x in images}
  dtypes = {str(x.dtype) for x in images}
  if len(shapes) > 1 or dtypes != {'uint8'} or len(images[0].shape) != 3:
    raise ValueError(
      f'the images of a batch have shapes {sorted(shapes)[:4]} and dtypes '
      f'{sorted(dtypes)}, but must be uint8 of one size; pass a transform that '
      'crops or resizes, such as functools.partial(crop_and_flip, size=224)'
    )
  return np.stack(images)
