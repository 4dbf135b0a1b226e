import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj.checkpoint import opened

REPLICATED = jax.NamedSharding(
  jax.make_mesh((4,), ('data',), (jax.sharding.AxisType.Auto,)), jax.P()
)


def _items():
  key = jax.random.key(0)
  return {
    'params': {'a/kernel': jax.random.normal(key, (3, 5))},
    'state': {'mask': jnp.array([True, False]), 'step': jnp.int32(7)},
    'optimizer': {},
    'other': {'half': jnp.ones(3, jnp.bfloat16) / 3},
  }


@pytest.mark.parametrize('devices', [1, 4])
def test_restores_bit_for_bit_on_any_device_count(tmp_path, devices):
  mesh = jax.make_mesh(
    (devices,),
    ('data',),
    (jax.sharding.AxisType.Auto,),
    devices=jax.devices()[:devices],
  )
  with opened(tmp_path) as checkpoints:
    checkpoints.save(3, jax.device_put(_items(), REPLICATED), {'phase': 2})
  with opened(tmp_path) as checkpoints:
    assert checkpoints.latest() == 3
    items, record = checkpoints.restore(3, jax.NamedSharding(mesh, jax.P()))
  assert record['phase'] == 2
  assert items['optimizer'] == {}
  for item, arrays in _items().items():
    for name, x in arrays.items():
      got = items[item][name]
      assert got.dtype == x.dtype
      assert len(got.sharding.device_set) == devices
      np.testing.assert_array_equal(np.asarray(got), np.asarray(x))


def test_keeps_the_last_two_and_saves_a_number_once(tmp_path):
  with opened(tmp_path) as checkpoints:
    for n in (1, 2, 5, 5):
      checkpoints.save(n, _items(), {'n': n})
    checkpoints.wait()
    assert checkpoints.latest() == 5
    assert checkpoints.record(2)['n'] == 2
  assert not (tmp_path / '1').exists()


def test_empty_directory_has_no_latest(tmp_path):
  with opened(tmp_path / 'new') as checkpoints:
    assert checkpoints.latest() is None
