"""Phases that learn which weights live."""

from __future__ import annotations

import dataclasses
from typing import Literal

from rcj import masks, scores, size, tree, weights
from rcj.carry import Carry, Env, frozen, place
from rcj.phases.sizes import check_sizes, ratio_left, warn_of_lost_layers

_INITS = {
  'scaled': lambda key, *where: scores.scaled_init(*where),
  'kaiming': scores.kaiming_init,
  'uniform': scores.uniform_init,
}


@dataclasses.dataclass(frozen=True)
class InitScores:
  """Gives every kernel scores to learn, and the network weights by them.

  Exactly one of density, ratio and nonzero is given.

  Attributes:
    density: fraction kept of each layer's (or all) scored weights.
    ratio: all parameters / non-zero parameters (decision 12).
    nonzero: parameters left, of all.
    scope: 'layer' as Hydra and edge-popup have it, or 'global'.
    init: 'scaled' by the weights, 'kaiming' (decision 4), or 'uniform' as
      edge-popup and biprop begin.
    binary: the network sees biprop's signs and gains instead of the weights.
    include: pattern of the scored leaves, None for all kernels.
    exclude: pattern of leaves that get no scores after all.
  """

  density: float | None = None
  ratio: float | None = None
  nonzero: int | None = None
  scope: Literal['layer', 'global'] = 'layer'
  init: Literal['scaled', 'kaiming', 'uniform'] = 'scaled'
  binary: bool = False
  include: str | None = None
  exclude: str | None = None

  def __post_init__(self):
    check_sizes(
      'InitScores',
      density=self.density,
      ratio=self.ratio,
      nonzero=self.nonzero,
    )
    if self.init not in _INITS:
      raise ValueError(f'no init {self.init!r}; there are {", ".join(_INITS)}')
    if self.scope not in ('layer', 'global'):
      raise ValueError(f"scope is 'layer' or 'global', not {self.scope!r}")

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry with scores, and effective weights that follow them."""
    state = carry.state
    include = {} if self.include is None else {'include': self.include}
    candidates = masks.eligible(
      state.params, **include, exclude=self.exclude, within=state.masks
    )
    made = _INITS[self.init](env.phase_key(carry), state.params, candidates)
    density = self.density
    if density is None:
      # Hydra counts dormant weights too, so the ratio is over all of them.
      everywhere = masks.eligible(state.params, **include, exclude=self.exclude)
      ratio = ratio_left(carry, self.ratio, self.nonzero)
      density = size.density_for_ratio(state.params, everywhere, ratio)
    state = dataclasses.replace(state, scores=place(made, env.replicated))
    kind = weights.Biprop if self.binary else weights.Hydra
    return dataclasses.replace(
      carry, state=state, effective=kind(density, self.scope)
    )


@dataclasses.dataclass(frozen=True)
class FreezeMask:
  """Turns the learned scores into fixed masks and drops the scores.

  The weights of a binary network become each layer's signs and gain.
  """

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry with masks; raises ValueError where nothing was scored."""
    state = carry.state
    if not tree.leaves(state.scores):
      raise ValueError('FreezeMask needs scores: put InitScores before it')
    network = weights.fixed(frozen(carry, ()))
    warn_of_lost_layers(env, network.masks)
    state = dataclasses.replace(
      state,
      params=place(network.params, env.replicated),
      masks=place(network.masks, env.replicated),
      scores=network.scores,
    )
    return dataclasses.replace(carry, state=state, effective=network.effective)
