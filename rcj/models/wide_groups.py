"""Which channels of a wide ResNet live and die together.

Before each reader of the residual stream stands a BatchNorm of its own. A
channel of the stream is silent where its writers are zero and so are scale and
bias of all these, which therefore follow it.
"""

from __future__ import annotations

from rcj.models.groups import scale_and_bias
from rcj.models.wide_plan import BlockPlan
from rcj.types import ChannelGroup


def channel_groups(
  stages: tuple[tuple[BlockPlan, ...], ...], *, projection_norm: bool
) -> tuple[ChannelGroup, ...]:
  """Groups of a network with a stem, these blocks, 'bn_last' and 'head'.

  The first convolution of a block is a group of its own. The convolutions that
  write the stream (stem, second ones, projections) form one group from one
  projection to the next.

  Args:
    stages: the network's blocks.
    projection_norm: a BatchNorm follows each projection.
  """
  blocks = [block for stage in stages for block in stage]
  inner = [
    _group(
      [f'{block.name}/conv1'], [f'{block.name}/bn2'], [f'{block.name}/conv2']
    )
    for block in blocks
  ]
  return (*_stream_groups(blocks, projection_norm), *inner)


def _stream_groups(
  blocks: list[BlockPlan], projection_norm: bool
) -> list[ChannelGroup]:
  groups = []
  convs, norms, readers = ['conv_stem'], [], []
  for block in blocks:
    norms.append(f'{block.name}/bn1')
    readers.append(f'{block.name}/conv1')
    if block.projects:
      readers.append(f'{block.name}/conv_shortcut')
      groups.append(_group(convs, norms, readers))
      convs, norms, readers = [f'{block.name}/conv_shortcut'], [], []
      if projection_norm:
        norms.append(f'{block.name}/bn_shortcut')
    convs.append(f'{block.name}/conv2')
  groups.append(_group(convs, [*norms, 'bn_last'], [*readers, 'head']))
  return groups


def _group(
  convs: list[str], norms: list[str], readers: list[str]
) -> ChannelGroup:
  return ChannelGroup(
    kernels=tuple(f'{conv}/kernel' for conv in convs),
    followers=tuple(leaf for norm in norms for leaf in scale_and_bias(norm)),
    readers=tuple(f'{reader}/kernel' for reader in readers),
  )
