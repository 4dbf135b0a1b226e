"""DeepFool: steps to the nearest boundary of the network made linear.

Moosavi-Dezfooli et al., "DeepFool: a simple and accurate method to fool deep
neural networks", 2016, https://arxiv.org/abs/1511.04599.
"""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from rcj.attacks import balls, door, loops, objective
from rcj.attacks.door import Images, Labels, Predict

# Against division by nothing, and so that a step ends beyond the boundary.
_NO_GRADIENT = 1e-8
_BEYOND = 1e-4


def deepfool(
  predict: Predict,
  images: Images,
  labels: Labels,
  *,
  steps: int = 50,
  candidates: int = 10,
  overshoot: float = 0.02,
) -> Images:
  """Small L2 perturbations that change the class; they have no bound.

  Steps lead away from the class that is predicted for the image, until the
  prediction is not the label: images that are already wrong come back
  unchanged. Equal to `L2DeepFoolAttack` of foolbox. A step costs two forward
  and `candidates - 1` backward passes, the latter side by side in memory; there
  are no more once all are wrong.

  Args:
    predict: images in 0..1 to logits.
    images: float32 in 0..1.
    labels: classes to get away from.
    steps: the most that are taken.
    candidates: how many classes, by their logits, are looked at: at least 2.
    overshoot: how much farther than the boundary, as a part of the way.

  Raises:
    ValueError: if shapes, ranges or options are wrong.
    TypeError: if types are.
  """
  predict, images, labels = door.case(predict, images, labels)
  if door.count('candidates', candidates) < 2:
    raise ValueError(
      'candidates must be 2 or more: the predicted class and another'
    )
  steps = door.count('steps', steps)
  overshoot = door.amount('overshoot', overshoot, images)
  order, start = _begin(predict, images, labels, candidates=candidates)
  case = (predict, images, labels, order, overshoot)
  step = functools.partial(_step, case=case)
  return loops.repeat(steps, step, start, case, done=_all_fooled).x


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Walk:
  """Images on the way, the sum of their steps, and which are wrong."""

  x: Images
  total: Images
  fooled: Bool[Array, ' B']


@functools.partial(jax.jit, static_argnames='candidates')
def _begin(
  predict, images, labels, *, candidates
) -> tuple[Int[Array, 'B candidates'], _Walk]:
  logits = objective.logits_of(predict, images)
  _, order = jax.lax.top_k(logits, min(candidates, logits.shape[1]))
  fooled = objective.wrong(logits, labels)
  return order, _Walk(images, jnp.zeros_like(images), fooled)


@jax.jit
def _all_fooled(walk: _Walk) -> Bool[Array, '']:
  return jnp.all(walk.fooled)


@jax.jit
def _step(i, walk: _Walk, *, case) -> _Walk:
  del i
  predict, images, labels, order, overshoot = case
  total = walk.total + _to_nearest(predict, walk.x, order)
  moved = jnp.clip(images + (1 + overshoot) * total, 0, 1)
  x = jnp.where(balls.spread(walk.fooled), walk.x, moved)
  fooled = objective.wrong(objective.logits_of(predict, x), labels)
  return _Walk(x, total, fooled)


def _to_nearest(
  predict: Predict, x: Images, order: Int[Array, 'B candidates']
) -> Images:
  """Perturbation to the nearest boundary between the first class and another.

  The gradients of all candidates are computed side by side.
  """
  logits, pull = jax.vjp(lambda x: objective.logits_of(predict, x), x)
  one_hot = functools.partial(
    jax.nn.one_hot, num_classes=logits.shape[1], dtype=logits.dtype
  )

  def look(other):
    cotangent = one_hot(other) - one_hot(order[:, 0])
    (gradient,) = pull(cotangent)
    gap = jnp.abs(jnp.sum(cotangent * logits, axis=-1)).astype(x.dtype)
    return _linear(gap, gradient)

  distances, ways = jax.vmap(look)(order[:, 1:].T)
  nearest = jnp.argmin(distances, axis=0)
  return ways[nearest, jnp.arange(len(x))]


def _linear(
  gap: Float[Array, ' B'], gradient: Images
) -> tuple[Float[Array, ' B'], Images]:
  """Distance to where a linear function grew by `gap`, and the way there."""
  slope = balls.size(gradient, norm='l2') + _NO_GRADIENT
  distance = gap / slope
  return distance, balls.spread((distance + _BEYOND) / slope) * gradient
