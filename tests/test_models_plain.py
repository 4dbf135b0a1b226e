"""ResNets whose BatchNorm has no scale and bias: folded, rounded, exported."""

from __future__ import annotations

import dataclasses

import exports
import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import pytest
from networks import frozen_of

from rcj import export, models, phases, quantize, tree
from rcj.export.onnx import to_onnx
from rcj.shrink import shrink


@pytest.fixture(scope='module')
def frozen():
  """A projection in every stage but the first; random kernels are masked."""
  module = models.create('resnet8', num_classes=5, width=0.25, norm='plain')
  made, rs = frozen_of(module), np.random.RandomState(2)
  masks = tree.map_named(
    lambda n, w: (
      jnp.asarray(rs.rand(*w.shape) < 0.5) if n.endswith('kernel') else None
    ),
    made.params,
  )
  return dataclasses.replace(made, masks=masks, preprocessing=exports.SHOWN)


@pytest.fixture(scope='module')
def images():
  return exports.images(16, seed=4)


def test_results_have_mean_0_and_variance_1_in_training(frozen):
  norm = models.graph_of(frozen.model).node('stage1_block1/bn1')
  assert not norm.affine
  x = jax.random.normal(jax.random.key(1), (4, 6, 6, 3)) * 5 + 2
  layer = models.graph_net.layer_of(norm, jnp.float32, train=True)
  y, _ = layer.init_with_output(jax.random.key(0), x)
  np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-5)
  np.testing.assert_allclose(y.var((0, 1, 2)), 1, atol=1e-5)


def test_files_hold_the_same_function(frozen, images, tmp_path):
  expected = np.asarray(models.predict(frozen, images))
  assert np.ptp(expected) > 0.01
  export.save(frozen, tmp_path / 'network.rcj')
  found = export.load(tmp_path / 'network.rcj')
  session = onnxruntime.InferenceSession(
    to_onnx(frozen).SerializeToString(), providers=['CPUExecutionProvider']
  )
  inputs = np.ascontiguousarray(np.asarray(images).transpose(0, 3, 1, 2))
  (by_onnx,) = session.run(['logits'], {'images': inputs})
  for logits in (models.predict(found, images), by_onnx):
    np.testing.assert_allclose(logits, expected, atol=1e-5 * np.ptp(expected))


def test_integers_answer_as_floats_do(frozen, images):
  fake = quantize.quantized(frozen, images)
  exact, rounded, found = (
    models.predict(x, images) for x in (frozen, fake, quantize.integers(fake))
  )
  assert np.abs(rounded - exact).max() < 0.1 * np.ptp(exact)
  np.testing.assert_allclose(found, rounded, atol=0.02 * np.ptp(exact))


def test_no_channel_can_be_removed(frozen, images):
  """Without a weight it is a constant, not zero."""
  kernel = (
    frozen.masks['stage1_block1']['conv1']['kernel'].at[..., 0].set(False)
  )
  first = {**frozen.masks['stage1_block1'], 'conv1': {'kernel': kernel}}
  masks = {**frozen.masks, 'stage1_block1': first}
  silent = dataclasses.replace(frozen, masks=masks)
  small = shrink(silent)
  shapes = [
    {n: x.shape for n, x in tree.leaves(f.params).items()}
    for f in (small, frozen)
  ]
  assert shapes[0] == shapes[1]
  expected = models.predict(silent, images)
  np.testing.assert_allclose(models.predict(small, images), expected, atol=1e-6)


def test_init_passes_it_on():
  shown = exports.SHOWN
  plain = phases.Init('resnet20', shown, norm='plain').module(3)
  assert plain == models.create('resnet20', num_classes=3, norm='plain')
  own = phases.Init('wide_resnet18_2', shown).module(3)
  assert own.norm == 'plain'
  with pytest.raises(ValueError, match="conv2 has no option 'norm'"):
    phases.Init('conv2', shown, norm='plain')
