"""Which blocks a residual network consists of, before any array exists.

The forward pass and the channel groups both walk this plan, so that they
cannot disagree on where a shortcut projects.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

Shortcut = Literal['identity', 'projection', 'pad']
Stem = Literal['imagenet', 'cifar', 'half']
Norm = Literal['batch', 'plain']


@dataclasses.dataclass(frozen=True)
class Architecture:
  """A residual network up to its width, stem and classifier.

  Attributes:
    name: what `create` calls it.
    depths: blocks per stage; every stage but the first halves the resolution.
    widths: channels of the inner convolutions of each stage.
    bottleneck: blocks are 1x1, 3x3, 1x1 with four times the inner width at
      their end, else 3x3, 3x3.
    downsample: shortcut where the shape changes: 'projection' is a 1x1
      convolution with BatchNorm (option B of He et al.), 'pad' takes every
      second pixel and pads channels with zeros (option A).
    stem: the default stem.
  """

  name: str
  depths: tuple[int, ...]
  widths: tuple[int, ...]
  bottleneck: bool = False
  downsample: Literal['projection', 'pad'] = 'projection'
  stem: Stem = 'imagenet'


@dataclasses.dataclass(frozen=True)
class ConvPlan:
  """One convolution of a block: its output channels, kernel side and stride."""

  features: int
  size: int
  stride: int = 1


@dataclasses.dataclass(frozen=True)
class BlockPlan:
  """One residual block: its name, convolutions in order, and shortcut."""

  name: str
  convs: tuple[ConvPlan, ...]
  shortcut: Shortcut

  @property
  def features(self) -> int:
    """Output channels."""
    return self.convs[-1].features

  @property
  def stride(self) -> int:
    """Stride of the whole block."""
    return max(conv.stride for conv in self.convs)


def channels(base: int, width: float) -> int:
  """`base * width`, to the nearest integer (ties to even), at least 1."""
  return max(1, round(base * width))


def stages(
  architecture: Architecture, width: float
) -> tuple[tuple[BlockPlan, ...], ...]:
  """The blocks of every stage at a width multiplier.

  The output of a bottleneck is four times its rounded inner width.
  """
  features = channels(architecture.widths[0], width)
  plan = []
  for s, depth in enumerate(architecture.depths, start=1):
    inner = channels(architecture.widths[s - 1], width)
    blocks = []
    for b in range(1, depth + 1):
      stride = 2 if s > 1 and b == 1 else 1
      convs = _convs(inner, stride, architecture.bottleneck)
      same = stride == 1 and convs[-1].features == features
      shortcut = 'identity' if same else architecture.downsample
      blocks.append(BlockPlan(f'stage{s}_block{b}', convs, shortcut))
      features = convs[-1].features
    plan.append(tuple(blocks))
  return tuple(plan)


def _convs(inner: int, stride: int, bottleneck: bool) -> tuple[ConvPlan, ...]:
  if bottleneck:  # v1.5: the 3x3 convolution carries the stride
    return (
      ConvPlan(inner, 1),
      ConvPlan(inner, 3, stride),
      ConvPlan(4 * inner, 1),
    )
  return ConvPlan(inner, 3, stride), ConvPlan(inner, 3)
