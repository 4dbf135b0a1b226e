"""Counter-based random numbers, by every implementation."""

import jax
import numpy as np
import pytest
from scipy import stats

from rcj import native
from rcj.ops import random

# Known answers of Philox 4x32-10, from the tests of Random123
# (https://github.com/DEShawResearch/random123): counter, key, result.
KNOWN = [
  ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
  (
    (0xFFFFFFFF,) * 4,
    (0xFFFFFFFF,) * 2,
    (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
  ),
  (
    (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
    (0xA4093822, 0x299F31D0),
    (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
  ),
]


@pytest.mark.parametrize(('counter', 'key', 'expected'), KNOWN)
def test_reference_is_philox(counter, key, expected):
  words = [np.array([w], np.uint32) for w in (*counter, *key)]
  found = random._philox(words[:4], *words[4:])
  assert [int(w[0]) for w in found] == list(expected)


@pytest.mark.parametrize('implementation', native.implementations())
@pytest.mark.parametrize('count', [1, 63, 64, 200])
def test_native_equals_reference(implementation, count):
  keys = jax.random.split(jax.random.key(3), 5)
  how = {'stream': 7}
  expected = random.bits(keys, count, implementation='reference', **how)
  found = random.bits(keys, count, implementation=implementation, **how)
  np.testing.assert_array_equal(found, expected)
  assert found.shape == (5, count)


def test_key_and_stream_decide():
  keys = jax.random.split(jax.random.key(3), 2)
  found = np.asarray(random.bits(keys, 100))
  assert (found[0] != found[1]).all()
  assert (found != np.asarray(random.bits(keys, 100, stream=1))).all()
  np.testing.assert_array_equal(random.bits(keys, 10), found[:, :10])
  np.testing.assert_array_equal(random.bits(keys[1], 100), found[1])
  mapped = jax.vmap(lambda k: random.bits(k, 100))(keys)
  np.testing.assert_array_equal(mapped, found)


STATIC = {'static_argnums': 1, 'static_argnames': ('stream', 'implementation')}
bits, uniform, normal = (
  jax.jit(draw, **STATIC)
  for draw in (random.bits, random.uniform, random.normal)
)


def formula(words):
  """Uniform and normal values of words, in float64, as the docstrings say."""
  flat = (words // 512 + 0.5) / 2.0**23
  pairs = flat.reshape(-1, 2, 32)
  radius, angle = np.sqrt(-2 * np.log(pairs[:, 0])), 2 * np.pi * pairs[:, 1]
  bell = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
  return flat, bell.ravel()


@pytest.mark.parametrize(
  'implementation', ['reference', *native.implementations()]
)
def test_uniform_and_normal_values_are_as_stated(implementation):
  key, how = jax.random.key(5), {'implementation': implementation}
  n = 64 * 8000
  flat, bell = formula(np.asarray(bits(key, n), np.uint64))
  np.testing.assert_array_equal(uniform(key, (n,), **how), flat)
  found = np.asarray(normal(key, (n,), **how))
  np.testing.assert_allclose(found, bell, rtol=0, atol=1e-6)
  assert found.dtype == np.float32


def test_extreme_words():
  """0 and 2^32 - 1, and where a quarter of the circle ends."""
  words = np.zeros((2, 64), np.uint32)
  words[0, :32] = words[1, 32:] = 0xFFFFFFFF
  words[1, 32:48] = np.arange(16) << 28
  flat, bell = formula(words)
  np.testing.assert_array_equal(random._uniform(words), flat)
  assert flat.min() == 2.0**-24
  assert flat.max() == 1 - 2.0**-24
  found = random._normal(words)
  np.testing.assert_allclose(found.ravel(), bell, rtol=0, atol=1e-6)


@pytest.mark.parametrize('implementation', native.implementations())
def test_native_values_of_any_shape(implementation):
  """All native kernels give the same bits."""
  keys = jax.random.split(jax.random.key(3), (2, 2))
  how = {'stream': 7}
  for draw in (uniform, normal):
    reference = draw(keys, (70, 61), implementation='reference', **how)
    same = draw(keys, (70, 61), **how)
    found = draw(keys, (70, 61), implementation=implementation, **how)
    assert found.shape == (2, 2, 70, 61)
    np.testing.assert_allclose(found, reference, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found, same)
    for shape in ((1,), (7, 9), (5000,)):
      some = draw(keys[0, 1], shape, implementation=implementation, **how)
      count = min(some.size, found[0, 1].size)
      expected = found[0, 1].ravel()[:count]
      np.testing.assert_array_equal(some.ravel()[:count], expected)


def test_distributions():
  key = jax.random.key(6)
  flat = np.asarray(uniform(key, (200_000,)))
  bell = np.asarray(normal(key, (200_000,), stream=1))
  assert stats.kstest(flat, 'uniform').pvalue > 0.01
  assert stats.kstest(bell, 'norm').pvalue > 0.01
  for values in (flat, bell):
    # Neighbours, and the two that share a radius.
    for lag in (1, 16, 32, 64):
      assert abs(np.corrcoef(values[:-lag], values[lag:])[0, 1]) < 0.01
  squares = bell**2
  assert abs(np.corrcoef(squares[:-32], squares[32:])[0, 1]) < 0.01


@pytest.mark.skipif(not native.available(), reason='no native kernels')
def test_other_shapes_are_refused():
  call = jax.ffi.ffi_call(
    native.target('random_normal'), jax.ShapeDtypeStruct((3, 5), np.float32)
  )
  with pytest.raises(jax.errors.JaxRuntimeError, match=r'normal: keys must be'):
    call(np.zeros((2, 2), np.uint32), stream=np.int64(0))
