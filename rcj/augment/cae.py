"""The convolutional autoencoder of DeepAugment, and its distorted code.

The network is `cae_32x32x32_zero_pad_bin` of https://github.com/alexandru-dinu/cae
(file model_final.state). What DeepAugment does to its code is in
DeepAugment/CAE_Model of https://github.com/hendrycks/imagenet-r.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from rcj.augment.torch_layers import (
  Maps,
  Weights,
  convolve,
  doubled,
  layer,
  leaky,
)

CODE = 32
# In the order that weight options number them.
LAYERS = {
  'e_conv_1.1': (64, 3, 5, 5),
  'e_conv_2.1': (128, 64, 5, 5),
  **{f'e_block_{i}.{j}': (128, 128, 3, 3) for i in (1, 2, 3) for j in (1, 4)},
  'e_conv_3.0': (CODE, 128, 5, 5),
  'd_up_conv_1.0': (64, CODE, 3, 3),
  'd_up_conv_1.3': (64, 128, 2, 2),
  **{f'd_block_{i}.{j}': (128, 128, 3, 3) for i in (1, 2, 3) for j in (1, 4)},
  'd_up_conv_2.0': (32, 128, 3, 3),
  'd_up_conv_2.3': (32, 256, 2, 2),
  'd_up_conv_3.0': (16, 256, 3, 3),
  'd_up_conv_3.3': (3, 16, 3, 3),
}
# [I,O,2,2], as PyTorch has it for transposed convolutions.
_TRANSPOSED = ('d_up_conv_1.3', 'd_up_conv_2.3')


def shapes() -> dict[str, tuple[int, ...]]:
  """Names and shapes of the weights."""
  made = {}
  for name, shape in LAYERS.items():
    made[f'{name}.weight'] = shape
    made[f'{name}.bias'] = (shape[1 if name in _TRANSPOSED else 0],)
  return made


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Plan:
  """What happens to the code of one image, in this order; h is H/4, w is W/4.

  Attributes:
    mask: of places; -1, 0 or 1.
    channels: which channel each becomes.
    flip: whether rows and columns of each channel are reversed.
    kernel: of a convolution, [O,I,3,3].
    uniform: in 0..1; a bit is set where this is at most its probability.
    gain: of the bits.
  """

  mask: Float32[Array, 'h w']
  channels: Int32[Array, ' 32']
  flip: Bool[Array, '32 2']
  kernel: Float32[Array, '32 32 3 3']
  uniform: Float32[Array, 'h w 32']
  gain: Float32[Array, 'h w 32']


def encode(
  weights: Weights, image: Float32[Array, 'H W 3'], plan: Plan
) -> Float32[Array, 'h w 32']:
  """The distorted code of an image in 0..1: bits, times their gain."""
  code = _distort(_encoder(weights, image[None]), plan)[0]
  return jnp.where(plan.uniform <= (1 + code) / 2, plan.gain, 0)


def decode(
  weights: Weights, code: Float32[Array, 'h w 32']
) -> Float32[Array, 'H W 3']:
  """The image of a code, in -1..1; what is below 0 is black."""
  x = leaky(_bare(weights, 'd_up_conv_1.0', 2 * code[None] - 1))
  x = doubled(weights, 'd_up_conv_1.3', _padded(x))
  x = _blocks(weights, 'd_block', x)
  x = leaky(_bare(weights, 'd_up_conv_2.0', x))
  x = doubled(weights, 'd_up_conv_2.3', _padded(x))
  x = leaky(_bare(weights, 'd_up_conv_3.0', x))
  x = jnp.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode='reflect')
  return jnp.tanh(_bare(weights, 'd_up_conv_3.3', x))[0]


def reconstruct(
  weights: Weights, image: Float32[Array, 'H W 3'], plan: Plan
) -> Float32[Array, 'H W 3']:
  """The distorted version of an image in 0..1; not clipped.

  DeepAugment shows it images whose shorter side has 512 pixels.

  Args:
    weights: `shapes()` says which, in PyTorch's layout.
    image: values in 0..1, height and width multiples of 4.
    plan: drawn by `rcj.augment.cae_draws` for an image of this size.

  Raises:
    ValueError: for other heights and widths.
  """
  if image.shape[0] % 4 or image.shape[1] % 4:
    raise ValueError(
      'the autoencoder halves images twice and gives multiples of 4 pixels '
      f'back, got {list(image.shape)}; crop or resize before'
    )
  return decode(weights, encode(weights, image, plan))


def _encoder(weights: Weights, x: Maps) -> Maps:
  for name in ('e_conv_1.1', 'e_conv_2.1'):
    x = leaky(layer(weights, name, x, padding=(1, 2), stride=2))
  x = _blocks(weights, 'e_block', x)
  return jnp.tanh(layer(weights, 'e_conv_3.0', x, padding=(2, 2)))


def _distort(x: Maps, plan: Plan) -> Maps:
  x = (x * plan.mask[None, :, :, None])[..., plan.channels]
  for axis in (0, 1):
    flipped = jnp.flip(x, axis + 1)
    x = jnp.where(plan.flip[:, axis].reshape(1, 1, 1, CODE), flipped, x)
  return convolve(x, plan.kernel, jnp.zeros(CODE))


def _blocks(weights: Weights, name: str, x: Maps) -> Maps:
  for i in (1, 2, 3):
    y = leaky(layer(weights, f'{name}_{i}.1', x))
    x = x + layer(weights, f'{name}_{i}.4', y)
  return x


def _bare(weights: Weights, name: str, x: Maps) -> Maps:
  """A convolution without padding."""
  return layer(weights, name, x, padding=(0, 0))


def _padded(x: Maps) -> Maps:
  return jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
