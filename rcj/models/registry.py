"""Networks by name, their preprocessing, and their description as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from rcj.models.plan import Architecture
from rcj.models.resnet import STEMS, ResNet
from rcj.types import Preprocessing

_WIDE, _NARROW = (64, 128, 256, 512), (16, 32, 64)

ARCHITECTURES = {
  a.name: a
  for a in (
    Architecture('resnet18', (2, 2, 2, 2), _WIDE),
    Architecture('resnet34', (3, 4, 6, 3), _WIDE),
    Architecture('resnet50', (3, 4, 6, 3), _WIDE, bottleneck=True),
    Architecture('resnet101', (3, 4, 23, 3), _WIDE, bottleneck=True),
    Architecture('resnet152', (3, 8, 36, 3), _WIDE, bottleneck=True),
    Architecture('resnet8', (1, 1, 1), _NARROW, stem='half'),
    *(
      Architecture(
        f'resnet{6 * n + 2}', (n, n, n), _NARROW, downsample='pad', stem='cifar'
      )
      for n in (3, 5, 7, 9)
    ),
  )
}
NAMES = tuple(ARCHITECTURES)

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

STEM_PREPROCESSING = {
  'imagenet': Preprocessing(IMAGENET_MEAN, IMAGENET_STD, size=224, resize=256),
  'cifar': Preprocessing(
    (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), size=32
  ),
  'half': Preprocessing((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), size=32),
}


def create(
  name: str,
  *,
  num_classes: int,
  width: float = 1.0,
  stem: str | None = None,
  dtype: Any = jnp.float32,
) -> ResNet:
  """A network by name, without parameters.

  Args:
    name: one of `NAMES`. resnet18 to resnet152 are torchvision's; resnet20 to
      resnet56 are the CIFAR networks with option-A shortcuts; resnet8 is one
      basic block per stage with projections, for 32 px images of digits.
    num_classes: outputs of the classifier, at least 1.
    width: multiplies every channel count, rounded to the nearest integer.
    stem: 'imagenet', 'cifar' or 'half'; None takes the network's own.
    dtype: type of the computation; parameters are float32.

  Raises:
    ValueError: on an unknown name or stem, or sizes below their minimum.
  """
  architecture = _architecture(name)
  stem = architecture.stem if stem is None else stem
  if stem not in STEMS:
    raise ValueError(f'unknown stem {stem!r}; the stems are {", ".join(STEMS)}')
  if num_classes < 1 or width <= 0:
    raise ValueError(
      'a network needs num_classes >= 1 and width > 0, '
      f'got num_classes={num_classes} and width={width}'
    )
  return ResNet(architecture, num_classes, float(width), stem, jnp.dtype(dtype))


def preprocessing(name: str, *, stem: str | None = None) -> Preprocessing:
  """How images become inputs of a network trained from scratch.

  Args:
    name: one of `NAMES`.
    stem: as for `create`: the statistics are ImageNet's (resize to 256, crop
      224) for 'imagenet', CIFAR-10's (32 px) for 'cifar', and 0.5 (32 px) for
      'half'.

  Raises:
    ValueError: on an unknown name or stem.
  """
  return STEM_PREPROCESSING[create(name, num_classes=1, stem=stem).stem]


def spec(module: ResNet) -> dict[str, Any]:
  """All that `from_spec` needs to make the module again, ready for JSON."""
  return {
    'name': module.architecture.name,
    'num_classes': module.num_classes,
    'width': module.width,
    'stem': module.stem,
    'dtype': jnp.dtype(module.dtype).name,
  }


def from_spec(description: Mapping[str, Any]) -> ResNet:
  """The module that `spec` described; equal to the original one."""
  return create(**description)


def _architecture(name: str) -> Architecture:
  if name not in ARCHITECTURES:
    raise ValueError(
      f'unknown network {name!r}; the names are {", ".join(NAMES)}'
    )
  return ARCHITECTURES[name]
