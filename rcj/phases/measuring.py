"""The phase that measures a network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from etils import epath

from rcj import (
  evaluate,
  export,
  graph,
  models,
  quantize,
  results,
  size,
  tree,
  weights,
)
from rcj.carry import Carry, Env, frozen
from rcj.deck import Deck
from rcj.types import Frozen


def dense_parameters(network: Frozen) -> int:
  """Number of parameters of the network that had all its channels."""
  return _count(network.origin or network.model)


def parameters(network: Frozen) -> tuple[int, int]:
  """(`dense_parameters`, parameters left by masks and scores) of a network.

  Where BatchNorm was folded, its scales count as if they were still there, so
  that quantization alone is no compression by this measure.
  """
  groups = models.channel_groups(network.model)
  total, network = dense_parameters(network), weights.fixed(network)
  left = size.remaining(network.params, network.masks, groups=groups)
  return total, left + _scales(network)


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
    'bytes': _bytes(network.model),
    'packed_bytes': stored.packed,
    'gzip_bytes': stored.gzip,
    'weight_bits': stored.weight_bits,
    'dtype': _dtype(network.model),
  }


def _scales(network: Frozen) -> int:
  """Scales of BatchNorms that became part of convolutions, if not masked."""
  if network.origin is None:
    return 0
  before = {node.name: node for node in models.graph_of(network.origin).nodes}
  params = tree.leaves(network.params)
  return sum(
    _channels(params, node.name)
    for node in models.graph_of(network.model).nodes
    if isinstance(node, (graph.Conv, graph.Depthwise))
    and node.bias
    and not getattr(before.get(node.name), 'bias', True)
  )


def _channels(params: Mapping[str, Any], name: str) -> int:
  """Of a convolution, those that are not zero throughout."""
  kernel, bias = params[f'{name}/kernel'], params[f'{name}/bias']
  alive = jnp.any(kernel != 0, axis=tuple(range(kernel.ndim - 1)))
  return int(jnp.count_nonzero(alive | (bias != 0)))


def _bytes(model: Any) -> int:
  """Of the weights as they run: a byte for each that is rounded to int8."""
  shapes = graph.parameter_shapes(models.graph_of(model))
  floats = 4 * sum(map(math.prod, shapes.values()))
  if not isinstance(model, models.QuantNet):
    return floats
  rounded = [
    shape
    for name, shape in shapes.items()
    if name.endswith('/kernel')
    and name.removesuffix('/kernel') not in model.keep_float
  ]
  # Each channel of a rounded kernel has a scale.
  return floats - sum(3 * math.prod(x) - 4 * x[-1] for x in rounded)


def _dtype(model: Any) -> str:
  if isinstance(model, models.QuantNet):
    return 'int8'
  return jnp.dtype(model.dtype).name


def _count(model: Any) -> int:
  shapes = graph.parameter_shapes(models.graph_of(model)).values()
  return sum(map(math.prod, shapes))


@dataclasses.dataclass(frozen=True)
class Evaluate:
  """Measures the network on every suite and writes the rows.

  What is measured is what ships: of a quantized network its integers.

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
    quantized = isinstance(network.model, models.QuantNet)
    measure(
      quantize.integers(network) if quantized else network,
      env.suites,
      workdir=env.workdir,
      mesh=env.mesh,
      columns=shared,
      say=env.journal.say,
    )
    return carry


def measure(
  network: Frozen | Deck | evaluate.Predictor,
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
