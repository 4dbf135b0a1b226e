"""MnasNet-B1 at two depths of channels, and its names in torchvision.

Tan et al., https://arxiv.org/abs/1807.11626; torchvision/models/mnasnet.py.
BatchNorm's statistics move by 0.1 a step as everywhere here; torchvision's by
0.0003, which leaves them at their start in any but the longest training.
"""

from __future__ import annotations

from rcj.models import mobile_plan
from rcj.models.mobile_plan import Architecture, Row
from rcj.models.naming import pair

_STAGES = (
  (
    Row(16, 1, stride=1, expansion=1, skip=False),
    Row(24, 3, stride=2, expansion=3),
  ),
  (Row(40, 3, stride=2, expansion=3, size=5),),
  (
    Row(80, 3, stride=2, expansion=6, size=5),
    Row(96, 2, stride=1, expansion=6),
  ),
  (
    Row(192, 4, stride=2, expansion=6, size=5),
    Row(320, 1, stride=1, expansion=6),
  ),
)

ARCHITECTURES = (
  Architecture('mnasnet0_5', _STAGES, activation='relu', scale=0.5),
  Architecture('mnasnet1_0', _STAGES, activation='relu'),
)


def torch_names(architecture: Architecture) -> dict[str, str]:
  """{module of torchvision: ours}."""
  stages = mobile_plan.stages(architecture, 1.0, 'imagenet')
  first, *blocks = [block for stage in stages for block in stage]
  _, *rows = [row for stage in architecture.stages for row in stage]
  names = {'classifier.1': 'head'}
  names |= pair('layers.0', 'layers.1', 'conv_stem')
  names |= pair('layers.3', 'layers.4', f'{first.name}/conv_depthwise')
  names |= pair('layers.6', 'layers.7', f'{first.name}/conv_project')
  at = [
    f'layers.{8 + r}.{b}.layers'
    for r, row in enumerate(rows)
    for b in range(row.repeats)
  ]
  for theirs, block in zip(at, blocks, strict=True):
    for i, part in ((0, 'expand'), (3, 'depthwise'), (6, 'project')):
      ours = f'{block.name}/conv_{part}'
      names |= pair(f'{theirs}.{i}', f'{theirs}.{i + 1}', ours)
  return names | pair('layers.14', 'layers.15', 'conv_last')
