"""StableHLO programs: one file for every platform and batch size."""

import re

import exports
import jax
import numpy as np
import pytest

from rcj import models
from rcj.export import stablehlo
from rcj.export.deployable import deployable


@pytest.mark.parametrize(('family', 'method'), exports.cases('stablehlo'))
def test_a_program_computes_what_the_network_does(family, method, tmp_path):
  frozen = exports.network(family, method)
  path = tmp_path / 'network.stablehlo'
  stablehlo.save(frozen, path)
  program = stablehlo.load(path)
  shown = exports.images(3)
  expected = models.predict(deployable(frozen), shown)
  assert np.ptp(expected) > 0.01
  np.testing.assert_allclose(program(shown), expected, rtol=0, atol=1e-5)
  np.testing.assert_allclose(
    *(program(shown[:1]), expected[:1]), rtol=0, atol=1e-5
  )


@pytest.mark.parametrize('method', ['dense', 'int8'])
def test_a_file_is_for_every_platform_and_no_other_size(method):
  made = stablehlo.exported(exports.network('mobile', method))
  assert made.platforms == ('cpu', 'cuda', 'tpu')
  assert made.nr_devices == 1
  (images,) = made.in_avals
  assert str(images.shape[0]) == 'b'
  assert images.shape[1:] == (32, 32, 3)
  text = made.mlir_module()
  calls = re.findall(r'custom_call @(\w+)', text)
  assert set(calls) == {'shape_assertion'}  # nothing that a machine may lack
  assert ('xi8>' in text) == (method == 'int8')
  assert b'.py' not in made.serialize()  # paths of the machine that wrote it
  with pytest.raises(ValueError, match='32'):
    jax.eval_shape(made.call, np.zeros((2, 64, 64, 3), np.float32))


@pytest.mark.parametrize('data', [b'', b'no program', b'\0' * 64])
def test_what_is_no_program_is_refused(tmp_path, data):
  path = tmp_path / 'network.stablehlo'
  path.write_bytes(data)
  with pytest.raises(ValueError, match=r'network.stablehlo is no program'):
    stablehlo.load(path)
