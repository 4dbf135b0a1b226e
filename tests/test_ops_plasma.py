"""Plasma fractals, by every implementation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from corruption_records import cases, load, replay

from rcj import native
from rcj.ops import plasma as ops

plasma = jax.jit(ops.plasma, static_argnames='implementation')


@pytest.mark.parametrize('implementation', [None, 'reference'])
@pytest.mark.parametrize('case', cases('fog', 32)[::3])
def test_repeats_the_recorded_plasma(case, implementation):
  record = load('corruption_draws_32.json')[case]
  widths = [call['args'][1] for call in record['calls']]
  draws = zip(replay(record), widths, strict=True)
  noise = np.concatenate([(draw / width).ravel() for draw, width in draws])
  decay = np.float32(widths[0] / widths[3])
  how = {'implementation': implementation}
  found = plasma(noise.astype(np.float32), decay, **how)
  recorded = load('corruption_fields_32.npz')[f'{case}|plasma']
  np.testing.assert_allclose(found, recorded, rtol=0, atol=2e-6)


@pytest.mark.parametrize('implementation', native.implementations())
@pytest.mark.parametrize('side', [2, 4, 64])
def test_native_equals_reference(implementation, side):
  rng = np.random.default_rng(side)
  noise = rng.uniform(-1, 1, (2, 3, side**2 - 1)).astype(np.float32)
  decay = rng.uniform(1.1, 3, (2, 3)).astype(np.float32)
  expected = plasma(noise, decay, implementation='reference')
  found = plasma(noise, decay, implementation=implementation)
  np.testing.assert_array_equal(found, expected)
  one = jax.vmap(plasma, (0, None))(noise[0], decay[0, 0])
  np.testing.assert_array_equal(one[0], found[0, 0])


@pytest.mark.skipif(not native.available(), reason='no native kernels')
@pytest.mark.parametrize(
  ('noise', 'decay', 'result'),
  [((8,), (), (3, 3)), ((15,), (2,), (4, 4)), ((3, 15), (3,), (4, 4))],
)
def test_other_shapes_are_refused(noise, decay, result):
  call = jax.ffi.ffi_call(
    native.target('plasma'), jax.ShapeDtypeStruct(result, jnp.float32)
  )
  with pytest.raises(jax.errors.JaxRuntimeError, match='S a power of two'):
    call(jnp.zeros(noise), jnp.ones(decay))
