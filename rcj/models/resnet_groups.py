"""Which channels of a residual network live and die together."""

from __future__ import annotations

import itertools

from rcj.models.groups import group
from rcj.models.resnet_plan import BlockPlan
from rcj.types import ChannelGroup


def channel_groups(
  stages: tuple[tuple[BlockPlan, ...], ...],
) -> tuple[ChannelGroup, ...]:
  """Groups of a network with a stem, these blocks, and the classifier 'head'.

  A convolution inside a block is a group of its own. The convolutions that
  write the residual stream (the stem, the last one of each block, projections)
  form one group from one projection to the next.

  Zero-padded shortcuts (option A) join the channels of a stage to a slice of
  the next stage's, so no set of whole kernels can lose a channel. The stream of
  such a network is in no group, its inner convolutions are.
  """
  blocks = [block for stage in stages for block in stage]
  inner = [g for block in blocks for g in _inner_groups(block)]
  if any(block.shortcut == 'pad' for block in blocks):
    return tuple(inner)
  return (*_stream_groups(blocks), *inner)


def _inner_groups(block: BlockPlan) -> list[ChannelGroup]:
  names = [f'{block.name}/conv{i + 1}' for i in range(len(block.convs))]
  return [group([conv], [reader]) for conv, reader in itertools.pairwise(names)]


def _stream_groups(blocks: list[BlockPlan]) -> list[ChannelGroup]:
  groups = []
  convs, readers = ['conv_stem'], []
  for block in blocks:
    readers.append(f'{block.name}/conv1')
    if block.shortcut == 'projection':
      readers.append(f'{block.name}/conv_shortcut')
      groups.append(group(convs, readers))
      convs, readers = [f'{block.name}/conv_shortcut'], []
    convs.append(f'{block.name}/conv{len(block.convs)}')
  groups.append(group(convs, [*readers, 'head']))
  return groups
