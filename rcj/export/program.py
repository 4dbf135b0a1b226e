"""What the native runtime is told of a network: numbers alone.

kernels/network/program.h says what they mean. A convolution, the addition and
the ReLU behind it are one operation, if nothing else reads what lies between.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from rcj import graph as graphs
from rcj import models, tree
from rcj.graph import Graph, Node
from rcj.models.padding import amounts
from rcj.types import Frozen

STORAGES = ('float32', 'bfloat16', 'int8')
_KINDS = {
  graphs.Conv: 1,
  graphs.Dense: 1,
  graphs.Depthwise: 2,
  graphs.MaxPool: 3,
  graphs.MeanPool: 4,
  graphs.Add: 5,
  graphs.Relu: 6,
  graphs.PadShortcut: 7,
  graphs.Flatten: 8,
}
_VERSION, _NOWHERE = 1, -1


class Program(NamedTuple):
  """A network as `ops.network.make` takes it.

  Attributes:
    words: header and operations.
    numbers: weights, biases, scales, limits and steps.
  """

  words: Int64[np.ndarray, ' w']
  numbers: Float32[np.ndarray, ' n']


def program(frozen: Frozen, *, storage: str = 'float32') -> Program:
  """The program of a network.

  Args:
    frozen: as `deployable` gives it.
    storage: type of weights and results of a network of floats, one of
      'float32' and 'bfloat16'; one of integers has its own.

  Raises:
    ValueError: if its integers were to be stored as floats of 16 bits.
  """
  if isinstance(frozen.model, models.IntNet):
    if storage != 'float32':
      raise ValueError(f'a network of integers cannot be stored as {storage}')
    storage = 'int8'
  return _Writer(frozen, storage).write()


@dataclasses.dataclass(frozen=True)
class _Fused:
  """One operation of the program.

  Attributes:
    node: what it begins with.
    add: an addition behind it.
    relu: a ReLU behind both.
    result: name of the last of them.
  """

  node: Node
  add: graphs.Add | None
  relu: graphs.Relu | None
  result: str


def fused(graph: Graph) -> list[_Fused]:
  """The operations of a graph, in order, without what others absorb."""
  readers, place = graph.readers(), {Graph.INPUT: -1}
  place |= {node.name: i for i, node in enumerate(graph.nodes)}
  found, absorbed = [], set()

  def reader(name: str, kind: type) -> Node | None:
    alone = readers.get(name, ())
    fits = len(alone) == 1 and type(alone[0]) is kind and name != graph.output
    return alone[0] if fits else None

  for node in graph.nodes:
    if node.name in absorbed:
      continue
    add, relu, result = None, None, node.name
    if isinstance(node, (graphs.Conv, graphs.Dense)):
      add = reader(result, graphs.Add)
      # The other summand must be there when this one is made.
      if add and max(add.inputs, key=place.get) != node.name:
        add = None
      if add and len(set(add.inputs)) == 1:
        add = None
    if add:
      result = add.name
    if isinstance(node, (*graphs.WEIGHTED, graphs.Add)):
      relu = reader(result, graphs.Relu)
    if relu:
      result = relu.name
    absorbed |= {x.name for x in (add, relu) if x}
    found.append(_Fused(node, add, relu, result))
  return found


class _Writer:
  """Collects words and numbers of a network."""

  def __init__(self, frozen: Frozen, storage: str):
    self._graph, self._how = frozen.model.graph, frozen.preprocessing
    self._storage = storage
    self._params, self._steps = (
      {n: np.asarray(x) for n, x in tree.leaves(part).items()}
      for part in (frozen.params, frozen.batch_stats)
    )
    whole = storage == 'int8'
    self._owners = graphs.stored(self._graph) if whole else {}
    self._shapes = graphs.shapes(self._graph, self._how.size)
    self._parts: list[np.ndarray] = []
    self._length = 0

  def write(self) -> Program:
    """The whole program."""
    operations = fused(self._graph)
    values = {Graph.INPUT: 0}
    values |= {x.result: i + 1 for i, x in enumerate(operations)}
    words = [word for x in operations for word in self._operation(x, values)]
    normalisation = np.array([self._how.mean, self._how.std])
    header = [
      *(_VERSION, self._how.size, self._how.size),
      STORAGES.index(self._storage),
      self._add(normalisation),
      self._step(Graph.INPUT),
      values[self._graph.output],
      len(operations),
    ]
    numbers = np.concatenate(self._parts)
    return Program(np.array(header + words, np.int64), numbers)

  def _operation(
    self, fused: _Fused, values: Mapping[str, int]
  ) -> tuple[int, ...]:
    node = fused.node
    own, other = node.inputs[0], _NOWHERE
    if isinstance(node, graphs.Add):
      other = values[node.inputs[1]]
    elif fused.add:
      (beside,) = (x for x in fused.add.inputs if x != node.name)
      other = values[beside]
    rounded = self._step(node.name) if fused.add else _NOWHERE
    return (
      *(_KINDS[type(node)], values[own], other),
      self._shapes[node.name][-1],
      *self._geometry(node),
      *self._weights(node),
      self._limits(node, fused.relu),
      self._step(fused.result),
      rounded,
    )

  def _geometry(self, node: Node) -> tuple[int, int, int, int]:
    """Size, stride, zeros above and to the left."""
    side = self._shapes[node.inputs[0]][:2]
    match node:
      case graphs.Conv() | graphs.Depthwise():
        around = amounts(node.padding, side, node.size, node.stride)
        return node.size, node.stride, around[0][0], around[1][0]
      case graphs.MaxPool():
        border = (node.size - 1) // 2
        return node.size, 2, border, border
      case graphs.PadShortcut():
        return 1, node.stride, 0, 0
    return 1, 1, 0, 0

  def _weights(self, node: Node) -> tuple[int, int, int]:
    """Places of weights, bias and scales."""
    if not isinstance(node, graphs.WEIGHTED):
      return (_NOWHERE,) * 3
    kernel = self._params[f'{node.name}/kernel']
    zeros = np.zeros(self._shapes[node.name][-1])
    bias = self._params.get(f'{node.name}/bias', zeros)
    scale = self._params.get(f'{node.name}/scale')
    places = self._add(kernel), self._add(bias)
    return *places, _NOWHERE if scale is None else self._add(scale)

  def _limits(self, node: Node, relu: graphs.Relu | None) -> int:
    relu = node if isinstance(node, graphs.Relu) else relu
    if relu is None:
      return self._add(np.array([-math.inf, math.inf]))
    most = math.inf if relu.maximum is None else relu.maximum
    return self._add(np.array([0.0, most]))

  def _step(self, name: str) -> int:
    """Place of scale and zero point; nowhere for what is stored in floats."""
    owner = self._owners.get(name)
    if owner is None:
      return _NOWHERE
    both = [self._steps[f'{owner}/{n}'] for n in ('scale', 'zero')]
    return self._add(np.array(both, np.float32))

  def _add(self, numbers: Shaped[np.ndarray, '*s']) -> int:
    place = self._length
    self._parts.append(np.ravel(numbers).astype(np.float32))
    self._length += self._parts[-1].size
    return place
