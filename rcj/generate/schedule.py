"""In which order images are distorted, and by which weights each of them.

DeepAugment goes through the images in a random order, draws weights before the
first, and before each other with probability 0.05 anew (imagenet-r,
DeepAugment/EDSR_distort_imagenet.py). Here the order and the places where it
draws come from the seed and the number of images at once, so that any part of
the images can be made alone: neighbours in a folder, which are of one class, do
not share weights, and every process finds the weights that its images need.
"""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
from jaxtyping import Array, Int, Key

from rcj.augment.streams import stream_of

_PROBABILITY = 0.05


@dataclasses.dataclass(frozen=True)
class Schedule:
  """A pass over all images.

  Attributes:
    order: index of the image at each place.
    drawn: at each place, the place before which the weights were drawn.
    weights: key of all draws of weights.
    plans: key of all draws of activations.
  """

  order: Int[np.ndarray, ' N']
  drawn: Int[np.ndarray, ' N']
  weights: Key[Array, '']
  plans: Key[Array, '']

  def weights_key(self, drawn: int) -> Key[Array, '']:
    """Of the weights that are drawn before a place."""
    return jax.random.fold_in(self.weights, drawn)

  def plan_key(self, index: int) -> Key[Array, '']:
    """Of the activations of an image."""
    return jax.random.fold_in(self.plans, index)


def schedule(key: Key[Array, ''], n: int) -> Schedule:
  """The pass over `n` images."""
  passing, weights, plans = jax.random.split(key, 3)
  stream = stream_of(passing)
  order = stream.permutation(n)
  draws = stream.random_sample(n) < _PROBABILITY
  draws[:1] = True
  drawn = np.maximum.accumulate(np.where(draws, np.arange(n), 0))
  return Schedule(order, drawn, weights, plans)
