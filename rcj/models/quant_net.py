"""A network as 8-bit integers will compute it, in floats that can be trained.

Jacob et al., https://arxiv.org/abs/1712.05877, section 3: kernels and stored
results are rounded to what their integers stand for, and gradients go straight
through the rounding (Bengio et al., https://arxiv.org/abs/1308.3432).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from rcj import graph as graphs
from rcj.graph import Graph
from rcj.models.graph_net import get, layer_of, nested
from rcj.ops import affine
from rcj.types import PyTree

# Of a new range in the moving average, as torch's observers.
_NEW = 0.01


@dataclasses.dataclass(frozen=True)
class QuantNet:
  """The operations of a graph without BatchNorm, rounded as integers are.

  Its parameters are those of the `GraphNet` of that graph. Its 'batch_stats'
  are the ranges {'low', 'high'}, float32 scalars, of every result that
  `graph.stored` says has a scale of its own. Made by `quantize.quantized`.

  Attributes:
    graph: the operations.
    keep_float: names of nodes whose kernels are not rounded.
    per_channel: a scale for each output channel of a kernel, or one for all.
    dtype: type of the computation; parameters and ranges stay float32.

  Raises:
    ValueError: if the graph has a BatchNorm.
  """

  graph: Graph
  keep_float: tuple[str, ...] = ()
  per_channel: bool = True
  dtype: Any = jnp.float32

  def __post_init__(self):
    check_folded(self.graph)
    object.__setattr__(self, 'dtype', jnp.dtype(self.dtype))

  @property
  def num_classes(self) -> int:
    """Outputs of the classifier."""
    return self.graph.num_classes

  def apply(
    self,
    variables: Mapping[str, PyTree],
    x: Float[Array, 'N H W 3'],
    *,
    train: bool,
    mutable: Sequence[str] = (),
  ) -> Any:
    """Logits, maps and pooled feature, as `GraphNet.apply`.

    Args:
      variables: 'params' and 'batch_stats'.
      x: normalised images.
      train: first moves every range by a hundredth towards that of the batch.
      mutable: not empty gives (result, {'batch_stats': ranges}).
    """
    run = _Run(self, variables, train)
    values = run(x)
    result = (
      values[self.graph.output].astype(jnp.float32),
      tuple(values[name] for name in self.graph.maps),
      values[self.graph.pooled].astype(jnp.float32),
    )
    return (result, {'batch_stats': nested(run.ranges)}) if mutable else result


def check_folded(graph: Graph) -> None:
  """Raises ValueError if a network of integers could not run the graph."""
  norms = [n.name for n in graph.nodes if isinstance(n, graphs.BatchNorm)]
  if norms:
    raise ValueError(
      'networks of integers have no BatchNorm, fold it first by '
      f'models.folded; got {norms}'
    )


class _Run:
  """One pass over a graph, with the ranges after it."""

  def __init__(self, net: QuantNet, variables: Mapping, train: bool):
    self._net, self._variables, self._train = net, variables, train
    self._owners = graphs.stored(net.graph)
    self.ranges = {}

  def __call__(self, x: Array) -> dict[str, Array]:
    values = {Graph.INPUT: self._rounded(Graph.INPUT, x)}
    for node in self._net.graph.nodes:
      inputs = (values[name] for name in node.inputs)
      layer = layer_of(node, self._net.dtype, train=False)
      result = layer.apply(self._own(node), *inputs)
      values[node.name] = self._rounded(node.name, result)
    return values

  def _own(self, node: graphs.Node) -> dict[str, PyTree]:
    params = get(self._variables['params'], node.name)
    if params is None:
      return {}
    if node.name in self._net.keep_float:
      return {'params': params}
    kernel = affine.fake_kernel(
      params['kernel'], per_channel=self._net.per_channel
    )
    return {'params': {**params, 'kernel': kernel}}

  def _rounded(self, name: str, value: Array) -> Array:
    if self._owners.get(name) != name:
      return value
    bounds = get(self._variables['batch_stats'], name)
    if self._train:
      bounds = {
        'low': bounds['low'] + _NEW * (jnp.min(value) - bounds['low']),
        'high': bounds['high'] + _NEW * (jnp.max(value) - bounds['high']),
      }
    self.ranges[name] = bounds
    steps = affine.affine(bounds['low'], bounds['high'])
    return affine.fake(value, **steps).astype(value.dtype)
