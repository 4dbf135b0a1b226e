"""The phase that measures a network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from etils import epath

from rcj import evaluate, export, graph, models, results, size, weights
from rcj.carry import Carry, Env, frozen
from rcj.types import Frozen


def dense_parameters(network: Frozen) -> int:
  """Number of parameters of the network that had all its channels."""
  return _count(network.origin or network.model)


def parameters(network: Frozen) -> tuple[int, int]:
  """(`dense_parameters`, parameters left by masks and scores) of a network."""
  groups = models.channel_groups(network.model)
  total, network = dense_parameters(network), weights.fixed(network)
  return total, size.remaining(network.params, network.masks, groups=groups)


def macs(network: Frozen) -> tuple[int, int]:
  """Multiply-accumulate operations for one image: (with all channels, now).

  Masks save none: what is counted is what runs.
  """
  before, now = (
    graph.macs(models.graph_of(model), network.preprocessing.size)
    for model in (network.origin or network.model, network.model)
  )
  return before, now


def costs(network: Frozen) -> dict[str, int | float]:
  """The columns of `results` that tell a network's size, without latency."""
  total, left = parameters(network)
  dense_macs, own_macs = macs(network)
  stored = export.sizes(network)
  return {
    'parameters': total,
    'nonzero': left,
    'ratio': round(total / left, 3),
    'dense_macs': dense_macs,
    'macs': own_macs,
    'dense_bytes': 4 * total,
    'bytes': 4 * _count(network.model),
    'packed_bytes': stored.packed,
    'gzip_bytes': stored.gzip,
  }


def _count(model: Any) -> int:
  shapes = graph.parameter_shapes(models.graph_of(model)).values()
  return sum(map(math.prod, shapes))


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
    shared = {
      **env.labels,
      'run': env.workdir.name,
      'network': self.network,
      'method': self.method,
      **costs(network),
    }
    measure(
      network,
      env.suites,
      workdir=env.workdir,
      mesh=env.mesh,
      columns=shared,
      say=env.journal.say,
    )
    return carry


def measure(
  network: Frozen | evaluate.Predictor,
  suites: Sequence[evaluate.Suite],
  *,
  workdir: epath.Path,
  mesh: jax.sharding.Mesh,
  columns: Mapping[str, Any],
  say: Callable[[str], None],
) -> None:
  """Writes rows and predictions of every suite to a run directory.

  Args:
    network: see `evaluate.classify`.
    suites: what it is measured on.
    workdir: the run directory.
    mesh: devices, with the axis 'data'.
    columns: of every row, 'network' and 'method' among them.
    say: is told the mean error of each suite.
  """
  for suite in suites:
    outcomes = evaluate.evaluate(network, suite, mesh=mesh)
    rows = evaluate.rows(suite, outcomes)
    if jax.process_index() == 0:
      results.add_rows(workdir, [{**columns, **row} for row in rows])
      results.add_predictions(
        workdir, _named(columns['network'], suite, outcomes)
      )
    error = 100 * rows[-1]['error']
    say(f'{columns["method"]}, {suite.name}: error {error:.1f} %')


def _named(
  network: str, suite: evaluate.Suite, outcomes: list[evaluate.Outcome]
) -> dict[str, Any]:
  arrays = {
    f'{network}|{suite.name}|{o.corruption}|{o.severity or ""}': o.predicted
    for o in outcomes
  }
  return {**arrays, f'labels|{suite.name}': suite.labels}
