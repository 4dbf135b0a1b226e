"""Effective weights: what the network sees of its parameters.

Every compression method enters the training step through one function
`(params, masks, scores, k) -> weights`. `k` is an array of counts made on the
host, so that a density schedule never recompiles the step.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from rcj import masks as masks_lib
from rcj.types import Counts, Frozen, Masks, Params, Scores


def masked(
  params: Params, masks: Masks, scores: Scores, k: Counts | None
) -> Params:
  """Parameters with zeros where the masks are False.

  The gradient of a dormant weight is zero. Dense training is the special case
  of masks that are all None.

  Args:
    params: the network's parameters.
    masks: nesting of `params`; bool arrays, filter masks `[1,1,1,C]`, None.
    scores: not used.
    k: not used.
  """
  del scores, k
  return masks_lib.apply(params, masks)


def hydra(
  params: Params, masks: Masks, scores: Scores, k: Counts | None
) -> Params:
  """Weights whose absolute scores are among the `k` largest, others zero.

  Sehwag et al. 2020, https://arxiv.org/abs/2002.10509, and `GetSubnet` of
  inspire-group/hydra. With W = w * top_k(|s|) the gradients are

    dL/dw = top_k(|s|) * dL/dW          dL/ds = sign(s) * w * dL/dW

  the latter for every entry, selected or not (straight-through), so that a
  weight can come back. A score of exactly zero gets no gradient. Every layer
  keeps at least one weight.

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
    # s - stop_gradient(s) is zero, but its derivative is one: adds the gradient
    # of the scores, which top_k lacks, and leaves the value alone.
    slope = jax.lax.stop_gradient(jnp.sign(s) * w)
    return jnp.where(kept, w, 0) + slope * (s - jax.lax.stop_gradient(s))

  return jax.tree.map(leaf, masks_lib.apply(params, masks), keep, scores)


@dataclasses.dataclass(frozen=True)
class Masked:
  """`masked` as an `Effective`; the weights of every phase without scores."""

  def __call__(
    self, params: Params, masks: Masks, scores: Scores, k: Counts | None
  ) -> Params:
    """See `masked`."""
    return masked(params, masks, scores, k)

  def counts(self, scores: Scores) -> None:
    """No counts are needed."""
    del scores


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


def fixed(frozen: Frozen) -> Frozen:
  """The same function with masks in place of learned scores.

  A network without scores stays what it is.
  """
  if not jax.tree.leaves(frozen.scores):
    return frozen
  k = frozen.effective.counts(frozen.scores)
  kept = masks_lib.keep_k(jax.tree.map(jnp.abs, frozen.scores), k)
  return dataclasses.replace(
    frozen,
    masks=masks_lib.intersect(frozen.params, kept, frozen.masks),
    scores=jax.tree.map(lambda _: None, frozen.params),
    effective=Masked(),
  )
