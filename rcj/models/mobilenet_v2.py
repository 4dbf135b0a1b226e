"""MobileNetV2: its table of blocks, and its names in torchvision.

Sandler et al., https://arxiv.org/abs/1801.04381, table 2;
torchvision/models/mobilenetv2.py.
"""

from __future__ import annotations

from rcj.models import mobile_plan
from rcj.models.mobile_plan import Architecture, Row
from rcj.models.naming import pair

ARCHITECTURES = (
  Architecture(
    'mobilenet_v2',
    stages=(
      (Row(16, 1, stride=1, expansion=1), Row(24, 2, stride=2, expansion=6)),
      (Row(32, 3, stride=2, expansion=6),),
      (Row(64, 4, stride=2, expansion=6), Row(96, 3, stride=1, expansion=6)),
      (Row(160, 3, stride=2, expansion=6), Row(320, 1, stride=1, expansion=6)),
    ),
    activation='relu6',
    wide_last=True,
  ),
)


def torch_names(architecture: Architecture) -> dict[str, str]:
  """{module of torchvision: ours}."""
  stages = mobile_plan.stages(architecture, 1.0, 'imagenet')
  blocks = [block for stage in stages for block in stage]
  names = {'classifier.1': 'head'}
  names |= pair('features.0.0', 'features.0.1', 'conv_stem')
  for i, block in enumerate(blocks, start=1):
    at, ours = f'features.{i}.conv', f'{block.name}/conv'
    parts = ('expand', 'depthwise') if block.expands else ('depthwise',)
    for j, part in enumerate(parts):
      names |= pair(f'{at}.{j}.0', f'{at}.{j}.1', f'{ours}_{part}')
    n = len(parts)
    names |= pair(f'{at}.{n}', f'{at}.{n + 1}', f'{ours}_project')
  last = f'features.{len(blocks) + 1}'
  return names | pair(f'{last}.0', f'{last}.1', 'conv_last')
