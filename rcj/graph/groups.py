"""Which channels of a network live and die together, found from its graph.

Li et al., Pruning Filters for Efficient ConvNets, section 3.3,
https://arxiv.org/abs/1608.08710: what an addition joins is pruned as one.
"""

from __future__ import annotations

from collections.abc import Iterable

from rcj.graph.nodes import (
  BatchNorm,
  Conv,
  Dense,
  Depthwise,
  Node,
  PadShortcut,
)
from rcj.graph.value import Graph
from rcj.types import ChannelGroup


def channel_groups(graph: Graph) -> tuple[ChannelGroup, ...]:
  """Groups of channels that can be removed, in the order of their results.

  Channels of the image, of dense layers and of zero-padded shortcuts stay, and
  so do those behind a BatchNorm without scale and bias, which makes a constant
  of a silent channel. Where a BatchNorm follows an addition (pre-activation),
  its scale and bias follow the group.
  """
  spaces = _spaces(graph)
  kept = {spaces[Graph.INPUT]}
  for node in graph.nodes:
    if isinstance(node, Dense):
      kept.add(spaces[node.name])
    if isinstance(node, PadShortcut):
      kept |= {spaces[node.inputs[0]], spaces[node.name]}
    if isinstance(node, BatchNorm) and not node.affine:
      kept.add(spaces[node.name])
  order = dict.fromkeys(spaces[node.name] for node in graph.nodes)
  return tuple(
    _group(graph.nodes, spaces, space) for space in order if space not in kept
  )


def inside_blocks(
  groups: Iterable[ChannelGroup],
) -> tuple[ChannelGroup, ...]:
  """Those that are made, followed and read within one residual block.

  A block is what the names of its layers begin with: 'stage1_block1/conv1'.
  Without the others, which include all that an addition ties, the stream
  between the blocks keeps its channels.
  """

  def blocks(group: ChannelGroup) -> set[str]:
    members = (*group.kernels, *group.followers, *group.readers)
    return {name.rpartition('/')[0].rpartition('/')[0] for name in members}

  return tuple(g for g in groups if len(blocks(g)) == 1 and '' not in blocks(g))


def _spaces(graph: Graph) -> dict[str, str]:
  """{name: name of the first result with the same channels}."""
  parent = {Graph.INPUT: Graph.INPUT}

  def root(name: str) -> str:
    while parent[name] != name:
      name = parent[name]
    return name

  for node in graph.nodes:
    if isinstance(node, (Conv, Dense, PadShortcut)):
      parent[node.name] = node.name
      continue
    first, *rest = (root(name) for name in node.inputs)
    parent[node.name] = first
    for other in rest:
      parent[other] = first
  return {name: root(name) for name in parent}


def _group(
  nodes: Iterable[Node], spaces: dict[str, str], space: str
) -> ChannelGroup:
  kernels, followers, readers = [], [], []
  for node in nodes:
    inside = spaces[node.name] == space
    if isinstance(node, (Conv, Dense)):
      if inside:
        kernels.append(f'{node.name}/kernel')
        followers += [f'{node.name}/bias'] * node.bias
      if spaces[node.inputs[0]] == space:
        readers.append(f'{node.name}/kernel')
    elif inside and isinstance(node, Depthwise):
      followers.append(f'{node.name}/kernel')
      followers += [f'{node.name}/bias'] * node.bias
    elif inside and isinstance(node, BatchNorm):
      followers += [f'{node.name}/scale', f'{node.name}/bias']
  return ChannelGroup(tuple(kernels), tuple(followers), tuple(readers))
