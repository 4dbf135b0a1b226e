"""What attacks raise, and when they have won."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from rcj.attacks.door import Images, Labels, Predict


def logits_of(predict: Predict, images: Images) -> Float[Array, 'B K']:
  """Logits of the images, in float32 or float64.

  Raises:
    ValueError: if `predict` does not give `[B,K]` with K of at least 2.
  """
  logits = predict(images)
  shape = jnp.shape(logits)
  if len(shape) != 2 or shape[0] != len(images) or shape[1] < 2:
    raise ValueError(
      f'predict must give logits [B,K] with B = {len(images)} and K >= 2, not '
      f'{list(shape)}'
    )
  return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))


def wrong(logits: Float[Array, 'B K'], labels: Labels) -> Bool[Array, ' B']:
  """True where the class of the largest logit is not the label."""
  return jnp.argmax(logits, axis=-1) != labels


def of_label(logits: Float[Array, 'B K'], labels: Labels) -> Bool[Array, 'B K']:
  """True at the label's logit; nowhere for a label that is no class."""
  return labels[:, None] == jnp.arange(logits.shape[1])[None]


def cross_entropy(
  logits: Float[Array, 'B K'], labels: Labels
) -> Float[Array, ' B']:
  """Negative log-likelihood of the label."""
  log_p = jax.nn.log_softmax(logits)
  return -jnp.sum(jnp.where(of_label(logits, labels), log_p, 0), axis=-1)


def margin(logits: Float[Array, 'B K'], labels: Labels) -> Float[Array, ' B']:
  """The label's logit less the largest other one."""
  at_label = of_label(logits, labels)
  others = jnp.where(at_label, -jnp.inf, logits)
  own = jnp.sum(jnp.where(at_label, logits, 0), axis=-1)
  return own - jnp.max(others, axis=-1)


def ascent(
  predict: Predict, images: Images, labels: Labels
) -> tuple[Images, Float[Array, ' B'], Bool[Array, ' B']]:
  """Gradient of the cross-entropy, its values, and where images are wrong.

  The loss is summed over images, so that each has its own gradient.
  """

  def loss(x):
    logits = logits_of(predict, x)
    values = cross_entropy(logits, labels)
    return jnp.sum(values), (values, wrong(logits, labels))

  gradient, (values, fooled) = jax.grad(loss, has_aux=True)(images)
  return gradient, values, fooled
