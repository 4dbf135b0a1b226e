"""Which adversarial images count."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from rcj.attacks import balls, door, objective
from rcj.attacks.door import Images, Labels, Norm, Predict


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Outcome:
  """What an attack reached, per image.

  Attributes:
    fooled: misclassified, within 0..1 and within the ball.
    norm: of the perturbation; infinite where it does not fool, so that
      quantiles over images are those of the smallest known one.
  """

  fooled: Bool[Array, ' B']
  norm: Float[Array, ' B']


def outcome(
  predict: Predict,
  images: Images,
  adversarial: Images,
  labels: Labels,
  *,
  norm: Norm,
  eps: float | None = None,
) -> Outcome:
  """Counts what fools `predict` without leaving 0..1 or the ball.

  An image that is wrong by itself may be right after an attack; whoever counts
  it as fooled asks for the outcome of the images, too. NaN never counts.

  Args:
    predict: images in 0..1 to logits; not necessarily the network attacked.
    images: float32 in 0..1.
    adversarial: of the same shape and type.
    labels: classes of the images.
    norm: of the ball, and of `Outcome.norm`.
    eps: radius of the ball, kept up to rounding (2^-23 for each pixel of
      float32); None is no bound, as for DeepFool.

  Raises:
    ValueError: if shapes, ranges or options are wrong.
    TypeError: if types are.
  """
  predict, images, labels = door.case(predict, images, labels)
  adversarial = jnp.asarray(adversarial)
  kind, wanted = jax.typeof(adversarial), jax.typeof(images)
  if (kind.shape, kind.dtype) != (wanted.shape, wanted.dtype):
    raise ValueError(
      f'adversarial images are {kind.str_short()}, the images '
      f'{wanted.str_short()}: an attack keeps shape and type'
    )
  if eps is None:
    eps = jnp.asarray(jnp.inf, images.dtype)
    door.radius(0.0, images, norm=norm)
  else:
    eps = door.radius(eps, images, norm=norm)
  return _judge(predict, images, adversarial, labels, eps=eps, norm=norm)


@functools.partial(jax.jit, static_argnames='norm')
def _judge(predict, images, adversarial, labels, *, eps, norm) -> Outcome:
  distance = balls.size(adversarial - images, norm=norm)
  slack = jnp.finfo(images.dtype).eps * jnp.maximum(eps, 1)
  if norm == 'l2':
    slack = slack * jnp.sqrt(images[0].size)
  inside = (adversarial >= 0) & (adversarial <= 1)
  inside = jnp.all(inside, axis=(1, 2, 3)) & (distance <= eps + slack)
  logits = objective.logits_of(predict, adversarial)
  fooled = objective.wrong(logits, labels) & inside
  return Outcome(fooled, jnp.where(fooled, distance, jnp.inf))
