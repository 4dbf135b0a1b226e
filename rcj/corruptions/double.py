"""Arithmetic as numpy does it, for values that are truncated on an integer.

Where the benchmark computes in float64, so do these corruptions: their `apply`
is traced with 64-bit types enabled, as `rcj.corruptions.dispatch` does.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, UInt8

_UNIT = np.arange(256) / 255


def unit(
  images: UInt8[Array, '*shape'],
) -> Float64[Array, '*shape']:
  """Images in 0..1.

  Read from a table: XLA would multiply by 1/255, which is not the same number.
  """
  return jnp.asarray(_UNIT)[images.astype(jnp.int32)]


def rounded(product: Float[Array, '*shape']) -> Float[Array, '*shape']:
  """A product that the compiler must round before it is added to anything.

  Numpy rounds products, while XLA contracts `a * b + c` to a fused
  multiply-add. The bound is never reached, but no compiler can know that.
  """
  return jnp.minimum(product, jnp.asarray(1e9, product.dtype))


def scaled(
  images: Float[Array, '*shape'],
) -> Float[Array, '*shape']:
  """Images in 0..1, clipped there, to 0..255."""
  return jnp.clip(images, 0, 1) * jnp.asarray(255, images.dtype)
