"""The phase that prunes by a score of the weights."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any, Literal

import jax

from rcj import graph, masks, models, scores, size
from rcj.carry import Carry, Env, frozen, place
from rcj.phases.measuring import parameters
from rcj.phases.sizes import check_sizes, ratio_left
from rcj.types import ChannelGroup, Masks, TrainState

_SCORES = ('magnitude', 'random', 'l1_filter', 'random_filter')
_GROUPS = ('coupled', 'inner')


@dataclasses.dataclass(frozen=True)
class Prune:
  """One-shot pruning by a score of the current weights.

  Exactly one of density, ratio, nonzero and rate is given. Dormant weights are
  never revived: scoring is within the current masks.

  Attributes:
    score: 'magnitude', 'random', 'l1_filter' or 'random_filter'.
    scope: one threshold for all layers ('global'), or per 'layer'; filter
      scores are always per layer.
    groups: which filters a filter score prunes: all of them, with those that
      additions tie 'coupled', or the 'inner' ones of residual blocks alone,
      which leaves the stream between the blocks as wide as it was.
    density: fraction kept of the prunable kernels.
    ratio: all parameters / non-zero parameters after pruning (decision 12).
    nonzero: parameters left, of all.
    rate: fraction removed of what survives.
    include: pattern of the prunable leaves, None for all kernels.
    exclude: pattern of leaves that are not pruned after all.
  """

  score: Literal['magnitude', 'random', 'l1_filter', 'random_filter']
  scope: Literal['global', 'layer'] = 'global'
  groups: Literal['coupled', 'inner'] = 'coupled'
  density: float | None = None
  ratio: float | None = None
  nonzero: int | None = None
  rate: float | None = None
  include: str | None = None
  exclude: str | None = None

  def __post_init__(self):
    check_sizes(
      'Prune',
      density=self.density,
      ratio=self.ratio,
      nonzero=self.nonzero,
      rate=self.rate,
    )
    if self.score not in _SCORES:
      raise ValueError(
        f'no score {self.score!r}; there are {", ".join(_SCORES)}'
      )
    if self.groups not in _GROUPS:
      raise ValueError(
        f'no groups {self.groups!r}; there are {", ".join(_GROUPS)}'
      )

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry with new masks."""
    state = carry.state
    candidates = self._eligible(state, state.masks)
    scored = self._scores(carry, env, candidates)
    by_filter = self.score.endswith('filter')
    with warnings.catch_warnings(record=True) as caught:
      warnings.simplefilter('always')
      kept = masks.keep_top(
        scored,
        density=self._density(carry, candidates),
        scope='layer' if by_filter else self.scope,
      )
    for warning in caught:
      env.journal.say(f'warning: {warning.message}')
    kept = masks.intersect(state.params, kept, state.masks)
    state = dataclasses.replace(state, masks=place(kept, env.replicated))
    carry = dataclasses.replace(carry, state=state)
    total, left = parameters(frozen(carry, ()))
    env.journal.say(
      f'pruned by {self.score}: {left:,} of {total:,} parameters left, '
      f'ratio {total / left:.2f}'
    )
    return carry

  def _eligible(self, state: TrainState, within: Masks | None) -> Masks:
    include = {} if self.include is None else {'include': self.include}
    return masks.eligible(
      state.params, **include, exclude=self.exclude, within=within
    )

  def _groups(self, carry: Carry) -> tuple[ChannelGroup, ...]:
    groups = models.channel_groups(carry.model)
    return groups if self.groups == 'coupled' else graph.inside_blocks(groups)

  def _scores(self, carry: Carry, env: Env, candidates: Masks) -> Any:
    params, key = carry.state.params, env.phase_key(carry)
    groups = self._groups(carry)
    made: dict[str, Callable[[], Any]] = {
      'magnitude': lambda: scores.magnitude(params, candidates),
      'random': lambda: scores.random(key, params, candidates),
      'l1_filter': lambda: scores.l1_filter(params, candidates, groups=groups),
      'random_filter': lambda: scores.random_filter(
        key, params, candidates, groups=groups
      ),
    }
    return made[self.score]()

  def _density(self, carry: Carry, candidates: Masks) -> float:
    """Fraction kept of what is alive now."""
    if self.rate is not None:
      return 1 - self.rate
    density, alive = self.density, float(masks.density(candidates))
    if density is None:
      density = self._density_for_ratio(carry)
    weights_alive = sum(int(m.sum()) for m in jax.tree.leaves(candidates))
    if density > alive + 1 / max(weights_alive, 1):
      raise ValueError(
        f'Prune to density {density:g}, but only {alive:g} is still alive; '
        'pruned weights are never revived'
      )
    return min(density / alive, 1.0)

  def _density_for_ratio(self, carry: Carry) -> float:
    params = carry.state.params
    everywhere = self._eligible(carry.state, None)
    ratio = ratio_left(carry, self.ratio, self.nonzero)
    if self.score.endswith('filter'):
      groups = self._groups(carry)
      return size.density_for_filter_ratio(params, everywhere, ratio, groups)
    return size.density_for_ratio(params, everywhere, ratio)
