"""Density that falls while a phase trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rcj import masks, scores, tree
from rcj.carry import Carry
from rcj.types import Counts, Effective, Masks, Params, PyTree, TrainState

# What a step needs: the state, perhaps pruned, and counts of its weights.
Sparsify = Callable[[TrainState, int], tuple[TrainState, Counts | None]]


@dataclasses.dataclass(frozen=True)
class Gradual:
  """Zhu and Gupta's schedule, https://arxiv.org/abs/1710.01878, equation 1.

  Without scores this is gradual magnitude pruning (GMP): at each update the
  smallest weights of all kernels go, and any may come back that is among the
  largest then (decision 9: dormant weights keep their values; the momentum of
  what is pruned becomes zero). With scores the density of their `Effective`
  falls, which biprop's code calls a progressive schedule.

  Attributes:
    density: fraction kept at the end.
    initial: fraction kept until `begin`.
    begin: when density begins to fall, as a fraction of the phase.
    end: of the last update, as a fraction of the phase.
    updates: how often it falls in between, at equal distances.
  """

  density: float
  initial: float = 1.0
  begin: float = 0.0
  end: float = 0.75
  updates: int = 100

  def __post_init__(self):
    if not 0 < self.density <= self.initial <= 1:
      raise ValueError(
        'Gradual wants 0 < density <= initial <= 1, fractions kept, got '
        f'density={self.density} and initial={self.initial}'
      )
    if not 0 <= self.begin < self.end <= 1 or self.updates < 1:
      raise ValueError(
        'Gradual wants fractions of the phase with 0 <= begin < end <= 1, and '
        f'updates of at least 1, got begin={self.begin}, end={self.end} and '
        f'updates={self.updates}'
      )

  def at(self, step: int, total: int) -> float:
    """Density of a phase of `total` steps after `step` of them."""
    first, last = round(self.begin * total), round(self.end * total)
    passed = min(max((step - first) / max(last - first, 1), 0.0), 1.0)
    passed = 1.0 if step >= last else passed
    # What is rounded is exact at the updates, where floor alone is not.
    update = np.floor(round(passed * self.updates, 6))
    return masks.cubic(
      update,
      begin=0,
      end=self.updates,
      density=self.density,
      initial=self.initial,
    )


def begun(gradual: Gradual, carry: Carry) -> TrainState:
  """The state that a phase begins with: masks may change but not appear.

  Raises:
    ValueError: if the phase was rewound into, the network was pruned before,
      or its scores select another density than the schedule ends with.
  """
  state = carry.state
  if int(state.step):
    raise ValueError(
      f'a density that falls begins with its phase, not at step {state.step} '
      'of it; usually a Rewind stands before this Train'
    )
  if tree.leaves(state.scores):
    if carry.effective.density != gradual.density:
      raise ValueError(
        f'the schedule ends at density {gradual.density:g}, the scores select '
        f'{carry.effective.density:g}: InitScores and Train want the same'
      )
    return state
  if tree.leaves(state.masks):
    raise ValueError(
      'gradual pruning of a network that has masks would give back what they '
      'removed; usually a Prune stands before this Train'
    )
  return dataclasses.replace(state, masks=masks.eligible(state.params))


def sparsify(
  gradual: Gradual | None, effective: Effective, state: TrainState, total: int
) -> Sparsify:
  """What brings a phase of `total` steps to the density of each step."""
  if gradual is None:
    k = effective.counts(state.scores)
    return lambda state, step: (state, k)
  if tree.leaves(state.scores):
    return _Counting(gradual, effective, total)
  return _Pruning(gradual, total)


@dataclasses.dataclass
class _Counting:
  """Scores choose fewer and fewer weights; counts are the host's work."""

  gradual: Gradual
  effective: Any
  total: int
  _known: tuple[float, Counts | None] = (-1.0, None)

  def __call__(
    self, state: TrainState, step: int
  ) -> tuple[TrainState, Counts | None]:
    density = self.gradual.at(step, self.total)
    if density != self._known[0]:
      now = dataclasses.replace(self.effective, density=density)
      self._known = density, now.counts(state.scores)
    return state, self._known[1]


@dataclasses.dataclass
class _Pruning:
  """Masks are made anew when the density falls."""

  gradual: Gradual
  total: int

  def __call__(self, state: TrainState, step: int) -> tuple[TrainState, None]:
    density = self.gradual.at(step, self.total)
    if density == 1 or (step and density == self._before(step)):
      return state, None
    sizes = [m.size for m in jax.tree.leaves(state.masks)]
    k = masks.kept(sum(sizes), density=density)
    changed = _pruned(state.params, state.masks, state.opt_state, np.int32(k))
    return dataclasses.replace(
      state, masks=changed[0], opt_state=changed[1]
    ), None

  def _before(self, step: int) -> float:
    return self.gradual.at(step - 1, self.total)


def _pruned(
  params: Params, now: Masks, opt_state: PyTree, k: Counts
) -> tuple[Masks, PyTree]:
  """Masks of the k largest weights, and no momentum of the others.

  Placed as they were, so that the step is not compiled anew.
  """
  changed = _choose(params, now, opt_state, k)
  return jax.tree.map(
    lambda new, old: jax.device_put(new, old.sharding),
    changed,
    (now, opt_state),
  )


@jax.jit
def _choose(
  params: Params, now: Masks, opt_state: PyTree, k: Counts
) -> tuple[Masks, PyTree]:
  everywhere = jax.tree.map(jnp.ones_like, now)
  kept = masks.keep_k(scores.magnitude(params, everywhere), k)
  named = tree.leaves(kept)

  def leaf(name, x):
    mask = named.get(name.partition('params/')[2])
    return x if mask is None else jnp.where(mask, x, 0)

  return kept, tree.map_named(leaf, opt_state)
