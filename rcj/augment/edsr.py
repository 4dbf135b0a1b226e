"""EDSR, which enlarges images four times, and its distorted activations.

Lim et al. 2017, https://arxiv.org/abs/1707.02921: the baseline of
sanghyun-son/EDSR-PyTorch, 16 blocks of 64 channels, file
edsr_baseline_x4-6b446fab.pt. What DeepAugment does to it is in
DeepAugment/EDSR_distort_imagenet.py of https://github.com/hendrycks/imagenet-r.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32, Int8, Int32

from rcj.augment.torch_layers import Maps, Weights, convolve, layer, shuffled

BLOCKS, CHANNELS, SCALE = 16, 64, 4
_MEAN = (255 * 0.4488, 255 * 0.4371, 255 * 0.4040)
# Activations are distorted after this many blocks.
_MIDDLE = 5
WHOLE = -1


def shapes() -> dict[str, tuple[int, ...]]:
  """Names and shapes of the weights, but for the two fixed colour shifts."""
  outputs = {'head.0': (CHANNELS, 3), 'tail.1': (3, CHANNELS)}
  for i in range(BLOCKS):
    for j in (0, 2):
      outputs[f'body.{i}.body.{j}'] = (CHANNELS, CHANNELS)
  outputs[f'body.{BLOCKS}'] = (CHANNELS, CHANNELS)
  for i in (0, 2):
    outputs[f'tail.0.{i}'] = (4 * CHANNELS, CHANNELS)
  made = {}
  for name, (o, i) in outputs.items():
    made |= {f'{name}.weight': (o, i, 3, 3), f'{name}.bias': (o,)}
  return made


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Plan:
  """What happens to the activations of one image.

  Attributes:
    channels: which channel each of the first convolution's becomes.
    factor: of the first convolution's output, after that; -1, 0 or 1.
    middle: after five blocks: 0 nothing, 1 negate, 2 ReLU, 3 GELU, 4 reverse
      channels and rows, 5 reverse channels and columns.
    last: the one module of the body that sees the image, 13..16, the last of
      which is the final convolution; `WHOLE` (-1) for the whole body. The
      original means to skip modules, but gives each one the same input.
  """

  channels: Int32[Array, ' 64']
  factor: Int8[Array, 'H W 64']
  middle: Int32[Array, '']
  last: Int32[Array, '']


def plain(height: int, width: int) -> Plan:
  """The plan that distorts nothing."""
  return Plan(
    channels=jnp.arange(CHANNELS, dtype=jnp.int32),
    factor=jnp.ones((height, width, CHANNELS), jnp.int8),
    middle=jnp.int32(0),
    last=jnp.int32(WHOLE),
  )


def enlarge(
  weights: Weights, image: Float32[Array, 'H W 3'], plan: Plan
) -> Float32[Array, '4H 4W 3']:
  """An image in 0..255, four times as large; not clipped.

  DeepAugment shows it images whose shorter side has 128 pixels.

  Args:
    weights: `shapes()` says which, in PyTorch's layout.
    image: values in 0..255.
    plan: drawn by `rcj.augment.edsr_draws` for an image of this size.
  """
  mean = jnp.asarray(_MEAN).reshape(1, 1, 1, 3)
  x = layer(weights, 'head.0', image[None] - mean)
  x = x[..., plan.channels] * plan.factor[None].astype(jnp.float32)
  x += _body(weights, x, plan)
  for i in (0, 2):
    x = shuffled(layer(weights, f'tail.0.{i}', x))
  return (layer(weights, 'tail.1', x) + mean)[0]


def _body(weights: Weights, x: Maps, plan: Plan) -> Maps:
  final = f'body.{BLOCKS}'
  # Stacked, so that one block is compiled and not sixteen.
  blocks = [
    jnp.stack([weights[f'body.{i}.body.{j}.{k}'] for i in range(BLOCKS)])
    for j in (0, 2)
    for k in ('weight', 'bias')
  ]

  def block(x, part):
    w0, b0, w2, b2 = part
    return x + convolve(jax.nn.relu(convolve(x, w0, b0)), w2, b2), None

  def whole(x):
    x, _ = lax.scan(block, x, [b[:_MIDDLE] for b in blocks])
    x = lax.switch(plan.middle, _DISTORTIONS, x)
    x, _ = lax.scan(block, x, [b[_MIDDLE:] for b in blocks])
    return layer(weights, final, x)

  def one(x):
    part = [b[jnp.clip(plan.last, 0, BLOCKS - 1)] for b in blocks]
    return lax.cond(
      plan.last == BLOCKS,
      lambda x: layer(weights, final, x),
      lambda x: block(x, part)[0],
      x,
    )

  return lax.cond(plan.last == WHOLE, whole, one, x)


_DISTORTIONS = (
  lambda x: x,
  jnp.negative,
  jax.nn.relu,
  lambda x: jax.nn.gelu(x, approximate=False),
  lambda x: x[:, ::-1, :, ::-1],
  lambda x: x[:, :, ::-1, ::-1],
)
