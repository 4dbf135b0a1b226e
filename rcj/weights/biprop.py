"""Binary weights that learned scores select."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from rcj import masks as masks_lib
from rcj.types import Counts, Masks, Params, Scores
from rcj.weights.hydra import Hydra, straight_through


def biprop(
  params: Params,
  masks: Masks,
  scores: Scores,
  k: Counts | None,
  *,
  strict: bool = False,
) -> Params:
  """Signs of the weights whose absolute scores are among the `k` largest.

  Diffenderfer and Kailkhura 2021, https://arxiv.org/abs/2103.09377, algorithm
  1, and `GetSubnet` of chrundle/biprop. Each layer has a gain, the mean
  magnitude of what it keeps:

    W = alpha * sign(w) * top_k(|s|)    alpha = sum(|w| top_k) / sum(top_k)
    dL/ds = sign(s) * w * dL/dW         dL/dw = 0

  with dL/ds for every entry, without alpha and not through it. In layer mode
  the reference divides by int(density * n), which can be one less than what
  the layer keeps; here the gain is the mean, as the paper has it.

  Args:
    params: random weights.
    masks: weights that these masks make dormant are zero in W and in dL/ds.
    scores: nesting of `params`; float32 where a weight may be pruned, else
      None.
    k: see `hydra`.
    strict: True lets a layer become empty, as the reference does over all
      layers together; its alpha is 0 then, where the reference has NaN. False
      keeps the largest score of each.
  """
  magnitudes = jax.tree.map(jnp.abs, scores)
  keep = masks_lib.keep_k(magnitudes, k, strict=strict)

  def leaf(w, kept, s):
    if s is None:
      return w
    return straight_through(jnp.where(kept, signed_gain(w, kept), 0), w, s)

  return jax.tree.map(leaf, masks_lib.apply(params, masks), keep, scores)


def signed_gain(
  w: Float[Array, ' *shape'], kept: Bool[Array, ' *shape']
) -> Float[Array, ' *shape']:
  """Alpha * sign(w) of every entry; alpha is 0 where nothing is kept.

  Dormant weights (zero) do not count.
  """
  w = jax.lax.stop_gradient(w)
  kept = kept & (w != 0)
  total = jnp.sum(jnp.where(kept, jnp.abs(w), 0))
  return total / jnp.maximum(jnp.sum(kept), 1) * jnp.sign(w)


@dataclasses.dataclass(frozen=True)
class Biprop(Hydra):
  """`biprop` at a fixed density, as an `Effective`; fields as of `Hydra`."""

  def __call__(
    self, params: Params, masks: Masks, scores: Scores, k: Counts | None
  ) -> Params:
    """See `biprop`."""
    return biprop(params, masks, scores, k)

  def chosen(self, params: Params, kept: Masks) -> Params:
    """Parameters beside fixed masks `kept`: each layer's signs and gain."""

    def leaf(w, mask):
      return w if mask is None else signed_gain(w, mask)

    return jax.tree.map(leaf, params, kept)
