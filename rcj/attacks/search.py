"""The least salt and pepper that fools a network, by search.

Of foolbox, `SaltAndPepperNoiseAttack`: https://github.com/bethgelab/foolbox.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from rcj.attacks import balls, door, objective
from rcj.attacks.door import Images, Labels, Predict
from rcj.attacks.salt_and_pepper import draw, sprinkled


def salt_and_pepper_search(
  key: Key[Array, ''],
  predict: Predict,
  images: Images,
  labels: Labels,
  *,
  steps: int = 1000,
) -> Images:
  """The salt and pepper of the least L2 norm that was seen to fool.

  The rate grows from 0 until an image is misclassified; then it is sought
  between half of that rate and 1.2 times that rate, and so on. Images that are
  already wrong, and those for which nothing was found, come back unchanged.

  Args:
    key: draws the pixels of each step.
    predict: images in 0..1 to logits; no gradient is taken.
    images: float32 in 0..1.
    labels: classes to get away from.
    steps: forward passes, one more for the images themselves.

  Raises:
    ValueError: if shapes, ranges or options are wrong.
    TypeError: if types are.
  """
  predict, images, labels = door.case(predict, images, labels)
  return _run(key, predict, images, labels, door.count('steps', steps))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Search:
  """Where the search of each image stands: the best, and the next rates."""

  best: Images
  norm: Float[Array, ' B']
  rate: Float[Array, ' B']
  low: Float[Array, ' B']
  high: Float[Array, ' B']
  step: Float[Array, ' B']


@jax.jit
def _run(key, predict, images, labels, steps) -> Images:
  def attempt(i, search):
    uniform = draw(jax.random.fold_in(key, i), images)
    x = sprinkled(images, uniform, search.rate)
    norm = balls.size(x - images, norm='l2')
    fooled = objective.wrong(objective.logits_of(predict, x), labels)
    better = fooled & (norm < search.norm)
    return _next(search, better, x, norm, (steps - i).astype(images.dtype))

  fooled = objective.wrong(objective.logits_of(predict, images), labels)
  zeros = jnp.zeros(len(images), images.dtype)
  first = zeros + 1 / jnp.asarray(steps, images.dtype)
  start = _Search(
    best=images,
    norm=jnp.where(fooled, 0, jnp.inf).astype(images.dtype),
    rate=first,
    low=zeros,
    high=zeros + 1,
    step=first,
  )
  return jax.lax.fori_loop(0, steps, attempt, start).best


def _next(search: _Search, better, x, norm, remaining) -> _Search:
  """The search after an attempt; `better` are those whose best it is."""
  rate = search.rate
  low = jnp.where(better, rate / 2, search.low)
  # A little more than what was enough: the norm is no function of the rate.
  high = jnp.where(better, jnp.minimum(1.2 * rate, 1), search.high)
  step = jnp.where(better, (high - low) / remaining, search.step)
  restart = better | (rate == high)
  return _Search(
    best=jnp.where(balls.spread(better), x, search.best),
    norm=jnp.where(better, norm, search.norm),
    rate=jnp.minimum(jnp.where(restart, low, rate) + step, high),
    low=low,
    high=high,
    step=step,
  )
