"""A network that runs in 8-bit integers.

Jacob et al., https://arxiv.org/abs/1712.05877, section 2.2: kernels are int8,
results that are stored are uint8, sums are int32.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from rcj import graph as graphs
from rcj.graph import Graph, Node
from rcj.models.graph_net import get, layer_of
from rcj.models.padding import amounts
from rcj.models.quant_net import check_folded
from rcj.ops import affine, int8
from rcj.types import PyTree


@dataclasses.dataclass(frozen=True)
class IntNet:
  """The operations of a graph without BatchNorm, in integers.

  Parameters of a node: 'kernel' int8, 'scale' float32 `[C]` and 'bias' float32
  `[C]`; of a node in `keep_float`: those of `GraphNet`. Its 'batch_stats' are
  {'scale': float32, 'zero': int32} of every result that `graph.stored` says has
  a scale of its own. Made by `quantize.integers`; it cannot be trained.

  Attributes:
    graph: the operations.
    keep_float: names of nodes whose kernels are floats.

  Raises:
    ValueError: if the graph has a BatchNorm.
  """

  graph: Graph
  keep_float: tuple[str, ...] = ()

  def __post_init__(self):
    check_folded(self.graph)

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
    """Logits, maps and pooled feature in float32, as `GraphNet.apply`.

    Args:
      variables: 'params' and 'batch_stats'.
      x: normalised images.
      train: must be False.
      mutable: not empty gives (result, {'batch_stats': unchanged}).

    Raises:
      ValueError: if it is to be trained.
    """
    if train:
      raise ValueError(
        'integers have no gradient; train the QuantNet that they came from'
      )
    run = _Run(self, variables)
    run(x)
    result = (
      run.floats(self.graph.output),
      tuple(run.floats(name) for name in self.graph.maps),
      run.floats(self.graph.pooled),
    )
    return (result, {'batch_stats': run.steps}) if mutable else result


class _Run:
  """One pass over a graph; holds uint8 where `graph.stored` says so."""

  def __init__(self, net: IntNet, variables: Mapping[str, PyTree]):
    self._net, self._params = net, variables['params']
    self.steps = variables['batch_stats']
    self._owners = graphs.stored(net.graph)
    self._held: dict[str, Array] = {}

  def __call__(self, x: Array) -> None:
    self._hold(Graph.INPUT, x)
    for node in self._net.graph.nodes:
      params = get(self._params, node.name)
      if params is None or node.name in self._net.keep_float:
        layer = layer_of(node, jnp.float32, train=False)
        own = {} if params is None else {'params': params}
        result = layer.apply(own, *(self.floats(n) for n in node.inputs))
      else:
        result = self._multiply(node, params)
      self._hold(node.name, result)

  def floats(self, name: str) -> Array:
    """A result as the numbers that it stands for."""
    held = self._held[name]
    return affine.dequantize(held, **self._at(name)) if self._at(name) else held

  def _at(self, name: str) -> dict[str, Array]:
    """Scale and zero point of a result, nothing where it is held in floats."""
    owner = self._owners.get(name)
    return get(self.steps, owner) if owner else {}

  def _hold(self, name: str, result: Array) -> None:
    at = self._at(name)
    self._held[name] = affine.quantize(result, **at) if at else result

  def _multiply(self, node: Node, params: dict[str, Array]) -> Array:
    (name,) = node.inputs
    at = self._at(name)
    sums = _sums(node, self._held[name], params['kernel'], at['zero'])
    along = (1,) * (sums.ndim - 1) + (-1,)
    scale = (at['scale'] * params['scale']).reshape(along)
    return sums.astype(jnp.float32) * scale + params['bias'].reshape(along)


def _sums(node: Node, x: Array, kernel: Array, zero: Array) -> Array:
  match node:
    case graphs.Dense():
      return int8.dot(x, kernel, zero)
    case graphs.Conv(size=1, stride=1):
      return int8.dot(x, kernel[0, 0], zero)
  kind = int8.depthwise if isinstance(node, graphs.Depthwise) else int8.convolve
  around = amounts(node.padding, x.shape[1:3], node.size, node.stride)
  return kind(x, kernel, zero, stride=node.stride, padding=around)
