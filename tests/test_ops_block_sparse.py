"""Block-sparse products against NumPy's of the whole matrix."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import topologies
from jax.experimental.pallas import tpu as pltpu

from rcj import masks
from rcj.ops import block_sparse

IMPLEMENTATIONS = ('reference', 'gathered', 'pallas')
# A row and a column of blocks without any live one.
LIVE = np.array([[1, 0, 0, 1], [0, 0, 0, 0], [1, 0, 1, 0]], bool)


def whole(live, side):
  return np.repeat(np.repeat(live, side, 0), side, 1)


def drawn(live, side, m=37):
  rng = np.random.default_rng(0)
  mask = whole(live, side)
  matrix = rng.normal(size=mask.shape).astype(np.float32) * mask
  x = rng.normal(size=(m, len(mask))).astype(np.float32)
  dy = rng.normal(size=(m, mask.shape[1])).astype(np.float32)
  return x, matrix, dy, block_sparse.pattern(mask, side=side)


def running(implementation):
  """A kernel for a TPU is interpreted here; memory begins as NaN."""
  if implementation != 'pallas':
    return contextlib.nullcontext()
  return pltpu.force_tpu_interpret_mode()


@functools.partial(jax.jit, static_argnums=0)
def with_gradients(implementation, x, values, at, dy):
  y, back = jax.vjp(
    lambda x, values: block_sparse.matmul(
      x, values, at, implementation=implementation
    ),
    *(x, values),
  )
  return y, *back(dy)


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
def test_product_and_gradients_are_those_of_the_whole_matrix(implementation):
  x, matrix, dy, at = drawn(LIVE, 32)
  values = block_sparse.pack(matrix, at)
  with running(implementation):
    y, dx, dvalues = with_gradients(implementation, x, values, at, dy)
  assert values.shape == (4, 32, 32)
  np.testing.assert_array_equal(block_sparse.unpack(values, at), matrix)
  np.testing.assert_allclose(y, x @ matrix, atol=1e-4)
  np.testing.assert_allclose(dx, dy @ matrix.T, atol=1e-4)
  expected = (x.T @ dy) * whole(LIVE, 32)
  found = block_sparse.unpack(dvalues, at)
  np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_kernel_adds_up_several_tiles_of_examples(monkeypatch):
  monkeypatch.setattr(block_sparse.block_kernel, '_TILE', 32 * 128)
  x, matrix, dy, at = drawn(LIVE, 32, m=300)
  values = block_sparse.pack(matrix, at)
  with running('pallas'):
    y, dx, dvalues = with_gradients('pallas', x, values, at, dy)
  np.testing.assert_allclose(y, x @ matrix, atol=1e-4)
  np.testing.assert_allclose(dx, dy @ matrix.T, atol=1e-4)
  expected = (x.T @ dy) * whole(LIVE, 32)
  found = block_sparse.unpack(dvalues, at)
  np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
def test_products_of_bfloat16_are_summed_in_float32(implementation):
  x, matrix, dy, at = drawn(LIVE, 32)
  x, dy = x.astype(jnp.bfloat16), dy.astype(jnp.bfloat16)
  values = block_sparse.pack(matrix, at)
  with running(implementation):
    y, dx, dvalues = with_gradients(implementation, x, values, at, dy)
  assert (y.dtype, dx.dtype) == (x.dtype, x.dtype)
  assert dvalues.dtype == np.float32
  x, dy = x.astype(np.float32), dy.astype(np.float32)
  rounded = matrix.astype(jnp.bfloat16).astype(np.float32)
  half = 2**-8  # of a result's last place, relative to it
  np.testing.assert_allclose(y, x @ rounded, rtol=half, atol=1e-4)
  np.testing.assert_allclose(dx, dy @ rounded.T, rtol=half, atol=1e-4)
  expected = (x.T @ dy) * whole(LIVE, 32)
  found = block_sparse.unpack(dvalues, at)
  np.testing.assert_allclose(found, expected, atol=1e-4)


def test_another_pattern_of_as_many_blocks_needs_no_other_program():
  f = jax.jit(block_sparse.matmul)
  for live in (LIVE, np.roll(LIVE, 1, 1)):
    x, matrix, _, at = drawn(live, 32)
    y = f(x, block_sparse.pack(matrix, at), at)
    np.testing.assert_allclose(y, x @ matrix, atol=1e-4)
  assert f._cache_size() == 1


def test_leading_axes_stay():
  x, matrix, _, at = drawn(LIVE, 32, m=6)
  y = block_sparse.matmul(
    x.reshape(2, 3, -1), block_sparse.pack(matrix, at), at
  )
  np.testing.assert_allclose(y, (x @ matrix).reshape(2, 3, -1), atol=1e-4)


@pytest.mark.parametrize('side', [32, 128])
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_tpus_get_the_kernel_and_others_do_not(side, dtype):
  x, matrix, dy, at = drawn(LIVE, side, m=300)
  values = block_sparse.pack(matrix, at)
  operands = x.astype(dtype), values, at, dy.astype(dtype)
  traced = with_gradients.trace(None, *operands)
  kernels = {
    platform: traced.lower(lowering_platforms=(platform,))
    .as_text()
    .count('tpu_custom_call')
    for platform in ('tpu', 'cuda', 'cpu')
  }
  assert kernels == {'tpu': 3, 'cuda': 0, 'cpu': 0}


@pytest.mark.parametrize('platform', ['cuda', 'cpu'])
def test_few_blocks_are_gathered_and_many_made_whole(platform):
  """At most a fifth of them; then the whole matrix is never made."""
  for live, whole_is_made in ((LIVE, True), (np.eye(5, dtype=bool), False)):
    x, matrix, dy, at = drawn(live, 32)
    values = block_sparse.pack(matrix, at)
    traced = with_gradients.trace(None, x, values, at, dy)
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    rows, columns = matrix.shape
    assert (f'tensor<{rows}x{columns}xf32>' in text) == whole_is_made


def test_a_pattern_of_a_mask_has_its_blocks():
  mask = masks.keep_blocks(
    {'kernel': jax.random.normal(jax.random.key(0), (3, 3, 32, 64))},
    side=32,
    density=0.5,
  )['kernel']
  matrix = mask.reshape(-1, 64)
  at = block_sparse.pattern(matrix, side=32)
  assert len(at.rows) == 9
  np.testing.assert_array_equal(
    block_sparse.unpack(jnp.ones((9, 32, 32)), at), matrix
  )


@pytest.mark.parametrize(
  ('mask', 'said'),
  [
    (np.ones((32, 33), bool), '32 x 32 blocks'),
    (np.ones((3, 3, 32, 32), bool), r'\[h \* w \* in, out\]'),
    (np.zeros((64, 32), bool), 'every block is dead'),
  ],
)
def test_masks_without_blocks_are_refused(mask, said):
  with pytest.raises(ValueError, match=said):
    block_sparse.pattern(mask, side=32)


def test_arguments_that_do_not_fit_are_refused():
  x, matrix, _, at = drawn(LIVE, 32)
  values = block_sparse.pack(matrix, at)
  for wrong in ((x[:, :64], values), (x, values[1:])):
    with pytest.raises(ValueError, match='a pattern of 4 blocks of 32 x 32'):
      block_sparse.matmul(*wrong, at)
  with pytest.raises(ValueError, match="no implementation 'native'"):
    block_sparse.matmul(x, values, at, implementation='native')


@pytest.mark.parametrize('side', [32, 128])
def test_the_compiler_of_tpus_takes_the_kernels(side):
  """Only where libtpu is installed; it needs no TPU."""
  pytest.importorskip('libtpu')
  chips = topologies.get_topology_desc(
    platform='tpu', topology_name='v5e:2x2'
  ).devices
  x, matrix, dy, at = drawn(LIVE, side, m=5000)
  values = block_sparse.pack(matrix, at)
  where = jax.sharding.SingleDeviceSharding(chips[0])
  operands = jax.tree.map(
    lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=where),
    (x.astype(jnp.bfloat16), values, at, dy.astype(jnp.bfloat16)),
  )
  text = with_gradients.lower(None, *operands).compile().as_text()
  assert text.count('tpu_custom_call') == 3
