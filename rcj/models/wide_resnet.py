"""Wide residual networks with pre-activation blocks, for 32 px images.

Zagoruyko and Komodakis, https://arxiv.org/abs/1605.07146, for 28-10. The 18-2
of the binary CARDs (Diffenderfer et al., https://arxiv.org/abs/2106.09129) is
the network of robustbench/model_zoo/architectures/CARD_resnet.py. Dropout is
left out.
"""

from __future__ import annotations

from typing import Any, Literal

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from rcj.models import wide_plan
from rcj.models.layers import Conv, Dense, batch_norm
from rcj.models.pooling import Add, MeanPool, Relu
from rcj.models.resnet_plan import Norm, channels
from rcj.models.wide_plan import Architecture

Activations = Float[Array, 'N H W C']

OPTIONS = {'stem': ('cifar',), 'norm': ('batch', 'plain')}

ARCHITECTURES = (
  Architecture('wide_resnet28_10', (4, 4, 4), (160, 320, 640), 16),
  Architecture(
    'wide_resnet18_2',
    (2, 2, 2, 2),
    (64, 192, 384, 768),
    64,
    activated_skip=True,
    projection_norm=True,
    head_bias=False,
    norm='plain',
  ),
)


def torch_names(architecture: Architecture) -> dict[str, str]:
  """{module: ours}, for RobustBench's code of either network."""
  cards = architecture.projection_norm
  group = 'layer{}.{}' if cards else 'block{}.layer.{}'
  names = {'conv1': 'conv_stem', 'bn1': 'bn_last', 'fc': 'head'}
  for s, stage in enumerate(wide_plan.stages(architecture, 1.0), start=1):
    for b, block in enumerate(stage):
      at = group.format(s, b)
      parts = {part: part for part in ('conv1', 'bn1', 'conv2', 'bn2')}
      if block.projects and cards:
        parts |= {'shortcut.0': 'conv_shortcut', 'shortcut.1': 'bn_shortcut'}
      elif block.projects:
        parts |= {'convShortcut': 'conv_shortcut'}
      names |= {f'{at}.{t}': f'{block.name}/{o}' for t, o in parts.items()}
  return names


class Block(nn.Module):
  """BatchNorm, ReLU, 3x3 convolution, twice; and the addition.

  Attributes:
    plan: what to build.
    architecture: says what the shortcut is.
    norm: 'batch' or 'plain'.
    dtype: type of the computation.
  """

  plan: wide_plan.BlockPlan
  architecture: Architecture
  norm: Norm
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: Activations, *, train: bool) -> Activations:
    norm = batch_norm(self.norm, self.dtype, train=train)
    features, stride = self.plan.features, self.plan.stride
    active = Relu()(norm(name='bn1')(x))
    y = Conv(features, 3, stride, self.dtype, name='conv1')(active)
    y = Relu()(norm(name='bn2')(y))
    y = Conv(features, 3, 1, self.dtype, name='conv2')(y)
    if self.plan.projects:
      conv = Conv(features, 1, stride, self.dtype, name='conv_shortcut')
      x = conv(active)
      if self.architecture.projection_norm:
        x = norm(name='bn_shortcut')(x)
    elif self.architecture.activated_skip:
      x = active
    return Add()(x, y)


class WideResNet(nn.Module):
  """Stem, stages of pre-activation blocks, BatchNorm, ReLU, classifier.

  Parameters are named 'conv_stem', 'stage1_block1/bn1',
  'stage1_block1/conv1', ..., 'stage1_block1/conv_shortcut', ..., 'bn_last',
  'head'. Equal fields make equal modules with equal hashes.

  Attributes:
    architecture: depths, widths and kind of shortcuts.
    num_classes: outputs of the classifier.
    width: multiplies every channel count, rounded as in ResNets.
    stem: a 3x3 convolution of stride 1.
    dtype: type of the computation; parameters and statistics stay float32.
    norm: 'batch' has a learned scale and bias, 'plain' has neither, which is
      usual where weights are random and only masks are learned.
  """

  architecture: Architecture
  num_classes: int
  width: float = 1.0
  stem: Literal['cifar'] = 'cifar'
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
      logits, float32; the output of every stage, before the next BatchNorm, in
      `dtype`; the pooled feature that the classifier reads, float32.
    """
    architecture = self.architecture
    features = channels(architecture.stem_features, self.width)
    x = Conv(features, 3, 1, self.dtype, name='conv_stem')(x)
    maps = []
    for blocks in wide_plan.stages(architecture, self.width):
      for block in blocks:
        run = Block(block, architecture, self.norm, self.dtype, name=block.name)
        x = run(x, train=train)
      maps.append(x)
    norm = batch_norm(self.norm, self.dtype, train=train)
    x = Relu()(norm(name='bn_last')(x))
    pooled = MeanPool()(x)
    head = Dense(
      self.num_classes, self.dtype, bias=architecture.head_bias, name='head'
    )
    return head(pooled).astype(jnp.float32), tuple(maps), pooled
