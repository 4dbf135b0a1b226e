"""A network that runs a graph: shrunk, folded, or read from an artifact.

It is used as the linen modules of the registry are, and its parameters have
the names that they had there.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Key

from rcj import graph as graphs
from rcj.graph import Graph, Node
from rcj.models import layers, pooling
from rcj.types import PyTree


@dataclasses.dataclass(frozen=True)
class GraphNet:
  """The operations of a graph, one after the other.

  Equal fields make equal values with equal hashes, so that it can be a static
  argument of `jax.jit`.

  Attributes:
    graph: the operations.
    dtype: type of the computation; parameters and statistics stay float32.
  """

  graph: Graph
  dtype: Any = jnp.float32

  def __post_init__(self):
    # `jnp.float32` and its dtype are equal, but their hashes are not.
    object.__setattr__(self, 'dtype', jnp.dtype(self.dtype))

  @property
  def num_classes(self) -> int:
    """Outputs of the classifier."""
    return self.graph.num_classes

  def init(
    self, key: Key[Array, ''], x: Float[Array, 'N H W 3'], *, train: bool
  ) -> dict[str, PyTree]:
    """Random parameters and fresh statistics."""
    run = _Run(key=key, train=train, dtype=self.dtype)
    run(self.graph, x)
    return {name: nested(found) for name, found in run.found.items()}

  def apply(
    self,
    variables: Mapping[str, PyTree],
    x: Float[Array, 'N H W 3'],
    *,
    train: bool,
    mutable: Sequence[str] = (),
  ) -> Any:
    """Logits, maps and pooled feature, as `resnet.ResNet.__call__`.

    Args:
      variables: 'params', and 'batch_stats' if there is BatchNorm.
      x: normalised images.
      train: BatchNorm uses the batch's statistics and moves its own.
      mutable: not empty gives (result, {'batch_stats': statistics}).
    """
    run = _Run(variables=variables, train=train, dtype=self.dtype)
    values = run(self.graph, x)
    result = (
      values[self.graph.output].astype(jnp.float32),
      tuple(values[name] for name in self.graph.maps),
      values[self.graph.pooled].astype(jnp.float32),
    )
    if not mutable:
      return result
    return result, {n: nested(x) for n, x in run.found.items() if n in mutable}

  def results(
    self, variables: Mapping[str, PyTree], x: Float[Array, 'N H W 3']
  ) -> dict[str, Array]:
    """{name: result} of the image and of every node, in inference."""
    return _Run(variables=variables, train=False, dtype=self.dtype)(
      self.graph, x
    )


class _Run:
  """One pass over a graph, with what its layers left behind."""

  def __init__(self, *, train, dtype, variables=None, key=None):
    self._train, self._dtype = train, dtype
    self._variables, self._key = variables, key
    self.found = {'params': {}, 'batch_stats': {}}

  def __call__(self, graph: Graph, x: Array) -> dict[str, Array]:
    values = {Graph.INPUT: x}
    for i, node in enumerate(graph.nodes):
      inputs = (values[name] for name in node.inputs)
      layer = layer_of(node, self._dtype, train=self._train)
      values[node.name] = self._apply(i, node, layer, *inputs)
    return values

  def _apply(self, i: int, node: Node, layer: nn.Module, *inputs: Array):
    if self._key is not None:
      key = jax.random.fold_in(self._key, i)
      result, variables = layer.init_with_output(key, *inputs)
    else:
      own = {
        kind: get(tree, node.name) for kind, tree in self._variables.items()
      }
      own = {kind: tree for kind, tree in own.items() if tree is not None}
      result, moved = layer.apply(own, *inputs, mutable=['batch_stats'])
      variables = {**own, **moved}
    for kind in self.found:
      if kind in variables:
        self.found[kind][node.name] = variables[kind]
    return result


def layer_of(node: Node, dtype: Any, *, train: bool) -> nn.Module:
  """The layer that executes a node."""
  match node:
    case graphs.Conv(features=features, size=size, stride=stride):
      kind = functools.partial(layers.Conv, features, size, stride)
      return kind(dtype, node.padding, node.bias)
    case graphs.Depthwise(size=size, stride=stride):
      kind = functools.partial(layers.DepthwiseConv, size, stride)
      return kind(dtype, node.padding, node.bias)
    case graphs.Dense(features=features, bias=bias):
      return layers.Dense(features, dtype, bias)
    case graphs.BatchNorm(affine=affine, epsilon=epsilon):
      return layers.BatchNorm(
        use_running_average=not train,
        use_scale=affine,
        use_bias=affine,
        epsilon=epsilon,
        dtype=dtype,
      )
    case graphs.Relu(maximum=maximum):
      return pooling.Relu(maximum)
    case graphs.PadShortcut(features=features, stride=stride):
      return pooling.PadShortcut(features, stride)
    case graphs.Add():
      return pooling.Add()
    case graphs.MaxPool(size=size):
      return pooling.MaxPool(size)
    case graphs.Flatten(side=side):
      return pooling.Flatten(side)
  return pooling.MeanPool()


def get(tree: PyTree, path: str) -> PyTree | None:
  """The sub-tree at a path 'a/b', None if there is none."""
  for part in path.split('/'):
    tree = tree.get(part)
    if tree is None:
      return None
  return tree


def nested(found: Mapping[str, PyTree]) -> dict[str, PyTree]:
  """{'a/b': tree} as {'a': {'b': tree}}."""
  made = {}
  for path, tree in found.items():
    *parents, last = path.split('/')
    at = made
    for part in parents:
      at = at.setdefault(part, {})
    at[last] = tree
  return made
