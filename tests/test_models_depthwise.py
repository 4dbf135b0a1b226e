"""Depthwise convolution: one result on every platform, and padding rules."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj.models import depthwise, layers
from rcj.models.padding import amounts


def data(side=9, channels=5, size=3):
  rs = np.random.RandomState(0)
  x = jnp.asarray(rs.randn(4, side, side, channels), jnp.float32)
  return x, jnp.asarray(rs.randn(size, size, 1, channels), jnp.float32)


def grouped(x, kernel, stride, padding):
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    padding,
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    feature_group_count=x.shape[-1],
  )


def value_and_gradients(x, kernel, stride, padding):
  """The sum over shifts, and what cos of its value pulls back, in float64."""
  padded = np.pad(np.float64(x), [(0, 0), *padding, (0, 0)])
  kernel, size = np.float64(kernel), len(kernel)
  reach = padded.shape[1] - size + 1
  along = [slice(a, a + reach, stride) for a in range(size)]
  shifts = [
    (a, b, np.s_[:, along[a], along[b]])
    for a in range(size)
    for b in range(size)
  ]
  y = sum(padded[at] * kernel[a, b, 0] for a, b, at in shifts)
  pulled, back, of_kernel = np.cos(y), np.zeros_like(padded), kernel.copy()
  for a, b, at in shifts:
    back[at] += pulled * kernel[a, b, 0]
    of_kernel[a, b, 0] = (padded[at] * pulled).sum((0, 1, 2))
  (top, _), (left, _) = padding
  rows, columns = np.s_[top : top + x.shape[1]], np.s_[left : left + x.shape[2]]
  return y, back[:, rows, columns], of_kernel


@pytest.mark.parametrize(
  ('stride', 'rule'), [(1, 'torch'), (2, 'torch'), (2, 'tf')]
)
@pytest.mark.parametrize('size', [3, 5])
@pytest.mark.parametrize('side', [1, 8, 9])
def test_equals_the_sum_over_shifts(side, size, stride, rule):
  x, kernel = data(side, size=size)
  padding = amounts(rule, (side, side), size, stride)

  @jax.jit
  def mine(x, kernel):
    run = functools.partial(depthwise.convolve, stride=stride, padding=padding)
    y, pull = jax.vjp(run, x, kernel)
    return y, *pull(jnp.cos(y))

  want = value_and_gradients(x, kernel, stride, padding)
  for a, b in zip(mine(x, kernel), want, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_bfloat16_sums_in_float32():
  x, kernel = data(channels=16, size=5)
  low = (x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16))
  padding = ((2, 2), (2, 2))
  exact = grouped(*(v.astype(jnp.float32) for v in low), 1, padding)
  got = depthwise.convolve(*low, stride=1, padding=padding)
  assert got.dtype == jnp.bfloat16
  np.testing.assert_array_equal(got, exact.astype(jnp.bfloat16))


def test_a_sharded_batch_stays_where_it_is():
  mesh = jax.make_mesh((4,), ('data',), (jax.sharding.AxisType.Auto,))
  x, kernel = data()
  x = jax.device_put(x, jax.NamedSharding(mesh, jax.P('data')))
  kernel = jax.device_put(kernel, jax.NamedSharding(mesh, jax.P()))
  run = jax.jit(
    lambda x, k: depthwise.convolve(x, k, stride=1, padding=((1, 1), (1, 1)))
  )
  text = run.lower(x, kernel).compile().as_text()
  assert 'all-gather' not in text
  assert 'all-to-all' not in text


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('size', [1, 3, 5, 7])
@pytest.mark.parametrize('side', [1, 2, 5, 8, 112])
def test_tf_padding_is_same(side, size, stride):
  want = jax.lax.padtype_to_pads((side,), (size,), (stride,), 'SAME')
  assert amounts('tf', (side, side), size, stride) == (want[0],) * 2
  half = (size // 2, size // 2)
  assert amounts('torch', (side, side), size, stride) == (half, half)


@pytest.mark.parametrize(
  'layer',
  [
    layers.Conv(4, 3, 2, padding='tf', bias=True),
    layers.DepthwiseConv(3, 2, padding='tf', bias=True),
  ],
)
def test_bias_is_added_and_starts_at_zero(layer):
  x = jnp.asarray(np.random.RandomState(0).randn(2, 8, 8, 4), jnp.float32)
  params = layer.init(jax.random.key(0), x)['params']
  np.testing.assert_array_equal(params['bias'], 0.0)
  plain = layer.apply({'params': params}, x)
  bias = np.arange(4.0, dtype=np.float32)
  moved = layer.apply({'params': {**params, 'bias': bias}}, x)
  assert plain.shape == (2, 4, 4, 4)
  np.testing.assert_allclose(moved, np.asarray(plain) + bias, atol=1e-5)
