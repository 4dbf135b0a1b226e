"""Convolutions, dense layer and BatchNorm with the conventions of torchvision.

Our own, because flax's layers insist that a parameter is a plain array of the
shape that they initialise, and have no place to choose a faster kernel.
Parameters are float32; `dtype` is the type that is computed in.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Key

from rcj.models import depthwise
from rcj.models.padding import Padding, amounts
from rcj.models.resnet_plan import Norm


def _kaiming_normal(
  key: Key[Array, ''], shape: tuple[int, ...]
) -> Float[Array, 'h w C D']:
  """He et al., https://arxiv.org/abs/1502.01852, fan-out as torchvision."""
  fan_out = shape[0] * shape[1] * shape[3]
  # Flat draws are the same numbers and compile three times faster.
  flat = jax.random.normal(key, (math.prod(shape),))
  return (2 / fan_out) ** 0.5 * flat.reshape(shape)


def _torch_linear(
  fan_in: int, gain: float = 1.0
) -> Callable[..., Float[Array, ' *shape']]:
  """U(-1/sqrt(in), 1/sqrt(in)), the default of torch.nn.Linear, times gain."""
  limit = gain * fan_in**-0.5

  def uniform(key, shape):
    flat = jax.random.uniform(
      key, (math.prod(shape),), minval=-limit, maxval=limit
    )
    return flat.reshape(shape)

  return uniform


class Conv(nn.Module):
  """2-D convolution.

  Parameters: 'kernel', float32 `[size, size, in, features]`, initialised as
  torchvision, and 'bias', float32 `[features]`, where there is one.

  Attributes:
    features: output channels.
    size: side of the kernel, odd.
    stride: of both axes.
    dtype: type of the computation and the result.
    padding: see `padding.amounts`.
    bias: adds one, initially 0.
  """

  features: int
  size: int
  stride: int = 1
  dtype: Any = jnp.float32
  padding: Padding = 'torch'
  bias: bool = False

  @nn.compact
  def __call__(self, x: Float[Array, 'N H W C']) -> Float[Array, 'N h w D']:
    shape = (self.size, self.size, x.shape[-1], self.features)
    kernel = self.param('kernel', _kaiming_normal, shape).astype(self.dtype)
    y = self._convolve(x.astype(self.dtype), kernel)
    return _add_bias(self, y) if self.bias else y

  def _convolve(
    self, x: Float[Array, 'N H W C'], kernel: Float[Array, 'h w C D']
  ) -> Float[Array, 'N h w D']:
    if self.size == 1 and self.stride == 1:
      return jnp.dot(x, kernel[0, 0])
    return jax.lax.conv_general_dilated(
      x,
      kernel,
      window_strides=(self.stride, self.stride),
      padding=amounts(self.padding, x.shape[1:3], self.size, self.stride),
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )


class DepthwiseConv(nn.Module):
  """2-D convolution of every channel with a kernel of its own.

  Parameters: 'kernel', float32 `[size, size, 1, C]`, initialised as
  torchvision, and 'bias', float32 `[C]`, where there is one.

  Attributes:
    size: side of the kernels, odd.
    stride: of both axes.
    dtype: type of the computation and the result.
    padding: see `padding.amounts`.
    bias: adds one, initially 0.
  """

  size: int
  stride: int = 1
  dtype: Any = jnp.float32
  padding: Padding = 'torch'
  bias: bool = False

  @nn.compact
  def __call__(self, x: Float[Array, 'N H W C']) -> Float[Array, 'N h w C']:
    shape = (self.size, self.size, 1, x.shape[-1])
    kernel = self.param('kernel', _kaiming_normal, shape).astype(self.dtype)
    around = amounts(self.padding, x.shape[1:3], self.size, self.stride)
    y = depthwise.convolve(
      x.astype(self.dtype), kernel, stride=self.stride, padding=around
    )
    return _add_bias(self, y) if self.bias else y


def _add_bias(
  layer: nn.Module, y: Float[Array, 'N h w D']
) -> Float[Array, 'N h w D']:
  bias = layer.param('bias', nn.initializers.zeros, y.shape[-1:])
  return y + bias.astype(y.dtype).reshape(1, 1, 1, -1)


class Dense(nn.Module):
  """x @ kernel + bias, initialised as torch.nn.Linear.

  Parameters: 'kernel' float32 `[in, features]`, and 'bias' float32
  `[features]` where there is one.

  Attributes:
    features: outputs.
    dtype: type of the computation and the result.
    bias: adds one.
    gain: of the initial kernel; 6 ** 0.5 gives He's variance of 2 / in.
  """

  features: int
  dtype: Any = jnp.float32
  bias: bool = True
  gain: float = 1.0

  @nn.compact
  def __call__(self, x: Float[Array, 'N C']) -> Float[Array, 'N D']:
    fan_in = x.shape[-1]
    draw = _torch_linear(fan_in, self.gain)
    kernel = self.param('kernel', draw, (fan_in, self.features))
    y = jnp.dot(x.astype(self.dtype), kernel.astype(self.dtype))
    if not self.bias:
      return y
    bias = self.param('bias', _torch_linear(fan_in), (self.features,))
    return y + bias.astype(self.dtype)[None, :]


class BatchNorm(nn.BatchNorm):
  """BatchNorm whose statistics move by 0.1 a step, as torch's default.

  Statistics are float32 in any compute dtype. The running variance is the
  biased one; torch keeps n / (n - 1) times that.
  """

  momentum: float = 0.9
  epsilon: float = 1e-5


def batch_norm(
  norm: Norm, dtype: Any, *, train: bool
) -> Callable[..., BatchNorm]:
  """Makes the BatchNorm layers of a residual network, by their names.

  Args:
    norm: 'batch' has a learned scale and bias, 'plain' has neither.
    dtype: type of the computation.
    train: uses the batch's statistics and moves its own.
  """
  affine = norm == 'batch'
  return functools.partial(
    BatchNorm,
    use_running_average=not train,
    use_scale=affine,
    use_bias=affine,
    dtype=dtype,
  )
