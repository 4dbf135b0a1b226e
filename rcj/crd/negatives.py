"""Which images an image is contrasted with, drawn on the device."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key, UInt32

# The images in the order of their classes, and the block of each image's own.
Classes = dict[str, Int[Array, ' N']]


def by_class(labels: Int[Array, ' N'] | Int[np.ndarray, ' N']) -> Classes:
  """What `contrast` needs to know of the labels, sorted once.

  Returns:
    'order': images sorted by class; 'begin' and 'end': the half-open block of
    each image's class within that order. int32[N] all three.

  Raises:
    ValueError: if all labels are the same.
  """
  traced = isinstance(labels, jax.core.Tracer)
  if not traced and len(np.unique(labels)) < 2:
    raise ValueError(
      f'all {len(labels)} labels are of one class, but negatives are images '
      'of other classes; usually a folder or a list of classes was cut short'
    )
  labels = jnp.asarray(labels)
  order = jnp.argsort(labels, stable=True)
  ranked = labels[order]
  return {
    'order': order.astype(jnp.int32),
    'begin': jnp.searchsorted(ranked, labels, 'left').astype(jnp.int32),
    'end': jnp.searchsorted(ranked, labels, 'right').astype(jnp.int32),
  }


def contrast(
  key: Key[Array, ''],
  labels: Int[Array, ' N'] | Int[np.ndarray, ' N'] | Classes,
  index: Int[Array, ' B'],
  *,
  k: int,
  mode: Literal['exact', 'relax'] = 'exact',
) -> Int[Array, 'B k+1']:
  """The positive of each image, then `k` negatives.

  Negatives are uniform over the images of all other classes, with replacement
  (as the ImageNet sampler of HobbitLong/RepDistiller; its CIFAR sampler draws
  without). None is rejected: the block of the own class is stepped over. The
  draw is uniform but for a bias below N / 2^32.

  Args:
    key: of this step.
    labels: of all N training images, or `by_class` of them, which spares a
      step the sorting.
    index: images of the batch, 0..N-1.
    k: number of negatives, at least 1.
    mode: the positive is the image itself ('exact') or uniform over its class,
      itself included ('relax').

  Raises:
    ValueError: if `k` is below 1, the mode is unknown, an index lies outside
      0..N-1, or there is one class only.
  """
  check_negatives(k)
  check_mode(mode)
  classes = labels if isinstance(labels, dict) else by_class(labels)
  images = len(classes['order'])
  check_index(index, images)
  begin, end = (classes[x][index][:, None] for x in ('begin', 'end'))
  keys = jax.random.split(key)
  place = _below(keys[0], images - (end - begin), k)
  place = place + jnp.where(place >= begin, end - begin, 0)
  negatives = classes['order'][place]
  if mode == 'exact':
    positive = index.astype(jnp.int32)[:, None]
  else:
    positive = classes['order'][begin + _below(keys[1], end - begin, 1)]
  return jnp.concatenate([positive, negatives], axis=1)


def _below(
  key: Key[Array, ''], bound: Int[Array, 'B 1'], n: int
) -> Int[Array, 'B n']:
  """`n` integers per row, each in 0..bound-1."""
  bits: UInt32[Array, 'B n'] = jax.random.bits(key, (len(bound), n), jnp.uint32)
  return (bits % bound.astype(jnp.uint32)).astype(jnp.int32)


def check_negatives(k: int) -> None:
  """Raises ValueError unless there is a negative."""
  if k < 1:
    raise ValueError(f'an image needs at least 1 negative, not {k}')


def check_mode(mode: str) -> None:
  """Raises ValueError unless the mode is known."""
  if mode not in ('exact', 'relax'):
    raise ValueError(f"mode must be 'exact' or 'relax', not {mode!r}")


def check_index(index: Int[Array, ' B'], images: int) -> None:
  """Raises ValueError if an index that is known yet is none of the images."""
  if isinstance(index, jax.core.Tracer):
    return
  known = np.asarray(index)
  low, high = known.min(), known.max()
  if low < 0 or high >= images:
    raise ValueError(
      f'indices {low}..{high} do not all lie in 0..{images - 1}, the images '
      'of the banks; usually the banks were made from the labels of a subset'
    )
