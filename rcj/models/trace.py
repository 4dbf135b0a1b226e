"""The graph of a network of the registry, from one abstract run of it."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from rcj import graph as graphs
from rcj.graph import Graph, Node
from rcj.models import layers, pooling
from rcj.models.graph_net import GraphNet
from rcj.models.int_net import IntNet
from rcj.models.quant_net import QuantNet
from rcj.types import ChannelGroup

# All that networks consist of.
_LAYERS = (
  *(layers.Conv, layers.DepthwiseConv, layers.Dense, layers.BatchNorm),
  *(pooling.Relu, pooling.Add, pooling.MaxPool, pooling.MeanPool),
  *(pooling.Flatten, pooling.PadShortcut),
)
# A side that every network takes.
_SIZE = 32


@functools.cache
def graph_of(module: Any) -> Graph:
  """The operations of a network, in inference.

  Results are named by the layers that make them, 'stage1_block1/conv1' for
  example, so that parameters are found by the same names.

  Args:
    module: what `create` gave, or a `GraphNet`, `QuantNet` or `IntNet`.
  """
  if isinstance(module, (GraphNet, QuantNet, IntNet)):
    return module.graph
  module = module.clone(dtype=jnp.float32)
  tape = _Tape()

  def run(key):
    images = jnp.zeros((1, _SIZE, _SIZE, 3), jnp.float32)
    tape.see(images, Graph.INPUT)
    with nn.intercept_methods(tape.record):
      (logits, maps, pooled), _ = module.init_with_output(
        key, images, train=False
      )
    tape.ends = (
      tape.name(logits),
      tuple(tape.name(x) for x in maps),
      tape.name(pooled),
    )
    return logits

  jax.eval_shape(run, jax.random.key(0))
  graph = Graph(tuple(tape.nodes), *tape.ends)
  graphs.check(graph)
  return graph


def channel_groups(module: Any) -> tuple[ChannelGroup, ...]:
  """Channels of a network that must be removed together.

  See `graph.channel_groups`; `module` is what `create` gave, or a `GraphNet`.
  """
  return graphs.channel_groups(graph_of(module))


class _Tape:
  """Layers in the order of their calls, and who made which array."""

  def __init__(self):
    self.nodes: list[Node] = []
    self.ends: tuple = ()
    self._names: dict[int, str] = {}
    # An array that is dropped could leave its id to another.
    self._alive: list[Any] = []

  def see(self, array: Any, name: str) -> None:
    self._names[id(array)] = name
    self._alive.append(array)

  def name(self, array: Any) -> str:
    return self._names[id(array)]

  def record(self, call, args, kwargs, context):
    result = call(*args, **kwargs)
    layer = context.module
    if isinstance(layer, _LAYERS) and context.method_name == '__call__':
      name = '/'.join(layer.path)
      inputs = tuple(self.name(x) for x in args)
      self.nodes.append(_node(layer, name, inputs))
      self.see(result, name)
    return result


def _node(layer: nn.Module, name: str, inputs: tuple[str, ...]) -> Node:
  match layer:
    case layers.Conv(features=features):
      return graphs.Conv(
        *(name, inputs, features, layer.size, layer.stride),
        *(layer.padding, layer.bias),
      )
    case layers.DepthwiseConv(size=size, stride=stride):
      return graphs.Depthwise(
        *(name, inputs, size, stride, layer.padding, layer.bias)
      )
    case layers.Dense(features=features, bias=bias):
      return graphs.Dense(name, inputs, features, bias)
    case layers.BatchNorm(use_scale=affine, epsilon=epsilon):
      return graphs.BatchNorm(name, inputs, affine, epsilon)
    case pooling.Relu(maximum=maximum):
      return graphs.Relu(name, inputs, maximum)
    case pooling.MaxPool(size=size):
      return graphs.MaxPool(name, inputs, size)
    case pooling.Flatten(side=side):
      return graphs.Flatten(name, inputs, side)
    case pooling.PadShortcut(features=features, stride=stride):
      return graphs.PadShortcut(name, inputs, features, stride)
  return getattr(graphs, type(layer).__name__)(name, inputs)
