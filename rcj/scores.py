"""Importance of weights and filters: what `masks.keep_top` ranks.

Scores have the nesting of the parameters: float32 where prunable, None
elsewhere, -inf on dormant entries (not eligible, though their leaf is). Filter
scores are `[1,1,1,C]` on convolution kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from rcj import tree
from rcj.types import ChannelGroup, Masks, Params, Scores

Groups = Sequence[ChannelGroup] | Literal['none']


def magnitude(params: Params, eligible: Masks) -> Scores:
  """Absolute value of every weight.

  Han et al. 2015, https://arxiv.org/abs/1506.02626.
  """
  return _where_eligible(lambda _, w: jnp.abs(w), params, eligible)


def random(key: Key[Array, ''], params: Params, eligible: Masks) -> Scores:
  """Uniform noise in 0..1; each leaf's noise depends on its name alone."""
  return _where_eligible(
    lambda name, w: jax.random.uniform(tree.leaf_key(key, name), w.shape),
    params,
    eligible,
  )


def l1_filter(params: Params, eligible: Masks, *, groups: Groups) -> Scores:
  """L1 norm of every filter (output channel) of the convolutions.

  Li et al. 2017, https://arxiv.org/abs/1608.08710. The members of a group get
  the same scores, the sum of its kernels' norms, and so do its followers
  (BatchNorm scale and bias `[C]`, depthwise kernels): `keep_top` with
  scope='layer' then masks them alike, and the filters can be removed. Dense
  kernels have no filter score.

  Args:
    params: the network's parameters, kernels `[h,w,in,out]`.
    eligible: masks over `params`; a filter without an eligible weight in any
      kernel of its group is dormant. Only groups whose kernels are all
      eligible leaves are scored.
    groups: the network's channel groups, or 'none': each kernel on its own,
      as torch.nn.utils.prune.ln_structured with n=1, dim=0.

  Raises:
    ValueError: if a group names a leaf that does not exist, or no kernel can
      be scored.
  """
  alive, weights = tree.leaves(eligible), tree.leaves(params)

  def norms(name):
    w = jnp.where(alive[name], weights[name], 0)
    return jnp.sum(jnp.abs(w), axis=(0, 1, 2))

  return _filter_scores(
    lambda kernels: sum(norms(name) for name in kernels),
    params,
    alive,
    groups,
  )


def random_filter(
  key: Key[Array, ''], params: Params, eligible: Masks, *, groups: Groups
) -> Scores:
  """Uniform noise in 0..1 per filter, equal within a group.

  Args:
    key: a group's noise depends on it and the name of its first kernel.
    params: see `l1_filter`.
    eligible: see `l1_filter`.
    groups: see `l1_filter`.

  Raises:
    ValueError: as `l1_filter`.
  """
  weights = tree.leaves(params)

  def noise(kernels):
    channels = weights[kernels[0]].shape[-1]
    return jax.random.uniform(tree.leaf_key(key, kernels[0]), (channels,))

  return _filter_scores(noise, params, tree.leaves(eligible), groups)


def scaled_init(params: Params, eligible: Masks) -> Scores:
  """Hydra's initial scores: sqrt(6 / fan_in) * w / max|w| per layer, signed.

  Their order by absolute value is that of the weights. fan_in is the number
  of inputs of one output, that is kernel size x kernel size for depthwise
  kernels. Not eligible entries are 0, which keeps them last and unmoved.
  Sehwag et al. 2020, https://arxiv.org/abs/2002.10509, section 3.1.
  """

  def leaf(w, mask):
    if mask is None:
      return None
    scale = math.sqrt(6 / math.prod(w.shape[:-1])) / jnp.max(jnp.abs(w))
    return jnp.where(mask, scale * w.astype(jnp.float32), 0)

  return jax.tree.map(leaf, params, eligible)


def kaiming_init(
  key: Key[Array, ''], params: Params, eligible: Masks
) -> Scores:
  """Initial scores from a normal of standard deviation sqrt(2 / fan_in).

  The alternative to `scaled_init` that ignores the weights; He et al. 2015,
  https://arxiv.org/abs/1502.01852. Not eligible entries are 0.
  """

  def draw(key, shape):
    std = math.sqrt(2 / math.prod(shape[:-1]))
    return std * jax.random.normal(key, shape)

  return _drawn(draw, key, params, eligible)


def uniform_init(
  key: Key[Array, ''], params: Params, eligible: Masks
) -> Scores:
  """Edge-popup's initial scores: uniform in +-1 / sqrt(fan_in).

  Ramanujan et al. 2020, https://arxiv.org/abs/1911.13299; in its code
  (allenai/hidden-networks) torch's kaiming_uniform with a = sqrt(5). Not
  eligible entries are 0.
  """

  def draw(key, shape):
    limit = 1 / math.sqrt(math.prod(shape[:-1]))
    return jax.random.uniform(key, shape, minval=-limit, maxval=limit)

  return _drawn(draw, key, params, eligible)


def _drawn(
  draw: Callable[..., Array],
  key: Key[Array, ''],
  params: Params,
  eligible: Masks,
) -> Scores:
  def leaf(name, w, mask):
    if mask is None:
      return None
    return jnp.where(mask, draw(tree.leaf_key(key, name), w.shape), 0)

  return tree.map_named(leaf, params, eligible)


def _where_eligible(
  score: Callable[[str, Array], Array], params: Params, eligible: Masks
) -> Scores:
  def leaf(name, w, mask):
    if mask is None:
      return None
    return jnp.where(mask, score(name, w).astype(jnp.float32), -jnp.inf)

  return tree.map_named(leaf, params, eligible)


def _filter_scores(
  score: Callable[[tuple[str, ...]], Float[Array, ' C']],
  params: Params,
  alive: dict[str, Bool[Array, ' *shape']],
  groups: Groups,
) -> Scores:
  """Scores of each group by `score(kernels)`, spread over its members."""
  weights = tree.leaves(params)
  if groups == 'none':
    convolutions = [n for n in alive if weights[n].ndim == 4]
    groups = [ChannelGroup((n,)) for n in convolutions]
  unknown = {
    n for g in groups for n in (*g.kernels, *g.followers) if n not in weights
  }
  if unknown:
    raise ValueError(
      f'channel groups name leaves that do not exist: {sorted(unknown)}; are '
      f'they those of another network? Leaves: {", ".join(weights)}'
    )
  result = {}
  for group in groups:
    if not all(n in alive for n in group.kernels):
      continue
    alive_filter = sum(
      jnp.any(alive[n], axis=(0, 1, 2)).astype(jnp.int32) for n in group.kernels
    )
    channels = jnp.where(alive_filter > 0, score(group.kernels), -jnp.inf)
    for n in (*group.kernels, *group.followers):
      shape = (1,) * (weights[n].ndim - 1) + (-1,)
      result[n] = channels.astype(jnp.float32).reshape(shape)
  if not result:
    raise ValueError(
      'no convolution kernel is eligible for filter pruning; eligible leaves: '
      f'{", ".join(alive) or "none"}'
    )
  return tree.map_named(lambda n, _: result.get(n), params)
