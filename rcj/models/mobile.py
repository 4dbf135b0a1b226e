"""Mobile networks of inverted residual blocks: MobileNetV2 and MnasNet.

Sandler et al., MobileNetV2, https://arxiv.org/abs/1801.04381, section 3; Tan
et al., MnasNet, https://arxiv.org/abs/1807.11626. Structure and rounding of
channels follow torchvision. Its dropout before the classifier is left out.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from rcj.models import mobile_plan
from rcj.models.layers import BatchNorm, Conv, Dense, DepthwiseConv
from rcj.models.padding import Padding
from rcj.models.pooling import Add, MeanPool, Relu

Activations = Float[Array, 'N H W C']
Norm = Literal['batch', 'folded']

MAXIMA = {'relu': None, 'relu6': 6.0}
STEM_STRIDES = {'imagenet': 2, 'cifar': 1, 'half': 2}
OPTIONS = {
  'stem': tuple(STEM_STRIDES),
  'padding': ('torch', 'tf'),
  'norm': ('batch', 'folded'),
}


class Block(nn.Module):
  """Expansion, depthwise convolution, linear projection, and the addition.

  Attributes:
    plan: what to build.
    maximum: of what a ReLU lets through, None for any.
    padding: of the depthwise convolution.
    norm: 'batch', or 'folded' for convolutions with bias in its place.
    dtype: type of the computation.
  """

  plan: mobile_plan.BlockPlan
  maximum: float | None
  padding: Padding = 'torch'
  norm: Norm = 'batch'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: Activations, *, train: bool) -> Activations:
    plan = self.plan
    unit = functools.partial(
      _unit, norm=self.norm, dtype=self.dtype, train=train
    )
    y = x
    if plan.expands:
      y = Relu(self.maximum)(unit('expand', y, Conv, plan.hidden, 1))
    depthwise = functools.partial(DepthwiseConv, padding=self.padding)
    y = Relu(self.maximum)(
      unit('depthwise', y, depthwise, plan.size, plan.stride)
    )
    y = unit('project', y, Conv, plan.features, 1)
    return Add()(x, y) if plan.skips else y


def _unit(
  name: str,
  x: Activations,
  layer: Any,
  *sizes: int,
  norm: Norm,
  dtype: Any,
  train: bool,
) -> Activations:
  """'conv_<name>' and 'bn_<name>' of the module that is being called."""
  folded = norm == 'folded'
  conv = layer(*sizes, dtype=dtype, bias=folded, name=f'conv_{name}')
  if folded:
    return conv(x)
  batch_norm = BatchNorm(
    use_running_average=not train, dtype=dtype, name=f'bn_{name}'
  )
  return batch_norm(conv(x))


class MobileNet(nn.Module):
  """Stem, stages of inverted residual blocks, 1x1 convolution, classifier.

  Parameters are named 'conv_stem', 'bn_stem', 'stage1_block1/conv_depthwise',
  'stage1_block2/conv_expand', ..., 'conv_last', 'bn_last', 'head'. Equal fields
  make equal modules with equal hashes.

  Attributes:
    architecture: rows of blocks and their channels.
    num_classes: outputs of the classifier.
    width: multiplies channel counts; see `mobile_plan.channels` for rounding.
    stem: 'imagenet' has stride 2, and strides 4, 8, 16 and 32 at the ends of
      the stages; 'cifar' has stride 1, and 1, 2, 4, 8; 'half' has stride 2,
      and 2, 4, 8, 16. All are 3x3 convolutions.
    padding: 'torch', or 'tf' for networks that TensorFlow trained.
    norm: 'batch', or 'folded' for finished networks whose BatchNorm is part of
      the convolutions, which have a bias then.
    dtype: type of the computation; parameters and statistics stay float32.
  """

  architecture: mobile_plan.Architecture
  num_classes: int
  width: float = 1.0
  stem: mobile_plan.Stem = 'imagenet'
  dtype: Any = jnp.float32
  padding: Padding = 'torch'
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
      logits, float32; the output of every stage, which is linear, in `dtype`;
      the pooled feature that the classifier reads, float32.
    """
    architecture = self.architecture
    maximum = MAXIMA[architecture.activation]
    unit = functools.partial(
      _unit, norm=self.norm, dtype=self.dtype, train=train
    )
    conv = functools.partial(Conv, padding=self.padding)
    features = mobile_plan.stem_features(architecture, self.width)
    stride = STEM_STRIDES[self.stem]
    x = Relu(maximum)(unit('stem', x, conv, features, 3, stride))
    maps = []
    for blocks in self._stages():
      for block in blocks:
        x = Block(
          block,
          maximum,
          self.padding,
          self.norm,
          self.dtype,
          name=block.name,
        )(x, train=train)
      maps.append(x)
    features = mobile_plan.last_features(architecture, self.width)
    x = Relu(maximum)(unit('last', x, conv, features, 1))
    pooled = MeanPool()(x)
    logits = Dense(self.num_classes, self.dtype, name='head')(pooled)
    return logits.astype(jnp.float32), tuple(maps), pooled

  @nn.nowrap
  def _stages(self) -> tuple[tuple[mobile_plan.BlockPlan, ...], ...]:
    return mobile_plan.stages(self.architecture, self.width, self.stem)
