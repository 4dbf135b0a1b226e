"""Rounding to 8-bit integers, against torch's, and its gradient."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj.ops import affine, int8


@pytest.fixture(scope='module')
def z():
  from conftest import GOLDEN

  with np.load(GOLDEN / 'compress/quant_conv.npz') as file:
    return dict(file)


def ours(kernel):
  """OIHW of torch as HWIO."""
  return kernel.transpose(2, 3, 1, 0)


def nhwc(x):
  return x.transpose(0, 2, 3, 1)


@pytest.mark.parametrize(
  ('name', 'lowest', 'per_channel'),
  [('pc_default', -128, True), ('pc_127', -127, True), ('pt', -128, False)],
)
def test_kernels_round_as_in_torch(z, name, lowest, per_channel):
  w = jnp.asarray(ours(z['w']))
  scale = affine.kernel_scale(w, lowest=lowest, per_channel=per_channel)
  expected = np.broadcast_to(z[f'w_{name}_scale'], scale.shape)
  np.testing.assert_array_equal(scale, expected.astype(np.float32))
  found = affine.quantize_kernel(w, scale, lowest=lowest)
  assert found.dtype == jnp.int8
  np.testing.assert_array_equal(found, ours(z[f'w_{name}_int']))


@pytest.mark.parametrize(
  ('name', 'integers', 'levels'),
  [('x', 'x_int', 255), ('x_reduced', 'x_reduced_int_fullclamp', 127)],
)
def test_activations_round_as_in_torch(z, name, integers, levels):
  low, high = (jnp.float32(z[f'cal_{end}']) for end in ('min', 'max'))
  steps = affine.affine(low, high, levels=levels)
  np.testing.assert_allclose(steps['scale'], z[f'{name}_scale'][0], rtol=1e-7)
  assert steps['zero'] == z[f'{name}_zp'][0]
  found = affine.quantize(jnp.asarray(z['x']), **steps)
  assert found.dtype == jnp.uint8
  np.testing.assert_array_equal(found, z[integers])
  if name == 'x':
    back = affine.dequantize(found, **steps)
    np.testing.assert_allclose(back, z['x_deq'], rtol=1e-6)


@pytest.mark.parametrize('name', ['full', 'reduced'])
def test_sums_and_their_rounding_are_those_of_fbgemm(z, name):
  key, integers = {
    'full': ('x', 'x_int'),
    'reduced': ('x_reduced', 'x_reduced_int_fullclamp'),
  }[name]
  pad, stride = int(z['pad']), int(z['stride'])
  sums = int8.convolve(
    jnp.asarray(nhwc(z[integers])),
    jnp.asarray(ours(z['w_pc_default_int'])),
    jnp.int32(z[f'{key}_zp'][0]),
    stride=stride,
    padding=((pad, pad),) * 2,
  )
  np.testing.assert_array_equal(sums, nhwc(z[f'acc_{name}']))
  scale = np.float32(z[f'{key}_scale'][0]) * z['w_pc_default_scale']
  scale, bias = (x.astype('f').reshape(1, 1, 1, -1) for x in (scale, z['b']))
  y = sums * scale + bias
  np.testing.assert_allclose(y, nhwc(z[f'y_{name}']), atol=1e-5)
  if name == 'reduced':
    out = {
      'scale': jnp.float32(z['out_scale'].item()),
      'zero': jnp.int32(z['out_zp'].item()),
    }
    np.testing.assert_array_equal(
      affine.quantize(y, **out), nhwc(z['y_reduced_torch_fbgemm_uint8'])
    )


@pytest.mark.parametrize(
  ('low', 'high'), [(-1.3, 2.1), (0.0, 6.0), (0.5, 0.7), (-3.0, -1.0), (0, 0)]
)
def test_zero_is_kept_and_the_range_is_covered(low, high):
  steps = affine.affine(jnp.float32(low), jnp.float32(high))
  x = jnp.linspace(min(low, 0), max(high, 0), 1001, dtype=jnp.float32)
  found = affine.fake(x, **steps)
  assert affine.fake(jnp.zeros(1), **steps)[0] == 0
  # Half a step, and up to another where the zero point was rounded.
  assert np.abs(found - x).max() <= 1.001 * steps['scale']
  np.testing.assert_array_equal(found, affine.fake(found, **steps))
  np.testing.assert_array_equal(
    found, affine.dequantize(affine.quantize(x, **steps), **steps)
  )


def test_gradients_go_straight_through_but_not_beyond_the_range():
  steps = affine.affine(jnp.float32(-1.0), jnp.float32(2.0))
  x = jnp.array([-5.0, -1.0, -0.3, 0.0, 1.234, 2.0, 2.5])
  upstream = jnp.arange(1.0, 8.0)
  _, pull = jax.vjp(lambda x: affine.fake(x, **steps), x)
  inside = np.array([0, 1, 1, 1, 1, 1, 0])
  np.testing.assert_array_equal(pull(upstream)[0], upstream * inside)


def test_kernels_get_the_gradient_of_what_they_stand_for():
  rs = np.random.RandomState(0)
  kernel = jnp.asarray(rs.randn(3, 3, 4, 5), jnp.float32).at[0, 0, 1].set(0)
  found, pull = jax.vjp(affine.fake_kernel, kernel)
  upstream = jnp.asarray(rs.randn(3, 3, 4, 5), jnp.float32)
  np.testing.assert_array_equal(pull(upstream)[0], upstream)
  scale = affine.kernel_scale(kernel).reshape(1, 1, 1, -1)
  np.testing.assert_array_equal(
    found, affine.quantize_kernel(kernel, scale.ravel()) * scale
  )
  assert (np.abs(found - kernel) <= 0.5001 * scale).all()
  assert (found[0, 0, 1] == 0).all()
