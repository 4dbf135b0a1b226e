"""Residual networks: torchvision's v1.5 family and the CIFAR family.

He et al., Deep Residual Learning, https://arxiv.org/abs/1512.03385; section
3.3 for ImageNet, 4.2 for CIFAR. v1.5 has the stride of a bottleneck in its 3x3
convolution, as torchvision/models/resnet.py.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from rcj.models import resnet_plan
from rcj.models.layers import Conv, Dense, batch_norm
from rcj.models.naming import pair
from rcj.models.pooling import Add, MaxPool, MeanPool, PadShortcut, Relu
from rcj.models.resnet_plan import Architecture, Norm

Activations = Float[Array, 'N H W C']

STEMS = {'imagenet': (7, 2), 'cifar': (3, 1), 'half': (5, 2)}  # size, stride
OPTIONS = {'stem': tuple(STEMS), 'norm': ('batch', 'plain')}

_WIDE, _NARROW = (64, 128, 256, 512), (16, 32, 64)
_OPTION_A = {'downsample': 'pad', 'stem': 'cifar'}

ARCHITECTURES = (
  Architecture('resnet18', (2, 2, 2, 2), _WIDE),
  Architecture('resnet34', (3, 4, 6, 3), _WIDE),
  Architecture('resnet50', (3, 4, 6, 3), _WIDE, bottleneck=True),
  Architecture('resnet101', (3, 4, 23, 3), _WIDE, bottleneck=True),
  Architecture('resnet152', (3, 8, 36, 3), _WIDE, bottleneck=True),
  Architecture('resnet8', (1, 1, 1), _NARROW, stem='half'),
  Architecture('resnet20', (3, 3, 3), _NARROW, **_OPTION_A),
  Architecture('resnet32', (5, 5, 5), _NARROW, **_OPTION_A),
  Architecture('resnet44', (7, 7, 7), _NARROW, **_OPTION_A),
  Architecture('resnet56', (9, 9, 9), _NARROW, **_OPTION_A),
)


def torch_names(architecture: Architecture) -> dict[str, str]:
  """{module: ours}, for torchvision and for the common CIFAR code.

  'shortcut' and 'linear' are names of the latter, 'downsample' and 'fc' of the
  former.
  """
  names = {'fc': 'head', 'linear': 'head', **pair('conv1', 'bn1', 'conv_stem')}
  for s, stage in enumerate(resnet_plan.stages(architecture, 1.0), start=1):
    for b, block in enumerate(stage):
      at, ours = f'layer{s}.{b}', f'{block.name}/conv'
      for i in range(1, len(block.convs) + 1):
        names |= pair(f'{at}.conv{i}', f'{at}.bn{i}', f'{ours}{i}')
      if block.shortcut == 'projection':
        for word in ('downsample', 'shortcut'):
          theirs = f'{at}.{word}'
          names |= pair(f'{theirs}.0', f'{theirs}.1', f'{ours}_shortcut')
  return names


class Block(nn.Module):
  """Convolutions with BatchNorm and ReLU, and a shortcut around them.

  Attributes:
    plan: what to build.
    dtype: type of the computation.
    norm: 'batch' or 'plain'.
  """

  plan: resnet_plan.BlockPlan
  dtype: Any = jnp.float32
  norm: Norm = 'batch'

  @nn.compact
  def __call__(self, x: Activations, *, train: bool) -> Activations:
    norm = batch_norm(self.norm, self.dtype, train=train)
    y = x
    for i, c in enumerate(self.plan.convs, start=1):
      conv = Conv(c.features, c.size, c.stride, self.dtype, name=f'conv{i}')
      y = norm(name=f'bn{i}')(conv(y))
      if i < len(self.plan.convs):
        y = Relu()(y)
    if self.plan.shortcut == 'projection':
      features, stride = self.plan.features, self.plan.stride
      conv = Conv(features, 1, stride, self.dtype, name='conv_shortcut')
      x = norm(name='bn_shortcut')(conv(x))
    elif self.plan.shortcut == 'pad':
      x = PadShortcut(self.plan.features, self.plan.stride)(x)
    return Relu()(Add()(y, x))


class ResNet(nn.Module):
  """Stem, stages of residual blocks, average pooling, linear classifier.

  Parameters are named 'conv_stem', 'bn_stem', 'stage1_block1/conv1', ...,
  'stage1_block1/bn_shortcut', ..., 'head'. Equal fields make equal modules
  with equal hashes, so a module can be a static argument of `jax.jit`.

  Attributes:
    architecture: depths, widths and kinds of blocks.
    num_classes: outputs of the classifier.
    width: multiplies channel counts; see `resnet_plan.stages` for rounding.
    stem: 'imagenet' is a 7x7 convolution of stride 2 and a 3x3 max-pooling of
      stride 2; 'cifar' a 3x3 convolution; 'half' a 5x5 one of stride 2.
    dtype: type of the computation; parameters and statistics stay float32.
    norm: 'batch' has a learned scale and bias, 'plain' has neither, which is
      usual where weights are random and only masks are learned.
  """

  architecture: Architecture
  num_classes: int
  width: float = 1.0
  stem: resnet_plan.Stem = 'imagenet'
  dtype: Any = jnp.float32
  norm: Norm = 'batch'

  @nn.compact
  def __call__(
    self, x: Float[Array, 'N H W 3'], *, train: bool
  ) -> tuple[
    Float[Array, 'N K'],
    tuple[Float[Array, 'N h w C'], ...],
    Float[Array, 'N D'],
  ]:
    """Runs the network on normalised images.

    Args:
      x: images, normalised; any side that the strides leave at least 1 of.
      train: BatchNorm uses the batch's statistics and moves its own, which
        needs `mutable=['batch_stats']`.

    Returns:
      logits, float32; the output of every stage after its last ReLU, in
      `dtype`; the pooled feature that the classifier reads, float32.
    """
    x = self._stem(x, train)
    maps = []
    for blocks in resnet_plan.stages(self.architecture, self.width):
      for block in blocks:
        run = Block(block, self.dtype, self.norm, name=block.name)
        x = run(x, train=train)
      maps.append(x)
    pooled = MeanPool()(x)
    logits = Dense(self.num_classes, self.dtype, name='head')(pooled)
    return logits.astype(jnp.float32), tuple(maps), pooled

  def _stem(self, x: Float[Array, 'N H W 3'], train: bool) -> Activations:
    features = resnet_plan.channels(self.architecture.widths[0], self.width)
    conv = Conv(features, *STEMS[self.stem], self.dtype, name='conv_stem')
    norm = batch_norm(self.norm, self.dtype, train=train)
    x = Relu()(norm(name='bn_stem')(conv(x)))
    if self.stem == 'imagenet':
      x = MaxPool()(x)
    return x
