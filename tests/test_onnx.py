"""Networks as ONNX files, run by onnxruntime."""

from __future__ import annotations

import collections

import exports
import numpy as np
import onnx
import onnxruntime
import pytest

from rcj import graph as graphs
from rcj import models
from rcj.export import metadata, onnx_integers
from rcj.export.deployable import deployable
from rcj.export.onnx import to_onnx


@pytest.fixture(scope='module')
def images():
  return np.asarray(exports.images(16, seed=4))


def run(made, images, *, optimised=''):
  """Logits; `optimised` names a file for what onnxruntime makes of it."""
  options = onnxruntime.SessionOptions()
  options.log_severity_level = 3
  options.add_session_config_entry('session.x64quantprecision', '1')
  if optimised:
    options.optimized_model_filepath = str(optimised)
  session = onnxruntime.InferenceSession(
    made.SerializeToString(), options, providers=['CPUExecutionProvider']
  )
  inputs = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
  return session.run(['logits'], {'images': inputs})[0]


def kinds(made):
  return collections.Counter(node.op_type for node in made.graph.node)


@pytest.mark.parametrize(
  ('family', 'method'), [c for c in exports.cases('onnx') if c[1] != 'int8']
)
def test_floats_give_the_same_logits(family, method, images):
  frozen = exports.network(family, method)
  made = to_onnx(frozen)
  expected = np.asarray(models.predict(frozen, images))
  for batch in (slice(None), slice(3)):
    np.testing.assert_allclose(
      *(run(made, images[batch]), expected[batch]),
      atol=1e-5 * np.ptp(expected),
      rtol=0,
    )
  assert 'BatchNormalization' not in kinds(made)


@pytest.mark.parametrize('family', ['resnet20', 'mobile'])
def test_integers_run_as_integers(family, images, tmp_path):
  """The same classes, by one integer kernel for each operation."""
  frozen = deployable(exports.network(family, 'int8'))
  made, fast = to_onnx(frozen), tmp_path / 'optimised.onnx'
  expected = np.asarray(models.predict(frozen, images))
  found = run(made, images, optimised=fast)
  assert np.abs(found - expected).max() < 0.02 * np.ptp(expected)
  first, second = np.sort(expected)[:, :-3:-1].T
  clear = first - second > 0.04 * np.ptp(expected)
  assert clear.sum() > len(images) / 2
  np.testing.assert_array_equal(
    found.argmax(-1)[clear], expected.argmax(-1)[clear]
  )
  nodes = frozen.model.graph.nodes
  convolutions = (graphs.Conv, graphs.Depthwise)
  expected_kinds = {
    'Conv': 1,  # the stem, which stays in floats
    'QLinearConv': sum(isinstance(n, convolutions) for n in nodes) - 1,
    'QLinearAdd': sum(isinstance(n, graphs.Add) for n in nodes),
    'QGemm': 1,
  }
  got = kinds(onnx.load(fast))
  assert {kind: got[kind] for kind in expected_kinds} == expected_kinds


def test_the_file_describes_itself():
  frozen = exports.network('resnet20', 'masked')
  made = to_onnx(frozen, provenance={'run': 'a'})
  told = metadata.from_json({p.key: p.value for p in made.metadata_props})
  assert told == (frozen.classes, frozen.preprocessing, {'run': 'a'})
  (image,) = made.graph.input
  sides = [d.dim_param or d.dim_value for d in image.type.tensor_type.shape.dim]
  assert sides == ['batch', 3, 32, 32]


def test_a_bias_beyond_32_bits_gets_a_larger_scale():
  kernel = np.array([[[[100]]], [[[-77]]]], np.int8)
  scale = np.array([1e-9, 0.5], np.float32)
  bias, step = np.array([3.0, -2.0], np.float32), np.float32(0.02)
  fitted, larger = onnx_integers.fitted(kernel, scale, bias, step)
  assert np.abs(bias / (step * larger)).max() <= 2**30 * 1.001
  assert larger[1] == scale[1]
  np.testing.assert_array_equal(fitted[1], kernel[1])
  before, after = (
    (k * s.reshape(-1, 1, 1, 1)).astype(float)
    for k, s in ((kernel, scale), (fitted, larger))
  )
  np.testing.assert_allclose(after, before, atol=1e-6)
