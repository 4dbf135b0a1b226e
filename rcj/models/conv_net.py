"""VGG-like networks of 2 to 8 convolutions for 32 px images.

Frankle and Carbin, The Lottery Ticket Hypothesis, figure 2,
https://arxiv.org/abs/1803.03635; also the networks in which edge-popup
(https://arxiv.org/abs/1911.13299) and multi-prize tickets
(https://arxiv.org/abs/2103.09377) were found first. There is no BatchNorm.

Nor is there any bias: Frankle and Carbin have some, but the code of the other
two papers (allenai/hidden-networks models/frankle.py), whose authors' binary
networks these are here for, has none, since masks of random weights would leave
random biases as they are.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from rcj.models.layers import Conv, Dense
from rcj.models.pooling import Flatten, MaxPool, Relu
from rcj.models.resnet_plan import channels

Activations = Float[Array, 'N H W C']

OPTIONS = {'stem': ('cifar',)}

_SIDE, _WIDTHS, _HIDDEN = 32, (64, 128, 256, 512), 256
# He et al., https://arxiv.org/abs/1502.01852: nothing normalises here, so that
# the initial values of hidden layers must keep the size of signals.
_GAIN = 6**0.5


@dataclasses.dataclass(frozen=True)
class Architecture:
  """A network up to its width and number of classes.

  Attributes:
    name: what `create` calls it.
    stages: pairs of convolutions; each pair ends in a pooling.
    stem: 'cifar', the only one.
  """

  name: str
  stages: int
  stem: Literal['cifar'] = 'cifar'

  @property
  def side(self) -> int:
    """Of what the dense layers see."""
    return _SIDE // 2**self.stages


ARCHITECTURES = tuple(Architecture(f'conv{2 * n}', n) for n in (1, 2, 3, 4))


def torch_names(architecture: Architecture) -> dict[str, str]:
  """{module: ours}, for the code of hidden-networks and biprop."""
  names = {'linear.0': 'hidden1', 'linear.2': 'hidden2', 'linear.4': 'head'}
  for s in range(architecture.stages):  # two convolutions, two ReLUs, pooling
    names |= {
      f'convs.{5 * s}': f'stage{s + 1}/conv1',
      f'convs.{5 * s + 2}': f'stage{s + 1}/conv2',
    }
  return names


def rows_from_torch(
  architecture: Architecture, kernel: Float[np.ndarray, 'R D']
) -> Float[np.ndarray, 'R D']:
  """The kernel of 'hidden1' with its rows in our order.

  PyTorch flattens [C, H, W], which makes channels the slowest, `Flatten` makes
  them the fastest. Rows that are no multiple of the pixels stay as they are.
  """
  pixels = architecture.side**2
  if kernel.shape[0] % pixels:
    return kernel
  planes = kernel.reshape(-1, pixels, kernel.shape[-1])
  return planes.transpose(1, 0, 2).reshape(kernel.shape)


class Stage(nn.Module):
  """Two 3x3 convolutions with ReLU, and 2x2 max-pooling.

  Attributes:
    features: channels.
    dtype: type of the computation.
  """

  features: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: Activations) -> Activations:
    for name in ('conv1', 'conv2'):
      conv = Conv(self.features, 3, dtype=self.dtype, name=name)
      x = Relu()(conv(x))
    return MaxPool(size=2)(x)


class ConvNet(nn.Module):
  """Stages of convolutions, two dense layers with ReLU, linear classifier.

  Parameters are 'stage1/conv1/kernel', 'stage1/conv2/kernel', ...,
  'hidden1/kernel', 'hidden2/kernel' and 'head/kernel'; those of hidden layers
  start with He's variance, as convolutions. Equal fields make equal modules
  with equal hashes.

  Attributes:
    architecture: number of stages.
    num_classes: outputs of the classifier.
    width: multiplies channels of convolutions and of the two dense layers,
      rounded as in ResNets.
    stem: a 3x3 convolution of stride 1.
    dtype: type of the computation; parameters stay float32.
  """

  architecture: Architecture
  num_classes: int
  width: float = 1.0
  stem: Literal['cifar'] = 'cifar'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, x: Float[Array, 'N 32 32 3'], *, train: bool
  ) -> tuple[
    Float[Array, 'N K'],
    tuple[Float[Array, 'N h w C'], ...],
    Float[Array, 'N D'],
  ]:
    """Runs the network on normalised images of 32 px.

    Args:
      x: images, normalised.
      train: makes no difference.

    Returns:
      logits, float32; the output of every stage, pooled, in `dtype`; the
      feature of the last hidden layer that the classifier reads, float32.

    Raises:
      ValueError: for images of another size, which would give the dense layers
        another number of inputs.
    """
    del train
    maps = []
    for s in range(self.architecture.stages):
      features = channels(_WIDTHS[s], self.width)
      x = Stage(features, self.dtype, name=f'stage{s + 1}')(x)
      maps.append(x)
    x = Flatten(self.architecture.side)(x)
    for name in ('hidden1', 'hidden2'):
      features = channels(_HIDDEN, self.width)
      layer = Dense(features, self.dtype, bias=False, gain=_GAIN, name=name)
      x = Relu()(layer(x))
    head = Dense(self.num_classes, self.dtype, bias=False, name='head')
    logits = head(x).astype(jnp.float32)
    return logits, tuple(maps), x.astype(jnp.float32)
