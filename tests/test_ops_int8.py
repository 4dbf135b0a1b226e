"""Sums of 8-bit integers: exact on every platform's path, borders, zeros."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj.ops import int8

PLATFORMS = ('cpu', 'cuda', 'tpu')


def drawn(shape, kernel_shape, seed=0, *, extreme=False):
  rs = np.random.RandomState(seed)
  if extreme:
    return np.full(shape, 255, np.uint8), np.full(kernel_shape, -128, np.int8)
  x = rs.randint(0, 256, shape).astype(np.uint8)
  return x, rs.randint(-128, 128, kernel_shape).astype(np.int8)


def correlated(x, kernel, zero, *, stride, padding, groups=1):
  """The definition, in int64."""
  x = np.pad(x.astype(np.int64) - zero, ((0, 0), *padding, (0, 0)))
  size = kernel.shape[0]
  windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
  windows = windows[:, ::stride, ::stride]
  if groups > 1:
    return np.einsum('npqcij,ijc->npqc', windows, kernel[:, :, 0].astype(int))
  return np.einsum('npqcij,ijcd->npqd', windows, kernel.astype(int))


@pytest.mark.parametrize(
  ('channels', 'size', 'stride', 'padding', 'extreme'),
  [
    (3, 3, 2, ((0, 1), (1, 1)), False),
    (60, 3, 1, ((1, 1), (1, 1)), False),
    # More products than float32 sums exactly at a time.
    (130, 3, 1, ((1, 1), (1, 1)), True),
    (600, 1, 2, ((0, 0), (0, 0)), True),
  ],
)
@pytest.mark.parametrize('zero', [0, 7, 255])
def test_convolution_is_exact(channels, size, stride, padding, extreme, zero):
  x, kernel = drawn(
    (2, 6, 6, channels), (size, size, channels, 4), extreme=extreme
  )
  how = {'stride': stride, 'padding': padding}
  found = int8.convolve(x, kernel, jnp.int32(zero), **how)
  assert found.dtype == jnp.int32
  np.testing.assert_array_equal(found, correlated(x, kernel, zero, **how))


@pytest.mark.parametrize('zero', [0, 7, 255])
@pytest.mark.parametrize('channels', [5, 515, 2000])
def test_products_of_matrices_are_exact(channels, zero):
  for extreme in (False, True):
    x, kernel = drawn((3, channels), (channels, 4), extreme=extreme)
    found = int8.dot(x, kernel, jnp.int32(zero))
    expected = (x.astype(np.int64) - zero) @ kernel.astype(np.int64)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('stride', [1, 2])
def test_depthwise_convolution_is_exact(stride):
  x, kernel = drawn((2, 7, 6, 5), (3, 3, 1, 5))
  how = {'stride': stride, 'padding': ((1, 1), (0, 1))}
  found = int8.depthwise(x, kernel, jnp.int32(9), **how)
  expected = correlated(x, kernel, 9, groups=5, **how)
  np.testing.assert_array_equal(found, expected)


def test_other_platforms_sum_integers(monkeypatch):
  """Their path runs here too, slowly."""

  def default(*operands, cpu, default):
    del cpu
    return default(*operands)

  monkeypatch.setattr(jax.lax, 'platform_dependent', default)
  x, kernel = drawn((2, 6, 6, 70), (3, 3, 70, 4), seed=1)
  how = {'stride': 2, 'padding': ((1, 1), (0, 1))}
  for zero in (0, 100, 255):
    found = int8.convolve(x, kernel, jnp.int32(zero), **how)
    np.testing.assert_array_equal(found, correlated(x, kernel, zero, **how))
    found = int8.dot(x[0, 0], kernel[0, 0], jnp.int32(zero))
    expected = (x[0, 0].astype(int) - zero) @ kernel[0, 0].astype(int)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('platform', PLATFORMS)
def test_lowers_to_integers_but_on_the_cpu(platform):
  specs = (
    jax.ShapeDtypeStruct((2, 8, 8, 16), jnp.uint8),
    jax.ShapeDtypeStruct((3, 3, 16, 8), jnp.int8),
    jax.ShapeDtypeStruct((), jnp.int32),
  )

  def convolve(*operands):
    return int8.convolve(*operands, stride=1, padding=((1, 1), (1, 1)))

  traced = jax.jit(convolve).trace(*specs)
  text = traced.lower(lowering_platforms=(platform,)).as_text()
  convolutions = [x for x in text.splitlines() if 'convolution(' in x]
  assert len(convolutions) == 1
  integers = 'tensor<3x3x16x8xi8>' in convolutions[0]
  assert integers == (platform != 'cpu')


def test_a_kernel_beyond_exact_sums_is_refused():
  x, kernel = drawn((1, 30, 30, 1), (23, 23, 1, 1))
  with pytest.raises(ValueError, match='at most 514 taps'):
    int8.convolve(x, kernel, jnp.int32(0), stride=1, padding=((0, 0), (0, 0)))
