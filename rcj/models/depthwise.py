"""Depthwise convolution, in the form that each platform is fast at."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rcj.models.padding import Amounts

Images = Float[Array, 'N H W C']
Kernel = Float[Array, 'k k 1 C']


def convolve(
  x: Images, kernel: Kernel, *, stride: int, padding: Amounts
) -> Float[Array, 'N h w C']:
  """Every channel of `x` correlated with its own k x k kernel.

  On the CPU as k * k shifted multiply-adds, summed in float32: XLA's grouped
  convolution is an order of magnitude slower there (BUILD_NOTES.md).

  Args:
    x: images.
    kernel: one input channel per output channel.
    stride: of both axes.
    padding: zeros before and after each axis.
  """

  def shifted(x, kernel):
    return _shifted(x, kernel, stride, padding)

  def grouped(x, kernel):
    return _grouped(x, kernel, stride, padding)

  return jax.lax.platform_dependent(x, kernel, cpu=shifted, default=grouped)


def _shifted(
  x: Images, kernel: Kernel, stride: int, padding: Amounts
) -> Float[Array, 'N h w C']:
  x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
  wide = kernel.astype(jnp.float32)
  products = (
    window.astype(jnp.float32) * wide[i, j].reshape(1, 1, 1, -1)
    for (i, j), window in _windows(x, kernel.shape[0], stride)
  )
  return sum(products).astype(x.dtype)


def _windows(
  x: Images, size: int, stride: int
) -> Iterator[tuple[tuple[int, int], Float[Array, 'N h w C']]]:
  """The pixels under each tap (i, j) of the kernel, for all outputs."""
  n, height, width, c = x.shape
  for i in range(size):
    for j in range(size):
      stop = (n, height - size + i + 1, width - size + j + 1, c)
      yield (
        (i, j),
        jax.lax.slice(x, (0, i, j, 0), stop, (1, stride, stride, 1)),
      )


def _grouped(
  x: Images, kernel: Kernel, stride: int, padding: Amounts
) -> Float[Array, 'N h w C']:
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    window_strides=(stride, stride),
    padding=padding,
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    feature_group_count=x.shape[-1],
  )
