"""The phase that measures a network."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rcj import evaluate, masks, models, results, size, tree
from rcj.carry import Carry, Env, frozen
from rcj.types import Frozen


def parameters(network: Frozen) -> tuple[int, int]:
  """(all parameters, parameters left by masks and scores) of a network."""
  groups = models.channel_groups(network.model)
  total = size.total(network.params)
  if tree.leaves(network.scores):
    k = network.effective.counts(network.scores)
    learned = masks.keep_k(jax.tree.map(jnp.abs, network.scores), k)
    alive = masks.intersect(network.params, learned, network.masks)
    network = dataclasses.replace(network, masks=alive)
  return total, size.remaining(network.params, network.masks, groups=groups)


@dataclasses.dataclass(frozen=True)
class Evaluate:
  """Measures the network on every suite and writes the rows.

  Attributes:
    method: label in tables and figures, such as 'AugMix + KD'.
    network: label within the run.
  """

  method: str
  network: str = 'network'

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry unchanged."""
    network = frozen(carry, tuple(env.data.train.classes))
    total, left = parameters(network)
    shared = {
      **env.labels,
      'run': env.workdir.name,
      'network': self.network,
      'method': self.method,
      'parameters': total,
      'nonzero': left,
      'ratio': round(total / left, 3),
    }
    for suite in env.suites:
      outcomes = evaluate.evaluate(network, suite, mesh=env.mesh)
      rows = evaluate.rows(suite, outcomes)
      if jax.process_index() == 0:
        results.add_rows(env.workdir, [{**shared, **row} for row in rows])
        results.add_predictions(
          env.workdir, _named(self.network, suite, outcomes)
        )
      env.journal.say(
        f'{self.method}, {suite.name}: error {100 * rows[-1]["error"]:.1f} %'
      )
    return carry


def _named(
  network: str, suite: evaluate.Suite, outcomes: list[evaluate.Outcome]
) -> dict[str, Any]:
  arrays = {
    f'{network}|{suite.name}|{o.corruption}|{o.severity or ""}': o.predicted
    for o in outcomes
  }
  return {**arrays, f'labels|{suite.name}': suite.labels}
