"""Selection by every implementation: the entries that sorting would keep."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import native, topk
from rcj.ops import select

# Beside whole vectors and pieces of threads; one of them over several pieces.
SIZES = (1, 7, 8, 17, 70_001, 0, 65_536)
KINDS = ('normal', 'ties', 'equal', 'wide', 'special', 'bits', 'dormant')

IMPLEMENTATIONS = native.implementations()
largest = jax.jit(select.largest, static_argnames='implementation')


def values(rng, kind, size):
  if kind == 'equal':
    return np.full(size, -2.5, np.float32)
  if kind == 'special':
    tiny = np.float32(1e-45)
    few = [0.0, -0.0, np.inf, -np.inf, tiny, -tiny, 3.4028235e38, -3.4028235e38]
    return rng.choice(np.asarray(few, np.float32), size)
  if kind == 'bits':  # any float that is a number
    x = rng.integers(0, 2**32, size, dtype=np.uint32).view(np.float32)
    return np.where(np.isnan(x), np.float32(0), x)
  x = rng.normal(size=size)
  if kind == 'ties':
    x = np.round(4 * x) / 4
  elif kind == 'wide':
    x = x * 10.0 ** rng.integers(-44, 38, size)
  elif kind == 'dormant':
    x = np.where(rng.random(size) < 0.9, -np.inf, x)
  return x.astype(np.float32)


def expected(leaves, k):
  """What stays, by a stable sort of all together or of each."""
  if np.ndim(k):
    return [expected([x], n)[0] for x, n in zip(leaves, k, strict=True)]
  flat = np.concatenate([x.ravel() for x in leaves])
  order = np.argsort(flat, kind='stable')
  order = order[flat[order] > -np.inf]
  stays = np.zeros(flat.size, bool)
  stays[order[max(len(order) - max(k, 0), 0) :]] = True
  parts = np.split(stays, np.cumsum([x.size for x in leaves])[:-1])
  return [part.reshape(x.shape) for part, x in zip(parts, leaves, strict=True)]


def assert_same(found, expected):
  for a, b in zip(found, expected, strict=True):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
@pytest.mark.parametrize('kind', KINDS)
def test_the_kernel_keeps_what_sorting_keeps(kind, implementation):
  rng = np.random.default_rng(KINDS.index(kind))
  leaves = [values(rng, kind, size) for size in SIZES]
  n = sum(SIZES)
  each = [int(rng.integers(size + 2)) for size in SIZES]
  for k in (-1, 0, 1, n // 10, int(rng.integers(n)), n - 1, n, n + 9, each):
    found = largest(leaves, np.int32(k), implementation=implementation)
    assert_same(found, expected(leaves, k))


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
@pytest.mark.parametrize('kind', ['normal', 'ties', 'fooled'])
def test_of_many_values_a_sample_is_seen_first(kind, implementation):
  """Also where what is in the sample is unlike the rest."""
  rng = np.random.default_rng(5)
  n = 600_000
  x = values(rng, 'ties' if kind == 'ties' else 'normal', n)
  if kind == 'fooled':
    x[:: (n // 2**15) | 1] = -9
  for k in (1, n // 1000, n // 2, n - 1):
    found = largest([x], np.int32(k), implementation=implementation)
    assert_same(found, expected([x], k))


@pytest.mark.parametrize('implementation', ['reference', *IMPLEMENTATIONS])
def test_half_precision_matrices_and_batches(implementation):
  rng = np.random.default_rng(3)
  x = jnp.asarray(rng.normal(size=(3, 5, 40)), jnp.bfloat16)
  k = jnp.int32([3, 0, 70])

  def marks(x, k):
    return select.largest([x, -x], k, implementation=implementation)

  found = jax.jit(jax.vmap(marks))(x, k)
  wide = np.asarray(x.astype(jnp.float32))
  for i in range(3):
    alone = [part[i] for part in found]
    assert_same(alone, expected([wide[i], -wide[i]], int(k[i])))


def test_selected_values_have_a_gradient_and_selecting_has_none():
  x = jnp.asarray([3.0, -1.0, 2.0, 5.0])

  def total(x):
    (marks,) = select.largest([x], jnp.int32(2))
    return jnp.sum(jnp.where(marks, x, 0) ** 2)

  np.testing.assert_array_equal(jax.grad(total)(x), [6, 0, 0, 10])


def test_the_reference_is_the_default_elsewhere():
  traced = jax.jit(select.largest).trace([jnp.ones(9)], jnp.int32(3))
  texts = {
    platform: traced.lower(lowering_platforms=(platform,)).as_text()
    for platform in ('cpu', 'tpu', 'cuda')
  }
  assert ('@rcj_select_' in texts['cpu']) == native.available()
  for platform in ('tpu', 'cuda'):
    assert 'custom_call @rcj' not in texts[platform]


def test_devices_that_hold_all_values_exchange_nothing():
  mesh = jax.make_mesh((4,), ('data',), (jax.sharding.AxisType.Auto,))
  whole = jax.NamedSharding(mesh, jax.P())
  x = jax.device_put(jnp.arange(700.0).reshape(7, 100) % 13, whole)

  def select_both(x, k):
    return select.largest([x, -x], k)

  compiled = jax.jit(select_both).lower(x, jnp.int32(99)).compile()
  text = compiled.as_text()
  assert ('rcj_select' in text) == native.available()
  for collective in ('all-gather', 'all-reduce', 'all-to-all', 'permute'):
    assert collective not in text
  found = compiled(x, jnp.int32(99))
  assert_same(found, topk.largest([x, -x], jnp.int32(99)))


@pytest.mark.skipif(not native.available(), reason='no native kernels')
def test_what_does_not_fit_is_refused():
  call = jax.ffi.ffi_call(
    native.target('select'), [jax.ShapeDtypeStruct((3,), np.bool_)] * 2
  )
  three = np.zeros(3, np.float32)
  for k, leaves, message in (
    ([1, 2, 3], (three, three), 'one count or one per array'),
    ([1], (three,), '1 arrays and 2 masks'),
    ([1], (three, np.zeros(4, np.float32)), 'not so number 1'),
    ([1], (three.astype(np.int32), three), 'not so number 0'),
  ):
    with pytest.raises(jax.errors.JaxRuntimeError, match=message):
      call(np.int32(k), *leaves)
