"""Channel groups from the names of convolutions: shared by all families.

Li et al., Pruning Filters for Efficient ConvNets, section 3.3,
https://arxiv.org/abs/1608.08710: what an addition joins is pruned as one.
"""

from __future__ import annotations

from collections.abc import Sequence

from rcj.models.naming import norm_of
from rcj.types import ChannelGroup


def group(
  convs: Sequence[str],
  readers: Sequence[str],
  *,
  depthwise: Sequence[str] = (),
  folded: bool = False,
) -> ChannelGroup:
  """The group of channels that `convs` write and `readers` read.

  Args:
    convs: names of convolutions whose sum the channels are.
    readers: names of the layers that they go into.
    depthwise: names of depthwise convolutions on the way.
    folded: convolutions have a bias in place of their BatchNorm.
  """
  followers = [leaf for conv in convs for leaf in _affine(conv, folded)]
  for conv in depthwise:
    followers += [f'{conv}/kernel', *_affine(conv, folded)]
  return ChannelGroup(
    kernels=tuple(f'{conv}/kernel' for conv in convs),
    followers=tuple(followers),
    readers=tuple(f'{reader}/kernel' for reader in readers),
  )


def scale_and_bias(norm: str) -> tuple[str, str]:
  """The leaves of a BatchNorm."""
  return f'{norm}/scale', f'{norm}/bias'


def _affine(conv: str, folded: bool) -> tuple[str, ...]:
  """What scales and shifts the channels right behind a convolution."""
  return (f'{conv}/bias',) if folded else scale_and_bias(norm_of(conv))
