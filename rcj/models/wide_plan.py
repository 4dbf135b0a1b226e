"""Which pre-activation blocks a wide residual network consists of."""

from __future__ import annotations

import dataclasses
from typing import Literal

from rcj.models.resnet_plan import Norm, channels


@dataclasses.dataclass(frozen=True)
class Architecture:
  """A wide ResNet up to its width and number of classes.

  Attributes:
    name: what `create` calls it.
    depths: blocks per stage; every stage but the first halves the resolution.
    widths: channels of each stage.
    stem_features: channels of the 3x3 stem.
    activated_skip: an identity shortcut takes the block's input after its
      BatchNorm and ReLU, not the input itself.
    projection_norm: BatchNorm after a 1x1 convolution in a shortcut.
    head_bias: the classifier has a bias.
    norm: the default; see `wide_resnet.WideResNet`.
    stem: 'cifar', the only one.
  """

  name: str
  depths: tuple[int, ...]
  widths: tuple[int, ...]
  stem_features: int
  activated_skip: bool = False
  projection_norm: bool = False
  head_bias: bool = True
  norm: Norm = 'batch'
  stem: Literal['cifar'] = 'cifar'


@dataclasses.dataclass(frozen=True)
class BlockPlan:
  """One block: name, channels, stride, and whether its shortcut projects."""

  name: str
  features: int
  stride: int
  projects: bool


def stages(
  architecture: Architecture, width: float
) -> tuple[tuple[BlockPlan, ...], ...]:
  """The blocks of every stage at a width multiplier."""
  features = channels(architecture.stem_features, width)
  plan = []
  shapes = zip(architecture.depths, architecture.widths, strict=True)
  for s, (depth, base) in enumerate(shapes, start=1):
    after = channels(base, width)
    blocks = []
    for b in range(1, depth + 1):
      stride = 2 if s > 1 and b == 1 else 1
      projects = stride != 1 or after != features
      block = BlockPlan(f'stage{s}_block{b}', after, stride, projects)
      blocks.append(block)
      features = after
    plan.append(tuple(blocks))
  return tuple(plan)
