"""Weights that learned scores select: Hydra, and edge-popup on random ones."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rcj import masks as masks_lib
from rcj.types import Counts, Masks, Params, Scores


def hydra(
  params: Params, masks: Masks, scores: Scores, k: Counts | None
) -> Params:
  """Weights whose absolute scores are among the `k` largest, others zero.

  `GetSubnet` of inspire-group/hydra (Sehwag et al. 2020,
  https://arxiv.org/abs/2002.10509) and of allenai/hidden-networks (edge-popup,
  Ramanujan et al. 2020, https://arxiv.org/abs/1911.13299), which are the same
  function: Hydra begins with trained weights and scores that follow them,
  edge-popup with random ones. With W = w * top_k(|s|) the gradients are

    dL/dw = top_k(|s|) * dL/dW          dL/ds = sign(s) * w * dL/dW

  the latter for every entry, selected or not (straight-through), so that a
  weight can come back. A score of exactly zero gets no gradient. Every layer
  keeps at least one weight.

  What is called `density` here, always the fraction kept, is `k` in Hydra and
  in the papers, and `prune_rate` in hidden-networks and chrundle/biprop, which
  mean by it the fraction kept in their learned layers, but scale initial
  weights and prune random baselines as if it were the fraction removed.

  Args:
    params: the network's parameters.
    masks: weights that these masks make dormant are zero in W and in dL/ds.
    scores: nesting of `params`; float32 where a weight may be pruned, else
      None.
    k: weights to keep, int32 scalar over all layers together or int32[L] one
      per scored leaf; `Hydra.counts` computes it.
  """
  keep = masks_lib.keep_k(jax.tree.map(jnp.abs, scores), k)

  def leaf(w, kept, s):
    if s is None:
      return w
    return straight_through(jnp.where(kept, w, 0), w, s)

  return jax.tree.map(leaf, masks_lib.apply(params, masks), keep, scores)


edge_popup = hydra  # what differs are the weights, and how scores begin


def straight_through(
  value: Float[Array, ' *shape'],
  w: Float[Array, ' *shape'],
  s: Float[Array, ' *shape'],
) -> Float[Array, ' *shape']:
  """`value`, whose gradient with respect to the scores is sign(s) * w."""
  # s - stop_gradient(s) is zero, but its derivative is one: adds the gradient
  # of the scores, which top_k lacks, and leaves the value alone.
  slope = jax.lax.stop_gradient(jnp.sign(s) * w)
  return value + slope * (s - jax.lax.stop_gradient(s))


@dataclasses.dataclass(frozen=True)
class Hydra:
  """`hydra` at a fixed density, as an `Effective`.

  Attributes:
    density: fraction kept of the scored weights.
    scope: 'layer' keeps this fraction of every layer, as the paper does;
      'global' of all scored layers together.
  """

  density: float
  scope: Literal['layer', 'global'] = 'layer'

  def __call__(
    self, params: Params, masks: Masks, scores: Scores, k: Counts | None
  ) -> Params:
    """See `hydra`."""
    return hydra(params, masks, scores, k)

  def counts(self, scores: Scores) -> np.ndarray:
    """Weights to keep for scores of these shapes: n - int((1 - density) * n).

    Returns:
      int32 scalar for scope 'global', int32[L] in tree order for 'layer'.
    """
    sizes = [int(np.prod(s.shape)) for s in jax.tree.leaves(scores)]
    return masks_lib.counts_of(
      sizes, density=self.density, scope=self.scope, count='truncate'
    )

  def chosen(self, params: Params, kept: Masks) -> Params:
    """Parameters beside fixed masks `kept`: as they were."""
    del kept
    return params
