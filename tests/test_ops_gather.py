"""Products with rows asked for by number, by every implementation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import native
from rcj.ops import gather

IMPLEMENTATIONS = ['reference', *native.implementations()]
# R, M, D, K: beside whole vectors, fours of rows, and pieces of threads.
SHAPES = [(1, 1, 1, 1), (3, 20, 5, 7), (2, 300, 128, 1030), (5, 9, 67, 4100)]


def problem(shape, dtype=jnp.float32, seed=0):
  R, M, D, K = shape
  rng = np.random.default_rng(seed)
  x = rng.normal(size=(R, D)).astype(np.float32)
  table = jnp.asarray(rng.normal(size=(M, D)), dtype)
  numbers = rng.integers(-2, M + 3, (R, K)).astype(np.int32)
  slope = rng.normal(size=(R, K)).astype(np.float32)
  return x, table, numbers, slope


@jax.jit(static_argnames='implementation')
def both(x, table, numbers, slope, *, implementation=None):
  """Products, and the gradient of their sum weighted by `slope`."""

  def dot(x):
    return gather.dot(x, table, numbers, implementation=implementation)

  products, pull = jax.vjp(dot, x)
  return products, pull(slope)[0]


def expected(x, table, numbers, slope):
  """Both in float64, and how large their terms are."""
  wide = np.asarray(table.astype(jnp.float32), np.float64)
  rows = wide[np.clip(numbers, 0, len(wide) - 1)]
  products = np.einsum('rd,rkd->rk', x, rows)
  return products, np.einsum('rk,rkd->rd', slope, rows)


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('shape', SHAPES)
def test_products_and_their_gradient(shape, dtype, implementation):
  given = problem(shape, dtype)
  found = both(*given, implementation=implementation)
  for a, b in zip(found, expected(*given), strict=True):
    assert a.dtype == jnp.float32
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-5 * np.abs(b).max())


def test_the_reference_in_blocks_gives_the_same(monkeypatch):
  given = problem((6, 50, 8, 30))
  whole = both(*given, implementation='reference')
  monkeypatch.setattr(gather, '_BLOCK', 2 * 50)
  assert gather.block_rows(6, 50) == 2
  in_blocks = jax.jit(
    lambda *args: both.__wrapped__(*args, implementation='reference')
  )
  assert 'while' in in_blocks.lower(*given).as_text()
  for a, b in zip(in_blocks(*given), whole, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
def test_batches(implementation):
  parts = [problem((3, 20, 16, 7), seed=seed) for seed in (1, 2)]
  x, table, numbers, slope = (np.stack(p) for p in zip(*parts, strict=True))

  def some(x, numbers, slope):
    return both(x, table[0], numbers, slope, implementation=implementation)

  found = jax.vmap(some)(x, numbers, slope)
  for i in range(2):
    alone = some(x[i], numbers[i], slope[i])
    for a, b in zip(found, alone, strict=True):
      np.testing.assert_allclose(a[i], b, rtol=1e-6, atol=1e-6)


def test_the_table_is_a_constant():
  x, table, numbers, _ = problem((3, 20, 5, 7))

  def total(table):
    return jnp.sum(gather.dot(x, table, numbers))

  np.testing.assert_array_equal(jax.grad(total)(table), np.zeros((20, 5)))


def test_the_reference_is_the_default_elsewhere():
  traced = jax.jit(gather.dot).trace(*problem((3, 20, 5, 7))[:3])
  texts = {
    platform: traced.lower(lowering_platforms=(platform,)).as_text()
    for platform in ('cpu', 'tpu', 'cuda')
  }
  assert ('@rcj_gather_dot_' in texts['cpu']) == native.available()
  for platform in ('tpu', 'cuda'):
    assert 'custom_call @rcj' not in texts[platform]


@pytest.mark.skipif(not native.available(), reason='no native kernels')
def test_what_does_not_fit_is_refused():
  x, table, numbers, slope = problem((3, 20, 5, 7))
  for name, operands, shape in (
    ('gather_dot', (x[:, :4], table, numbers), (3, 7)),
    ('gather_dot', (x, table[:0], numbers), (3, 7)),
    ('gather_dot', (x, table, numbers), (3, 8)),
    ('gather_sum', (slope[:2], table, numbers), (3, 5)),
    ('gather_sum', (slope, table.astype(jnp.float16), numbers), (3, 5)),
  ):
    result = jax.ShapeDtypeStruct(shape, np.float32)
    call = jax.ffi.ffi_call(native.target(name), result)
    with pytest.raises(jax.errors.JaxRuntimeError, match=f'{name}: expected'):
      call(*operands)
