"""Which inverted residual blocks a mobile network consists of.

The forward pass and the channel groups both walk this plan, so that they
cannot disagree on where an addition joins channels.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

Stem = Literal['imagenet', 'cifar', 'half']


@dataclasses.dataclass(frozen=True)
class Row:
  """Equal blocks in a row, one line of the papers' tables.

  Attributes:
    features: output channels at width 1.
    repeats: number of blocks; the stride is that of the first.
    stride: with the ImageNet stem.
    expansion: hidden channels over input channels; 1 has no expansion layer.
    size: side of the depthwise kernels.
    skip: blocks that keep the shape add their input.
  """

  features: int
  repeats: int
  stride: int
  expansion: int
  size: int = 3
  skip: bool = True


@dataclasses.dataclass(frozen=True)
class Architecture:
  """A mobile network up to its width, stem and classifier.

  Attributes:
    name: what `create` calls it.
    stages: rows, grouped so that each stage ends before a down-sampling.
    activation: 'relu6' or 'relu'.
    scale: multiplies every channel count beside `width`.
    wide_last: the last convolution grows with widths above 1; it never
      shrinks.
    stem_features: channels of the stem.
    last_features: channels of the last convolution.
    stem: the default stem.
  """

  name: str
  stages: tuple[tuple[Row, ...], ...]
  activation: Literal['relu6', 'relu']
  scale: float = 1.0
  wide_last: bool = False
  stem_features: int = 32
  last_features: int = 1280
  stem: Stem = 'imagenet'


@dataclasses.dataclass(frozen=True)
class BlockPlan:
  """One block: its name, channels, depthwise kernel, and whether it skips."""

  name: str
  hidden: int
  features: int
  size: int
  stride: int
  expands: bool
  skips: bool


def channels(features: float) -> int:
  """The multiple of 8 nearest to `features`, never below 90 % of it.

  The rule of torchvision's MobileNetV2 and MnasNet.
  """
  nearest = max(8, int(features + 4) // 8 * 8)
  return nearest if nearest >= 0.9 * features else nearest + 8


def stem_features(architecture: Architecture, width: float) -> int:
  """Output channels of the stem at a width multiplier."""
  return channels(architecture.stem_features * architecture.scale * width)


def last_features(architecture: Architecture, width: float) -> int:
  """Output channels of the last convolution at a width multiplier."""
  if not architecture.wide_last:
    return architecture.last_features
  scale = architecture.scale * width
  return channels(architecture.last_features * max(1.0, scale))


def stages(
  architecture: Architecture, width: float, stem: Stem
) -> tuple[tuple[BlockPlan, ...], ...]:
  """The blocks of every stage.

  Stems 'cifar' and 'half' are for small images: the first stage keeps the
  resolution.
  """
  features = stem_features(architecture, width)
  plan = []
  for s, rows in enumerate(architecture.stages, start=1):
    blocks = []
    for row, first in _repeated(rows):
      downsamples = first and (s > 1 or stem == 'imagenet')
      stride = row.stride if downsamples else 1
      after = channels(row.features * architecture.scale * width)
      block = BlockPlan(
        name=f'stage{s}_block{len(blocks) + 1}',
        hidden=features * row.expansion,
        features=after,
        size=row.size,
        stride=stride,
        expands=row.expansion > 1,
        skips=row.skip and stride == 1 and features == after,
      )
      blocks.append(block)
      features = after
    plan.append(tuple(blocks))
  return tuple(plan)


def _repeated(rows: tuple[Row, ...]) -> list[tuple[Row, bool]]:
  """Each row once per block, and whether it is the row's first."""
  return [(row, i == 0) for row in rows for i in range(row.repeats)]
