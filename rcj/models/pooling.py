"""Layers without parameters.

They are modules, so that `trace.graph_of` sees them run.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

Activations = Float[Array, 'N H W C']


class Relu(nn.Module):
  """max(x, 0), and at most `maximum` where that is given (ReLU6)."""

  maximum: float | None = None

  def __call__(self, x: Float[Array, '*shape']) -> Float[Array, '*shape']:
    y = nn.relu(x)
    return y if self.maximum is None else jnp.minimum(y, self.maximum)


class Add(nn.Module):
  """The end of a residual block."""

  def __call__(self, x: Activations, y: Activations) -> Activations:
    return x + y


class MaxPool(nn.Module):
  """Maximum over windows of stride 2.

  Attributes:
    size: side of a window: 3, with a border of one pixel that never wins, or 2,
      without a border.
  """

  size: int = 3

  def __call__(self, x: Activations) -> Float[Array, 'N h w C']:
    around = (((self.size - 1) // 2,) * 2,) * 2
    return nn.max_pool(x, (self.size,) * 2, (2, 2), padding=around)


class MeanPool(nn.Module):
  """Mean over all pixels, in float32."""

  def __call__(self, x: Activations) -> Float[Array, 'N C']:
    return jnp.mean(x, axis=(1, 2), dtype=jnp.float32)


class Flatten(nn.Module):
  """All values of an image in a row, the channels of a pixel side by side.

  Attributes:
    side: of the images; those of another side raise ValueError.
  """

  side: int

  def __call__(self, x: Activations) -> Float[Array, 'N D']:
    n, *sides, channels = x.shape
    if sides != [self.side] * 2:
      raise ValueError(
        f'what is flattened must have {self.side}x{self.side} pixels, got '
        f'{"x".join(map(str, sides))}; usually images have another size than '
        'those that the network is for, such as 32 px'
      )
    return x.reshape(n, self.side**2 * channels)


class PadShortcut(nn.Module):
  """Shortcut without parameters, option A of He et al. section 4.2.

  Attributes:
    features: channels of the result; zeros fill them, half before and half
      behind.
    stride: takes every such pixel.
  """

  features: int
  stride: int

  def __call__(self, x: Activations) -> Float[Array, 'N h w D']:
    extra = self.features - x.shape[-1]
    before = extra // 2
    padding = ((0, 0), (0, 0), (0, 0), (before, extra - before))
    # Indexing would be a gather where the size of the batch is not known.
    strides = (1, self.stride, self.stride, 1)
    return jnp.pad(jax.lax.slice(x, (0,) * 4, x.shape, strides), padding)
