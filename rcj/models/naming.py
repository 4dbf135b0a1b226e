"""How a BatchNorm is called by the convolution before it."""

from __future__ import annotations


def norm_of(conv: str) -> str:
  """'stage1_block1/conv2' is followed by 'stage1_block1/bn2'."""
  parent, _, last = conv.rpartition('conv')
  return f'{parent}bn{last}'


def pair(conv: str, norm: str, ours: str) -> dict[str, str]:
  """Another framework's names of a convolution and its BatchNorm, to ours."""
  return {conv: ours, norm: norm_of(ours)}
