"""The phase that takes silent channels away."""

from __future__ import annotations

import dataclasses

from rcj import shrink
from rcj.carry import Carry, Env, frozen, place
from rcj.phases.measuring import macs


@dataclasses.dataclass(frozen=True)
class Shrink:
  """Removes the filters that masks silence; see `shrink.shrink`.

  What follows trains and measures the smaller network, faster. Saved networks
  stay as they are, but can no longer be rewound to.
  """

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry with the smaller network."""
    network = shrink.shrink(frozen(carry, ()))
    state = dataclasses.replace(
      carry.state,
      params=network.params,
      batch_stats=network.batch_stats,
      masks=network.masks,
      scores=network.scores,
    )
    total, left = macs(network)
    env.journal.say(
      f'shrunk: {left:,} of {total:,} multiply-accumulate operations left'
    )
    return dataclasses.replace(
      carry,
      state=place(state, env.replicated),
      model=network.model,
      effective=network.effective,
      origin=network.origin,
    )
