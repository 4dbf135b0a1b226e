"""The phase that re-estimates BatchNorm's statistics."""

from __future__ import annotations

import dataclasses
import functools

from rcj import train
from rcj.augment import Views
from rcj.carry import Carry, Env, place
from rcj.phases.stream import open_stream


@dataclasses.dataclass(frozen=True)
class RecalibrateBN:
  """Re-estimates BatchNorm's running statistics; no weight moves.

  Attributes:
    steps: batches seen; the running average has momentum 0.9, so 50 forget
      the old statistics to half a percent.
    batch_size: images per step.
    augment: what the images go through.
  """

  steps: int = 100
  batch_size: int = 128
  augment: Views = dataclasses.field(default_factory=Views)

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry with new batch statistics."""
    at = carry.state.step
    state = dataclasses.replace(
      place(carry.state, env.replicated), opt_state=None
    )
    key = env.phase_key(carry)
    k = carry.effective.counts(state.scores)
    step = train.compiled(
      train.recalibrate_step,
      env.mesh,
      model=carry.model,
      preprocessing=carry.preprocessing,
      augment=functools.partial(self.augment, mesh=env.mesh),
      effective=carry.effective,
    )
    stream = open_stream(
      env, key, batch_size=self.batch_size, size=carry.preprocessing.size
    )
    for _ in range(self.steps):
      state = step(state, next(stream), key, k)
    stream.close()
    state = dataclasses.replace(state, step=at)
    return dataclasses.replace(carry, state=state)
