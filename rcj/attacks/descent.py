"""Projected steps along the gradient: what FGSM, BIM and PGD share."""

from __future__ import annotations

import functools

import jax
from jaxtyping import Array, Float

from rcj.attacks import balls, loops, objective
from rcj.attacks.door import Images, Labels, Norm, Predict


def climb(
  predict: Predict,
  images: Images,
  labels: Labels,
  start: Images,
  *,
  eps: Float[Array, ''],
  step_size: Float[Array, ''],
  steps: int,
  norm: Norm,
) -> Images:
  """Raises the cross-entropy by `steps` steps from `start`, within the ball.

  A step adds `step_size` times the steepest perturbation of norm 1; the result
  is projected on the ball, then clipped to 0..1. One gradient a step.
  """
  case = (predict, images, labels, eps, step_size)
  step = functools.partial(_step, case=case, norm=norm)
  return loops.repeat(steps, step, start, case)


@functools.partial(jax.jit, static_argnames='norm')
def _step(i, x, *, case, norm) -> Images:
  del i
  predict, images, labels, eps, step_size = case
  gradient, *_ = objective.ascent(predict, x, labels)
  x = x + step_size * balls.steepest(gradient, norm=norm)
  return balls.moved(images, x - images, eps=eps, norm=norm)
