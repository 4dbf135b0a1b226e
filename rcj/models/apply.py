"""Initial parameters, and the two ways to run a network.

Training runs a module on views with explicit weights; everything else runs a
`Frozen`, whose weights come from its `effective`.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Key

from rcj.types import Frozen, Outputs, Params, PyTree


@functools.partial(jax.jit, static_argnames=('module', 'size'))
def init(
  key: Key[Array, ''], module: nn.Module, *, size: int
) -> tuple[Params, PyTree]:
  """Random parameters and fresh BatchNorm statistics, nested dicts of float32.

  The statistics of a network without BatchNorm are an empty dict.

  Args:
    key: PRNG key.
    module: what `create` gave.
    size: side of the square input in pixels.
  """
  images = jnp.zeros((1, size, size, 3), jnp.float32)
  variables = module.init(key, images, train=False)
  return variables['params'], variables.get('batch_stats', {})


def outputs(
  module: nn.Module,
  params: Params,
  batch_stats: PyTree,
  views: Float[Array, 'B V H W 3'],
  *,
  train: bool,
) -> tuple[Outputs, PyTree]:
  """One forward pass over all views, and the BatchNorm statistics after it.

  In training the statistics of BatchNorm are over all B * V images. The views
  are merged batch-major, which keeps a batch that is sharded over devices where
  it is.

  Args:
    module: what `create` gave.
    params: effective weights.
    batch_stats: running statistics of BatchNorm.
    views: normalised images.
    train: False uses the running statistics and returns them unchanged.
  """
  b, v = views.shape[:2]
  merged = views.reshape(b * v, *views.shape[2:])
  result, updated = module.apply(
    {'params': params, 'batch_stats': batch_stats},
    merged,
    train=train,
    mutable=['batch_stats'],
  )
  split = jax.tree.map(lambda x: x.reshape(b, v, *x.shape[1:]), result)
  return Outputs(*split), updated.get('batch_stats', {})


@jax.jit
def logits(
  frozen: Frozen, images: Float[Array, 'B H W 3']
) -> Float[Array, 'B K']:
  """Class scores, float32, of images that are already normalised.

  Raises:
    ValueError: if the images are not float NHWC.
  """
  _check_images(images)
  return frozen.model.apply(_variables(frozen), images, train=False)[0]


@jax.jit
def predict(
  frozen: Frozen, images01: Float[Array, 'B H W 3']
) -> Float[Array, 'B K']:
  """Class scores, float32, of images in 0..1, normalised as `frozen` wants.

  Images must have the size that `frozen.preprocessing` names; nothing is
  resized here.

  Raises:
    ValueError: if the images are not float NHWC.
  """
  return logits(frozen, _normalised(frozen, images01))


@jax.jit
def results(
  frozen: Frozen, images01: Float[Array, 'B H W 3']
) -> dict[str, Array]:
  """{name: result} of every node of a `GraphNet`, for images as of `predict`.

  Raises:
    ValueError: if the images are not float NHWC.
  """
  return frozen.model.results(_variables(frozen), _normalised(frozen, images01))


def _normalised(
  frozen: Frozen, images01: Float[Array, 'B H W 3']
) -> Float[Array, 'B H W 3']:
  _check_images(images01)
  mean = jnp.asarray(frozen.preprocessing.mean).reshape(1, 1, 1, 3)
  std = jnp.asarray(frozen.preprocessing.std).reshape(1, 1, 1, 3)
  return (images01 - mean) / std


def _variables(frozen: Frozen) -> dict[str, PyTree]:
  k = frozen.effective.counts(frozen.scores)
  weights = frozen.effective(frozen.params, frozen.masks, frozen.scores, k)
  return {'params': weights, 'batch_stats': frozen.batch_stats}


def _check_images(images: Array) -> None:
  if images.ndim != 4 or images.shape[-1] != 3:
    raise ValueError(
      f'expected images [B,H,W,3], got shape {images.shape}; images in '
      'channels-first order need a transpose'
    )
  if not jnp.issubdtype(images.dtype, jnp.floating):
    raise ValueError(
      f'expected float images, got {images.dtype}; divide uint8 by 255 first'
    )
