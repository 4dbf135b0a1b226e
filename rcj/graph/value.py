"""A network as a list of operations, and its form in JSON."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from rcj.graph.nodes import OPERATIONS, Conv, Dense, Depthwise, MaxPool, Node

_ARITY = {'Add': 2}


@dataclasses.dataclass(frozen=True)
class Graph:
  """Operations in the order of their execution.

  Attributes:
    nodes: each reads results of nodes before it.
    output: name of the logits, the result of a `Dense`.
    maps: names of the results after each stage, shallow to deep.
    pooled: name of the feature that the classifier reads.
  """

  INPUT: ClassVar[str] = 'image'

  nodes: tuple[Node, ...]
  output: str
  maps: tuple[str, ...]
  pooled: str

  @property
  def num_classes(self) -> int:
    """Outputs of the classifier."""
    return self.node(self.output).features

  def node(self, name: str) -> Node:
    """The node of this name; KeyError if there is none."""
    for node in self.nodes:
      if node.name == name:
        return node
    raise KeyError(
      f'no node {name!r}; there are {[n.name for n in self.nodes]}'
    )

  def readers(self) -> dict[str, tuple[Node, ...]]:
    """{name: the nodes that read this result}."""
    found = collections.defaultdict(list)
    for node in self.nodes:
      for name in dict.fromkeys(node.inputs):
        found[name].append(node)
    return {name: tuple(nodes) for name, nodes in found.items()}

  def to_json(self) -> dict[str, Any]:
    """What `from_json` makes the same graph of."""
    nodes = [
      {'op': type(n).__name__, **dataclasses.asdict(n)} for n in self.nodes
    ]
    return {
      'nodes': [{**n, 'inputs': list(n['inputs'])} for n in nodes],
      'output': self.output,
      'maps': list(self.maps),
      'pooled': self.pooled,
    }


def from_json(record: Mapping[str, Any]) -> Graph:
  """The graph that `Graph.to_json` described.

  Raises:
    ValueError: if the record is none, or its nodes do not fit together.
  """
  try:
    nodes = tuple(_node(dict(n)) for n in record['nodes'])
    graph = Graph(
      nodes, record['output'], tuple(record['maps']), record['pooled']
    )
    check(graph)
  except (KeyError, TypeError) as error:
    raise ValueError(f'this describes no network: {error!r}') from error
  return graph


def check(graph: Graph) -> None:
  """Finds what could not be executed.

  Raises:
    ValueError: on a repeated name, a result that is read before it is made, a
      size below 1, or an output that no `Dense` makes.
  """
  known = {Graph.INPUT}
  for node in graph.nodes:
    missing = [name for name in node.inputs if name not in known]
    if missing or node.name in known:
      what = f'reads {missing}, made later' if missing else 'comes twice'
      raise ValueError(f'node {node.name!r} {what}')
    expected = _ARITY.get(type(node).__name__, 1)
    if len(node.inputs) != expected:
      raise ValueError(
        f'{type(node).__name__} {node.name!r} takes {expected} inputs, '
        f'got {list(node.inputs)}'
      )
    _check_sizes(node)
    known.add(node.name)
  lacking = {graph.output, graph.pooled, *graph.maps} - known
  if lacking or not isinstance(graph.node(graph.output), Dense):
    raise ValueError(
      f'the output must be a Dense node, got {graph.output!r}; results that '
      f'no node makes: {sorted(lacking)}'
    )


def _node(record: dict[str, Any]) -> Node:
  kind = record.pop('op')
  if kind not in OPERATIONS:
    raise ValueError(
      f'unknown operation {kind!r}; there are {", ".join(OPERATIONS)}'
    )
  inputs = tuple(record.pop('inputs'))
  return OPERATIONS[kind](inputs=inputs, **record)


def _check_sizes(node: Node) -> None:
  for field in ('features', 'size', 'side', 'stride'):
    value = getattr(node, field, 1)
    if type(value) is not int or value < 1:
      raise ValueError(
        f'{field} of {node.name!r} must be a whole number of at least 1, '
        f'got {value!r}'
      )
  odd = not isinstance(node, (Conv, Depthwise)) or node.size % 2
  if not odd or (isinstance(node, MaxPool) and node.size not in (2, 3)):
    raise ValueError(
      f'{type(node).__name__} {node.name!r} cannot have the size {node.size}: '
      'kernels have an odd side, MaxPool has 2 or 3'
    )
