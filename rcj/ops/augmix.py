"""AugMix by native kernels: all views of a batch in one call.

The handlers are `augmix` and `augmix_chains` of kernels/augmix/. A plan's
arrays are described by `rcj.augment.Plan`; its N is a multiple A of the number
of images, and the plans of an image's A versions are neighbours.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Float32, Int32, UInt8

from rcj.ops import dispatch


def views(
  images: UInt8[Array, 'B H W 3'],
  op: Int32[Array, 'N K D'],
  param: Float32[Array, 'N K D 3'],
  weights: Float32[Array, 'N K'],
  m: Float32[Array, ' N'],
  *,
  scale: Float32[Array, 3],
  offset: Float32[Array, 3],
  clean: bool,
  dtype: DTypeLike,
  reference: Callable[..., Float[Array, 'B V H W 3']],
  implementation: str | None = None,
) -> Float[Array, 'B V H W 3']:
  """Mixtures of an image and its chains, times scale, plus offset.

  Args:
    images: values in 0..255.
    op: operations of a plan of N = A * B versions.
    param: what they are told.
    weights: of the chains.
    m: share of the chains.
    scale: per channel.
    offset: per channel.
    clean: whether the first view is the image itself; V is then A + 1, else A.
    dtype: of the result, float32 or bfloat16.
    reference: takes the first five arguments.
    implementation: see `rcj.ops.dispatch.run`.

  Raises:
    TypeError: for another dtype.
    NativeError: if an implementation is asked for that cannot be had.
  """
  dtype = jnp.dtype(dtype)
  if dtype not in (jnp.float32, jnp.bfloat16):
    raise TypeError(f'views are float32 or bfloat16, not {dtype}')
  versions = len(op) // len(images)
  shape = (len(images), versions + clean, *images.shape[1:])

  def call(target, *operands):
    result = jax.ShapeDtypeStruct(shape, dtype)
    kernel = jax.ffi.ffi_call(target, result, vmap_method='sequential')
    return kernel(*operands, scale, offset, clean=clean)

  return dispatch.run(
    'augmix',
    *(images, op, param, weights, m),
    reference=reference,
    call=call,
    implementation=implementation,
    cuda=True,
  )


def chains(
  images: UInt8[Array, 'B H W 3'],
  op: Int32[Array, 'N K D'],
  param: Float32[Array, 'N K D 3'],
  *,
  reference: Callable[..., UInt8[Array, 'N K H W 3']],
  implementation: str | None = None,
) -> UInt8[Array, 'N K H W 3']:
  """Every chain's image before mixing; arguments as those of `views`.

  Raises:
    NativeError: if an implementation is asked for that cannot be had.
  """
  shape = (*op.shape[:2], *images.shape[1:])

  def call(target, *operands):
    result = jax.ShapeDtypeStruct(shape, jnp.uint8)
    kernel = jax.ffi.ffi_call(target, result, vmap_method='sequential')
    return kernel(*operands)

  return dispatch.run(
    'augmix_chains',
    *(images, op, param),
    reference=reference,
    call=call,
    implementation=implementation,
  )
