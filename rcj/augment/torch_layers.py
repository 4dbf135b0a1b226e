"""Convolutions that read kernels in PyTorch's layout, channels last."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

Maps = Float32[Array, 'B H W C']
Weights = Mapping[str, Float32[Array, '...']]


def convolve(
  x: Maps,
  kernel: Float32[Array, 'O I h w'],
  bias: Float32[Array, ' O'],
  *,
  padding: tuple[int, int] = (1, 1),
  stride: int = 1,
) -> Maps:
  """Conv2d; `padding` zeros are added before and after rows and columns."""
  y = lax.conv_general_dilated(
    x,
    # Inside loops, XLA:CPU is ten times slower with any other order.
    kernel.transpose(2, 3, 1, 0),
    (stride, stride),
    (padding, padding),
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )
  return y + jnp.broadcast_to(bias, y.shape)


def layer(
  weights: Weights,
  name: str,
  x: Maps,
  *,
  padding: tuple[int, int] = (1, 1),
  stride: int = 1,
) -> Maps:
  """The Conv2d of this name."""
  kernel, bias = weights[f'{name}.weight'], weights[f'{name}.bias']
  return convolve(x, kernel, bias, padding=padding, stride=stride)


def shuffled(x: Maps) -> Maps:
  """PixelShuffle(2): four channels become a square of four pixels."""
  b, h, w, c = x.shape
  x = x.reshape(b, h, w, c // 4, 2, 2).transpose(0, 1, 4, 2, 5, 3)
  return x.reshape(b, 2 * h, 2 * w, c // 4)


def doubled(weights: Weights, name: str, x: Maps) -> Maps:
  """The ConvTranspose2d of this name, 2x2 with stride 2: [I,O,2,2]."""
  b, h, w, _ = x.shape
  y = jnp.einsum('bhwi,iopq->bhpwqo', x, weights[f'{name}.weight'])
  y = y.reshape(b, 2 * h, 2 * w, -1)
  return y + jnp.broadcast_to(weights[f'{name}.bias'], y.shape)


def leaky(x: Maps) -> Maps:
  """LeakyReLU with PyTorch's slope."""
  return jax.nn.leaky_relu(x, 0.01)
