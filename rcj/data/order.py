"""Which training images come when: a function of seed, epoch and index.

Nothing here remembers anything, so a stream can be taken up at any step, by any
number of processes and workers, and gives the same batches.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from jaxtyping import Int


@dataclasses.dataclass(frozen=True)
class Order:
  """Epochs of `size` images in global batches; each epoch's rest is dropped.

  Attributes:
    size: images in the training set.
    batch_size: images in a batch, over all devices.
    seed: 0..2**32-1.

  Raises:
    ValueError: if there is not one whole batch, or the seed is out of range.
  """

  size: int
  batch_size: int
  seed: int

  def __post_init__(self):
    if not 1 <= self.batch_size <= self.size:
      raise ValueError(
        f'a batch of {self.batch_size} images cannot be drawn from '
        f'{self.size}; an epoch needs at least one whole batch'
      )
    if not 0 <= self.seed < 2**32:
      raise ValueError(f'the seed must be in 0..2**32-1, but is {self.seed}')

  @property
  def steps_per_epoch(self) -> int:
    """Whole batches in an epoch."""
    return self.size // self.batch_size

  def position(self, step: int) -> tuple[int, int]:
    """(epoch, place of the batch's first image in the epoch's order)."""
    epoch, batch = divmod(step, self.steps_per_epoch)
    return epoch, batch * self.batch_size

  def epoch(self, epoch: int) -> Int[np.ndarray, ' size']:
    """The order of all images in this epoch, a permutation, int32."""
    return _permutation(self.size, self.seed, epoch)

  def batch(self, step: int) -> Int[np.ndarray, ' batch_size']:
    """Indices of the images of this step."""
    epoch, start = self.position(step)
    return self.epoch(epoch)[start : start + self.batch_size]

  def generator(self, step: int, index: int) -> np.random.Generator:
    """Randomness for image `index` in the epoch of `step`."""
    epoch, _ = self.position(step)
    # 0 in the last place is the permutation's.
    return np.random.default_rng((self.seed, epoch, index + 1))


@functools.lru_cache(maxsize=4)
def _permutation(size: int, seed: int, epoch: int) -> Int[np.ndarray, ' size']:
  order = np.random.default_rng((seed, epoch, 0)).permutation(size)
  order = order.astype(np.int32)
  order.flags.writeable = False
  return order
