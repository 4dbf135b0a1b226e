"""APGD-CE: PGD that chooses its own step size, per image.

Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble
of diverse parameter-free attacks", 2020, https://arxiv.org/abs/2003.01690,
section 3; whole numbers of steps as in fra31/auto-attack.
"""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from rcj.attacks import balls, door, loops, objective
from rcj.attacks.door import Images, Labels, Norm, Predict

_MOMENTUM = 0.75  # weight of the new step; the last one has the rest
_RISING = 0.75  # part of the steps that must raise the loss


def apgd(
  key: Key[Array, ''],
  predict: Predict,
  images: Images,
  labels: Labels,
  *,
  eps: float,
  norm: Norm = 'linf',
  steps: int = 100,
) -> Images:
  """Momentum steps whose size is halved, per image, where they do not help.

  The first is as large as the ball is wide. Where steps stop raising the
  cross-entropy the search goes back to the best point with half their size. The
  result is the last misclassified point, else that of the largest loss; images
  that are already wrong come back unchanged. Costs `steps + 1` gradients and
  one forward pass.

  Args:
    key: draws the starts.
    predict: images in 0..1 to logits.
    images: float32 in 0..1.
    labels: classes to get away from.
    eps: radius of the ball, in units of images in 0..1.
    norm: of the ball.
    steps: the budget; when step sizes are reviewed depends on it.

  Raises:
    ValueError: if shapes, ranges or options are wrong.
    TypeError: if types are.
  """
  predict, images, labels = door.case(predict, images, labels)
  eps = door.radius(eps, images, norm=norm)
  steps = door.count('steps', steps)
  case = (predict, images, labels, eps, jnp.asarray(windows(steps)))
  start = _begin(key, case=case, norm=norm)
  step = functools.partial(_step, case=case, norm=norm)
  end = loops.repeat(steps, step, start, case)
  return _end(end, predict, images, labels)


def windows(steps: int) -> Int[np.ndarray, ' steps']:
  """Steps since the last review, at those that end with one; else 0."""
  result = np.zeros(steps, np.int32)
  window, least = max(int(0.22 * steps), 1), max(int(0.06 * steps), 1)
  end = window
  while end <= steps:
    result[end - 1] = window
    window = max(window - max(int(0.03 * steps), 1), least)
    end += window
  return result


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Point:
  """Images on the way, their losses, and the gradients there."""

  x: Images
  loss: Float[Array, ' B']
  gradient: Images


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Climb:
  """State of the search, per image.

  Attributes:
    here: the current point.
    before: the images one step earlier.
    best: the point of the largest loss.
    found: the last misclassified images, where `fooled`.
    fooled: whether there was one.
    step_size: of the gradient step.
    rises: steps since the last review that raised the loss.
    halved: whether the last review halved the step size.
    reviewed: the largest loss at the last review.
  """

  here: _Point
  before: Images
  best: _Point
  found: Images
  fooled: Bool[Array, ' B']
  step_size: Float[Array, ' B']
  rises: Int[Array, ' B']
  halved: Bool[Array, ' B']
  reviewed: Float[Array, ' B']


def _chosen(where: Bool[Array, ' B'], yes, no):
  """Of two trees, per image."""

  def pick(a, b):
    return jnp.where(where.reshape(-1, *[1] * (a.ndim - 1)), a, b)

  return jax.tree.map(pick, yes, no)


@functools.partial(jax.jit, static_argnames='norm')
def _begin(key, *, case, norm) -> _Climb:
  predict, images, labels, eps, _ = case
  delta = balls.draw(key, images, eps=eps, norm=norm)
  x = balls.moved(images, delta, eps=eps, norm=norm)
  return _start(*_visit(predict, labels, x), eps)


@functools.partial(jax.jit, static_argnames='norm')
def _step(i, c: _Climb, *, case, norm) -> _Climb:
  predict, images, labels, eps, review_at = case
  moved = functools.partial(balls.moved, images, eps=eps, norm=norm)
  x, size = c.here.x, balls.spread(c.step_size)
  uphill = size * balls.steepest(c.here.gradient, norm=norm)
  target = moved(x + uphill - images)
  momentum = jnp.where(i > 0, _MOMENTUM, 1.0).astype(x.dtype)
  pulled = momentum * (target - x) + (1 - momentum) * (x - c.before)
  here, fooled = _visit(predict, labels, moved(x + pulled - images))
  c = dataclasses.replace(
    c,
    here=here,
    before=x,
    best=_chosen(here.loss > c.best.loss, here, c.best),
    found=_chosen(fooled, here.x, c.found),
    fooled=c.fooled | fooled,
    rises=c.rises + (here.loss > c.here.loss),
  )
  return jax.lax.cond(
    review_at[i] > 0, lambda: _review(c, review_at[i]), lambda: c
  )


@jax.jit
def _end(c: _Climb, predict, images, labels) -> Images:
  clean = objective.wrong(objective.logits_of(predict, images), labels)
  return _chosen(clean, images, _chosen(c.fooled, c.found, c.best.x))


def _visit(
  predict: Predict, labels: Labels, x: Images
) -> tuple[_Point, Bool[Array, ' B']]:
  gradient, loss, fooled = objective.ascent(predict, x, labels)
  return _Point(x, loss, gradient), fooled


def _start(
  point: _Point, fooled: Bool[Array, ' B'], eps: Float[Array, '']
) -> _Climb:
  return _Climb(
    here=point,
    before=point.x,
    best=point,
    found=point.x,
    fooled=fooled,
    step_size=jnp.full(fooled.shape, 2 * eps),
    rises=jnp.zeros(fooled.shape, jnp.int32),
    halved=jnp.ones(fooled.shape, bool),
    reviewed=point.loss,
  )


def _review(c: _Climb, window: Int[Array, '']) -> _Climb:
  """Halves steps that rose too rarely, or that kept their size for nothing."""
  rarely = c.rises <= _RISING * window
  for_nothing = ~c.halved & (c.best.loss <= c.reviewed)
  halve = rarely | for_nothing
  return dataclasses.replace(
    c,
    here=_chosen(halve, c.best, c.here),
    step_size=jnp.where(halve, c.step_size / 2, c.step_size),
    rises=jnp.zeros_like(c.rises),
    halved=halve,
    reviewed=c.best.loss,
  )
