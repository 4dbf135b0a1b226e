"""Batches for evaluation: every image exactly once, in one fixed shape."""

from __future__ import annotations

import concurrent.futures
import math
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jaxtyping import UInt8

from rcj.data.feeds import stack
from rcj.data.sources import ArraySource
from rcj.types import Source

Transform = Callable[[UInt8[np.ndarray, 'H W 3']], UInt8[np.ndarray, 'h w 3']]


def eval_batches(
  source: Source, *, batch_size: int, transform: Transform | None = None
) -> Iterator[dict[str, np.ndarray]]:
  """The images of this process, in order, in batches of one size.

  Process p of P takes the images p, p+P, p+2P, ... All processes give the same
  number of batches. Where images run out, rows are padded: zeros, index -1,
  'valid' False.

  Args:
    source: the images.
    batch_size: rows per batch of this process.
    transform: image to image on the host; needed where sizes differ.

  Yields:
    {'image' uint8[B,H,W,3], 'label' int32[B], 'index' int32[B], 'valid'
    bool[B]}.

  Raises:
    ValueError: if `batch_size` < 1, or images of a batch differ in size.
  """
  if batch_size < 1:
    raise ValueError(f'batch_size must be 1 or more, not {batch_size}')
  share, parts = jax.process_index(), jax.process_count()
  own = np.arange(share, len(source), parts, dtype=np.int32)
  # The last share may be one image shorter, even empty, but not the batches.
  largest_share = math.ceil(len(source) / parts)
  batches = math.ceil(largest_share / batch_size)
  return _batches(source, own, batches, batch_size, transform)


def _batches(
  source: Source,
  own: np.ndarray,
  batches: int,
  batch_size: int,
  transform: Transform | None,
) -> Iterator[dict[str, np.ndarray]]:
  with concurrent.futures.ThreadPoolExecutor() as pool:
    for start in range(0, batches * batch_size, batch_size):
      index = own[start : start + batch_size]
      # An all-padding batch still needs an image's shape.
      wanted = index if index.size else np.zeros(1, np.int32)
      images, labels = _read(source, wanted, transform, pool)
      yield _padded(
        images[: index.size], labels[: index.size], index, batch_size
      )


def _read(
  source: Source,
  wanted: np.ndarray,
  transform: Transform | None,
  pool: concurrent.futures.Executor,
) -> tuple[np.ndarray, np.ndarray]:
  if isinstance(source, ArraySource) and transform is None:
    return source.images[wanted], source.labels[wanted]

  def read(index: int) -> tuple[np.ndarray, int]:
    example = source[int(index)]
    image = example['image']
    return transform(image) if transform else image, example['label']

  examples = list(pool.map(read, wanted))
  images = stack([image for image, _ in examples])
  return images, np.array([label for _, label in examples], np.int32)


def _padded(
  images: np.ndarray, labels: np.ndarray, index: np.ndarray, n: int
) -> dict[str, np.ndarray]:
  rest = n - len(index)
  return {
    'image': np.pad(images, [(0, rest), (0, 0), (0, 0), (0, 0)]),
    'label': np.pad(labels, (0, rest)),
    'index': np.pad(index, (0, rest), constant_values=-1),
    'valid': np.arange(n) < len(index),
  }
