"""Shapes of results, and what a network costs to run."""

from __future__ import annotations

import math

from rcj.graph.nodes import (
  Add,
  Conv,
  Dense,
  Depthwise,
  Flatten,
  MaxPool,
  MeanPool,
  Node,
  PadShortcut,
)
from rcj.graph.value import Graph

Shape = tuple[int, ...]


def shapes(graph: Graph, size: int) -> dict[str, Shape]:
  """{name: shape of the result for one image}, (H, W, C) or (C,).

  Args:
    graph: the network.
    size: side of the square image.

  Raises:
    ValueError: if an operation cannot take the shapes that it gets.
  """
  known = {Graph.INPUT: (size, size, 3)}
  for node in graph.nodes:
    known[node.name] = _shape(node, *(known[name] for name in node.inputs))
  return known


def parameter_shapes(graph: Graph) -> dict[str, Shape]:
  """{name: shape} of all parameters, 'conv_stem/kernel' and so on.

  The running statistics of BatchNorm are not among them; they have the shape
  of its scale. A graph with a `Flatten` must be one for images of 32 px.
  """
  # Else shapes of parameters do not depend on the image.
  known, found = shapes(graph, 32), {}
  for node in graph.nodes:
    inputs = known[node.inputs[0]][-1]
    if isinstance(node, Conv):
      found[f'{node.name}/kernel'] = (
        *(node.size, node.size),
        *(inputs, node.features),
      )
    elif isinstance(node, Depthwise):
      found[f'{node.name}/kernel'] = (node.size, node.size, 1, inputs)
    elif isinstance(node, Dense):
      found[f'{node.name}/kernel'] = (inputs, node.features)
    if getattr(node, 'affine', False):
      found[f'{node.name}/scale'] = (inputs,)
    if getattr(node, 'bias', False) or getattr(node, 'affine', False):
      found[f'{node.name}/bias'] = known[node.name][-1:]
  return found


def macs(graph: Graph, size: int) -> int:
  """Multiply-accumulate operations of all kernels for one image."""
  known, kernels = shapes(graph, size), parameter_shapes(graph)
  return sum(
    math.prod(kernels[f'{node.name}/kernel']) * math.prod(known[node.name][:-1])
    for node in graph.nodes
    if f'{node.name}/kernel' in kernels
  )


def _shape(node: Node, first: Shape, *rest: Shape) -> Shape:
  spatial = (Conv, Depthwise, MaxPool, MeanPool, Flatten, PadShortcut)
  if isinstance(node, spatial) != (len(first) == 3) and isinstance(
    node, (*spatial, Dense)
  ):
    raise ValueError(f'{node.name!r} cannot take a result of shape {first}')
  if isinstance(node, Add) and (first,) != rest:
    raise ValueError(f'{node.name!r} adds shapes {first} and {rest}')
  if isinstance(node, (Dense, MeanPool)):
    return (getattr(node, 'features', first[-1]),)
  if isinstance(node, Flatten):
    return (_flat(node, first),)
  features = getattr(node, 'features', first[-1])
  if isinstance(node, PadShortcut) and features < first[-1]:
    raise ValueError(
      f'{node.name!r} cannot pad {first[-1]} channels to {features}'
    )
  return (*_sides(node, first[:-1]), features)


def _flat(node: Flatten, first: Shape) -> int:
  if first[:-1] != (node.side, node.side):
    raise ValueError(
      f'{node.name!r} flattens {node.side}x{node.side} pixels, got a result of '
      f'shape {first}: the network is for images of another size'
    )
  return node.side**2 * first[-1]


def _sides(node: Node, sides: Shape) -> Shape:
  if isinstance(node, MaxPool) and node.size == 2:
    if min(sides) < 2:
      raise ValueError(f'{node.name!r} needs 2x2 pixels, got {sides}')
    return tuple(side // 2 for side in sides)
  stride = 2 if isinstance(node, MaxPool) else getattr(node, 'stride', 1)
  return tuple(-(-side // stride) for side in sides)
