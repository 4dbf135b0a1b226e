"""Which channels of a mobile network live and die together.

A depthwise convolution keeps channels apart, so its kernels follow the
convolution before it.
"""

from __future__ import annotations

import functools

from rcj.models.groups import group
from rcj.models.mobile_plan import BlockPlan
from rcj.types import ChannelGroup


def channel_groups(
  stages: tuple[tuple[BlockPlan, ...], ...], *, folded: bool
) -> tuple[ChannelGroup, ...]:
  """Groups of a network with a stem, these blocks, 'conv_last' and 'head'.

  An expansion is a group of its own. Projections form one group from one block
  without an addition to the next.

  Args:
    stages: the network's blocks.
    folded: convolutions have a bias in place of their BatchNorm.
  """
  blocks = [block for stage in stages for block in stage]
  inner = [
    group(
      [f'{block.name}/conv_expand'],
      [f'{block.name}/conv_project'],
      depthwise=[f'{block.name}/conv_depthwise'],
      folded=folded,
    )
    for block in blocks
    if block.expands
  ]
  last = group(['conv_last'], ['head'], folded=folded)
  return (*_stream_groups(blocks, folded), *inner, last)


def _stream_groups(blocks: list[BlockPlan], folded: bool) -> list[ChannelGroup]:
  make = functools.partial(group, folded=folded)
  groups = []
  convs, readers, depthwise = ['conv_stem'], [], []
  for block in blocks:
    # Without an expansion the depthwise convolution sees the stream itself.
    if block.expands:
      readers.append(f'{block.name}/conv_expand')
    else:
      depthwise.append(f'{block.name}/conv_depthwise')
      readers.append(f'{block.name}/conv_project')
    if not block.skips:
      groups.append(make(convs, readers, depthwise=depthwise))
      convs, readers, depthwise = [], [], []
    convs.append(f'{block.name}/conv_project')
  groups.append(make(convs, [*readers, 'conv_last'], depthwise=depthwise))
  return groups
