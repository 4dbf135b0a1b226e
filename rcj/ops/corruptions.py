"""Corruptions by native kernels: from uint8 images to uint8 images in one call.

A kernel of the corruption `name` is the FFI handler `corrupt_<name>` in
kernels/corruptions/: `CorruptionHandler` of image.h begins its binding. There
is nothing to say in Python. Its operands are those of the reference:

1. the images, u8[N,H,W,3], and the result of the same shape, truncated;
2. the fields, in the order of their names;
3. the prepared parameters, in the order of `prepare`.

Integers and booleans keep their types (a Python int is s32); real numbers are
f64 where `rcj.corruptions.registry` says `double`, else f32. An operand that a
kernel does not need is bound all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt8

from rcj.ops import dispatch

Images = UInt8[Array, 'N H W 3']


def apply(
  name: str,
  images: Images,
  fields: dict[str, Array],
  prepared: tuple[Any, ...],
  *,
  reference: Callable[..., Images],
  implementation: str | None = None,
) -> Images:
  """Corrupts images by their fields, without randomness.

  Args:
    name: of the corruption.
    images: RGB in 0..255.
    fields: of its `draw`.
    prepared: parameters of the severity.
    reference: takes images, fields and each of the parameters.
    implementation: see `rcj.ops.dispatch.run`.
  """
  operands, tree = jax.tree.flatten((dict(fields), prepared))

  def refer(images, *operands):
    fields, prepared = jax.tree.unflatten(tree, operands)
    return reference(images, fields, *prepared)

  def call(target, images, *operands):
    result = jax.ShapeDtypeStruct(images.shape, jnp.uint8)
    return jax.ffi.ffi_call(target, result)(images, *map(_typed, operands))

  return dispatch.run(
    f'corrupt_{name}',
    images,
    *operands,
    reference=refer,
    call=call,
    implementation=implementation,
  )


def _typed(operand: Array) -> Array:
  real = jnp.issubdtype(operand.dtype, jnp.floating)
  return operand.astype(jnp.result_type(float)) if real else operand
