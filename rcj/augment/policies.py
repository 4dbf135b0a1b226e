"""The policies that AutoAugment found, and what their levels mean.

Cubuk et al. 2019, https://arxiv.org/abs/1805.09501, appendix; the ranges are
those of `torchvision.transforms.AutoAugment`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from rcj.augment.warps import rotation

# Operation, probability, level 0..9 where the operation has levels.
Step = tuple[str, float] | tuple[str, float, int]
SubPolicy = tuple[Step, Step]

_IMAGENET: tuple[SubPolicy, ...] = (
  (('posterize', 0.4, 8), ('rotate', 0.6, 9)),
  (('solarize', 0.6, 5), ('autocontrast', 0.6)),
  (('equalize', 0.8), ('equalize', 0.6)),
  (('posterize', 0.6, 7), ('posterize', 0.6, 6)),
  (('equalize', 0.4), ('solarize', 0.2, 4)),
  (('equalize', 0.4), ('rotate', 0.8, 8)),
  (('solarize', 0.6, 3), ('equalize', 0.6)),
  (('posterize', 0.8, 5), ('equalize', 1.0)),
  (('rotate', 0.2, 3), ('solarize', 0.6, 8)),
  (('equalize', 0.6), ('posterize', 0.4, 6)),
  (('rotate', 0.8, 8), ('color', 0.4, 0)),
  (('rotate', 0.4, 9), ('equalize', 0.6)),
  (('equalize', 0.0), ('equalize', 0.8)),
  (('invert', 0.6), ('equalize', 1.0)),
  (('color', 0.6, 4), ('contrast', 1.0, 8)),
  (('rotate', 0.8, 8), ('color', 1.0, 2)),
  (('color', 0.8, 8), ('solarize', 0.8, 7)),
  (('sharpness', 0.4, 7), ('invert', 0.6)),
  (('shear_x', 0.6, 5), ('equalize', 1.0)),
  (('color', 0.4, 0), ('equalize', 0.6)),
  # These five stand above, too, which makes them twice as likely.
  (('equalize', 0.4), ('solarize', 0.2, 4)),
  (('solarize', 0.6, 5), ('autocontrast', 0.6)),
  (('invert', 0.6), ('equalize', 1.0)),
  (('color', 0.6, 4), ('contrast', 1.0, 8)),
  (('equalize', 0.8), ('equalize', 0.6)),
)

_CIFAR10: tuple[SubPolicy, ...] = (
  (('invert', 0.1), ('contrast', 0.2, 6)),
  (('rotate', 0.7, 2), ('translate_x', 0.3, 9)),
  (('sharpness', 0.8, 1), ('sharpness', 0.9, 3)),
  (('shear_y', 0.5, 8), ('translate_y', 0.7, 9)),
  (('autocontrast', 0.5), ('equalize', 0.9)),
  (('shear_y', 0.2, 7), ('posterize', 0.3, 7)),
  (('color', 0.4, 3), ('brightness', 0.6, 7)),
  (('sharpness', 0.3, 9), ('brightness', 0.7, 9)),
  (('equalize', 0.6), ('equalize', 0.5)),
  (('contrast', 0.6, 7), ('sharpness', 0.6, 5)),
  (('color', 0.7, 7), ('translate_x', 0.5, 8)),
  (('equalize', 0.3), ('autocontrast', 0.4)),
  (('translate_y', 0.4, 3), ('sharpness', 0.2, 6)),
  (('brightness', 0.9, 6), ('color', 0.2, 8)),
  (('solarize', 0.5, 2), ('invert', 0.0)),
  (('equalize', 0.2), ('autocontrast', 0.6)),
  (('equalize', 0.2), ('equalize', 0.6)),
  (('color', 0.9, 9), ('equalize', 0.6)),
  (('autocontrast', 0.8), ('solarize', 0.2, 8)),
  (('brightness', 0.1, 3), ('color', 0.7, 0)),
  (('solarize', 0.4, 5), ('autocontrast', 0.9)),
  (('translate_y', 0.9, 9), ('translate_y', 0.7, 9)),
  (('autocontrast', 0.9), ('solarize', 0.8, 3)),
  (('equalize', 0.8), ('invert', 0.1)),
  (('translate_y', 0.7, 9), ('autocontrast', 0.9)),
)

POLICIES = {'cifar10': _CIFAR10, 'imagenet': _IMAGENET}


def sub_policies(policy: str) -> tuple[SubPolicy, ...]:
  """The 25 pairs of operations of which each image gets one.

  Raises:
    ValueError: for an unknown policy; lists what exists.
  """
  if policy not in POLICIES:
    raise ValueError(
      f'no AutoAugment policy {policy!r}; there are {", ".join(POLICIES)}'
    )
  return POLICIES[policy]


def _torch_linspace(end: float) -> Float32[np.ndarray, ' 10']:
  """0..end in ten steps as `torch.linspace` rounds them, from both ends.

  More exact factors would change some bytes by one.
  """
  step, i = np.float32(end) / np.float32(9), np.arange(10, dtype=np.float32)
  return np.where(i < 5, step * i, np.float32(end) - step * (9 - i))


def parameter(name: str, level: int, sign: int) -> float:
  """What an operation on pixel values is told, as in `rcj.augment.plan.Plan`.

  Args:
    name: of the operation.
    level: 0..9.
    sign: 1, or -1 for less colour, contrast, brightness or sharpness.
  """
  if name == 'posterize':
    return 8 - round(4 * level / 9)
  if name == 'solarize':
    return 255 - 255 * level // 9
  if name in ('color', 'contrast', 'brightness', 'sharpness'):
    return 1 + sign * float(_torch_linspace(0.9)[level])
  return 0  # it has no levels


def matrix(
  name: str, level: int, sign: int, *, height: int, width: int
) -> Sequence[float] | None:
  """The inverse matrix of a geometric operation, None for any other.

  Args:
    name: of the operation.
    level: 0..9.
    sign: 1 turns counter-clockwise, moves right and down, and shears left
      and up; -1 the other way.
    height: of the image in pixels.
    width: of the image in pixels.
  """
  shear = sign * 0.3 * level / 9
  # 150 pixels of an image of 331, in integers: whole pixels are exact.
  across, down = (
    -sign * (150 * n * level // (331 * 9)) for n in (width, height)
  )
  matrices = {
    'shear_x': (1, shear, 0, 0, 1, 0),
    'shear_y': (1, 0, 0, shear, 1, 0),
    'translate_x': (1, 0, across, 0, 1, 0),
    'translate_y': (1, 0, 0, 0, 1, down),
    'rotate': rotation(sign * 30 * level / 9, height, width),
  }
  return matrices.get(name)
