"""VGG-like networks: layers, PyTorch's order of features, and every export."""

from __future__ import annotations

import dataclasses
import json

import exports
import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import pytest
from networks import frozen_of, random_network, shapes, size_of
from safetensors.numpy import save_file

from rcj import export, models, quantize, tree
from rcj import graph as graphs
from rcj.export import artifact
from rcj.export.onnx import to_onnx
from rcj.graph import Graph
from rcj.models import conv_net, registry

NAMES = ('conv2', 'conv4', 'conv6', 'conv8')


@pytest.mark.parametrize(
  ('name', 'all_weights', 'in_convolutions'),
  # Figure 2 of Frankle and Carbin, which says 1.7M of all of Conv-6: more than
  # the layers that it lists have; the other figures are those of its layers.
  [
    ('conv2', '4.3M', '39K'),
    ('conv4', '2.4M', '260K'),
    ('conv6', '2.3M', '1.1M'),
    ('conv8', '5.3M', '4.7M'),
  ],
)
def test_parameter_counts(name, all_weights, in_convolutions):
  params, batch_stats = shapes(models.create(name, num_classes=10))
  assert batch_stats == {}
  assert all(n.endswith('/kernel') for n in tree.names(params))
  stages = {n: x for n, x in params.items() if n.startswith('stage')}

  def rounded(count):
    return f'{count / 1e6:.1f}M' if count >= 1e6 else f'{count / 1e3:.0f}K'

  assert rounded(size_of(params)) == all_weights
  assert rounded(size_of(stages)) == in_convolutions


def test_width_scales_all_but_the_classifier():
  params, _ = shapes(models.create('conv4', num_classes=7, width=1.5))
  found = {n: x.shape[-2:] for n, x in tree.leaves(params).items()}
  assert found == {
    'stage1/conv1/kernel': (3, 96),
    'stage1/conv2/kernel': (96, 96),
    'stage2/conv1/kernel': (96, 192),
    'stage2/conv2/kernel': (192, 192),
    'hidden1/kernel': (8 * 8 * 192, 384),
    'hidden2/kernel': (384, 384),
    'head/kernel': (384, 7),
  }


def test_initial_values_keep_the_signal():
  module = models.create('conv2', num_classes=2, width=0.25)
  params, _ = models.init(jax.random.key(0), module, size=32)
  for name in ('hidden1', 'hidden2'):
    kernel = params[name]['kernel']
    he = (2 / kernel.shape[0]) ** 0.5
    assert float(kernel.std()) == pytest.approx(he, rel=0.05)
  assert float(jnp.abs(params['head']['kernel']).max()) <= 64**-0.5


def in_torch(architecture, params):
  """{hidden-networks' name: array in its layout}, dense layers as 1x1."""
  back = {o: t for t, o in conv_net.torch_names(architecture).items()}
  state = {}
  for name, x in tree.leaves(params).items():
    layer = name.removesuffix('/kernel')
    x = np.asarray(x)
    if layer == 'hidden1':  # pixels, channels -> channels, pixels
      x = x.reshape(architecture.side**2, -1, x.shape[-1])
      x = x.transpose(1, 0, 2).reshape(-1, x.shape[-1])
    if x.ndim == 2:
      x = x[None, None]
    state[f'{back[layer]}.weight'] = x.transpose(3, 2, 0, 1)
  return state


def forward(state, images):
  """The public code's forward pass on [N, C, H, W]: (logits, maps, feature)."""
  x, maps = images, []
  for key, w in state.items():
    if not key.startswith('convs'):
      continue
    dims = ('NCHW', 'OIHW', 'NCHW')
    x = jax.lax.conv_general_dilated(
      *(x, w, (1, 1), ((1, 1), (1, 1))), dimension_numbers=dims
    )
    x = np.maximum(x, 0)
    if int(key.split('.')[1]) % 5 == 2:
      n, c, h, w = x.shape
      x = x.reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))
      maps.append(x)
  x = x.reshape(len(x), -1)
  first, second, last = (
    state[f'linear.{i}.weight'][:, :, 0, 0].T for i in (0, 2, 4)
  )
  feature = np.maximum(np.maximum(x @ first, 0) @ second, 0)
  return feature @ last, maps, feature


def shown(n=2):
  rs = np.random.RandomState(1)
  return rs.standard_normal((n, 32, 32, 3)).astype(np.float32)


def test_outputs_are_those_of_the_layers():
  module = models.create('conv8', num_classes=5, width=1 / 16)
  params, _ = random_network(module)
  images = shown()
  logits, maps, feature = forward(
    in_torch(module.architecture, params), images.transpose(0, 3, 1, 2)
  )
  out, stats = models.outputs(module, params, {}, images[:, None], train=True)
  assert stats == {}
  assert out.logits.shape == (2, 1, 5)
  np.testing.assert_allclose(
    out.logits[:, 0], logits, atol=1e-5 * np.ptp(logits)
  )
  np.testing.assert_allclose(out.pooled[:, 0], feature, atol=1e-5)
  assert len(out.maps) == len(maps) == 4
  for ours, theirs in zip(out.maps, maps, strict=True):
    theirs = theirs.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(ours[:, 0], theirs, atol=1e-5)


def test_files_of_hidden_networks_are_read(tmp_path):
  module = models.create('conv2', num_classes=7)
  params, _ = random_network(module)
  state = in_torch(module.architecture, params)
  assert state['linear.0.weight'].shape == (256, 64 * 16 * 16, 1, 1)
  path = tmp_path / 'x.safetensors'
  save_file(
    {f'module.{k}': np.ascontiguousarray(x) for k, x in state.items()}, path
  )
  frozen = models.load_torch(path, 'conv2')
  jax.tree.map(np.testing.assert_array_equal, frozen.params, params)
  assert frozen.preprocessing == registry.STEM_PREPROCESSING['cifar']
  with pytest.raises(ValueError, match='layers are those of conv2;'):
    models.load_torch(path, 'conv4')


@pytest.mark.parametrize('name', NAMES)
def test_hidden1_reads_every_channel_of_every_pixel(name):
  """In groups of channels, and in the shapes of its graph."""
  module = models.create(name, num_classes=10, width=0.25)
  params, _ = shapes(module)
  groups = models.channel_groups(module)
  assert [g.kernels[0] for g in groups] == [
    n for n in tree.names(params) if n.startswith('stage')
  ]
  assert groups[-1].readers == ('hidden1/kernel',)
  graph = models.graph_of(module)
  known = {n: x.shape for n, x in tree.leaves(params).items()}
  assert graphs.parameter_shapes(graph) == known
  channels = known[groups[-1].kernels[0]][-1]
  side = graph.node(graph.readers()[graph.maps[-1]][0].name).side
  assert known['hidden1/kernel'][0] == side**2 * channels


def test_another_image_size_is_refused():
  module = models.create('conv4', num_classes=2, width=1 / 16)
  with pytest.raises(ValueError, match=r'8x8 pixels, got 16x16.*such as 32 px'):
    shapes(module, size=64)
  graph = models.graph_of(module)
  with pytest.raises(ValueError, match='images of another size'):
    graphs.shapes(graph, 64)
  with pytest.raises(ValueError, match='needs 2x2 pixels'):
    graphs.shapes(graph, 2)


def test_bfloat16_gives_a_float32_feature():
  module = models.create('conv2', num_classes=2, width=1 / 32)
  half = module.clone(dtype=jnp.bfloat16)
  params, _ = random_network(module)
  for net in (half, models.GraphNet(models.graph_of(half), jnp.bfloat16)):
    (logits, maps, pooled) = jax.eval_shape(
      lambda p, x, net=net: net.apply({'params': p}, x, train=False),
      *(params, shown()),
    )
    assert logits.dtype == pooled.dtype == jnp.float32
    assert {m.dtype for m in maps} == {jnp.dtype(jnp.bfloat16)}


@pytest.fixture(scope='module')
def frozen():
  """Half of its weights are masked."""
  module = models.create('conv4', num_classes=5, width=1 / 16)
  made = frozen_of(module)
  rs = np.random.RandomState(2)
  masks = jax.tree.map(
    lambda w: jnp.asarray(rs.rand(*w.shape) < 0.5), made.params
  )
  return dataclasses.replace(made, masks=masks, preprocessing=exports.SHOWN)


@pytest.fixture(scope='module')
def fake(frozen):
  return quantize.quantized(frozen, exports.images(8))


def onnx_logits(network, images):
  options = onnxruntime.SessionOptions()
  options.add_session_config_entry('session.x64quantprecision', '1')
  session = onnxruntime.InferenceSession(
    *(to_onnx(network).SerializeToString(), options),
    providers=['CPUExecutionProvider'],
  )
  images = np.ascontiguousarray(np.asarray(images).transpose(0, 3, 1, 2))
  return session.run(['logits'], {'images': images})[0]


def test_the_artifact_and_onnx_are_the_network(frozen, tmp_path):
  export.save(frozen, tmp_path / 'network.rcj')
  found = export.load(tmp_path / 'network.rcj')
  assert found.model == models.GraphNet(models.graph_of(frozen.model))
  images = exports.images(4, seed=3)
  expected = np.asarray(models.predict(frozen, images))
  assert np.ptp(expected) > 0.01
  for logits in (models.predict(found, images), onnx_logits(found, images)):
    np.testing.assert_allclose(logits, expected, atol=1e-5 * np.ptp(expected))


def test_integers_answer_as_floats_do(frozen, fake, tmp_path):
  whole = quantize.integers(fake)
  # Pooling and flattening move integers about.
  own = [n for n in tree.names(whole.batch_stats) if n.endswith('/zero')]
  assert not any('Pool' in n or 'Flatten' in n for n in own)
  export.save(whole, tmp_path / 'network.rcj')
  found = export.load(tmp_path / 'network.rcj')
  assert found.model == whole.model
  images = exports.images(16, seed=4)
  exact, expected = (models.predict(x, images) for x in (frozen, fake))
  spread = np.ptp(exact)
  assert np.abs(expected - exact).max() < 0.05 * spread
  for logits in (models.predict(found, images), onnx_logits(found, images)):
    np.testing.assert_allclose(logits, expected, atol=0.02 * spread)


def test_an_artifact_for_images_of_another_size_is_refused(frozen):
  how = dataclasses.replace(frozen.preprocessing, size=64)
  with pytest.raises(export.MalformedError, match='for images of 64 px'):
    artifact.encode(dataclasses.replace(frozen, preprocessing=how))


def test_pooling_without_a_size_is_that_of_older_files():
  pool = {'op': 'MaxPool', 'name': 'pool', 'inputs': [Graph.INPUT]}
  mean = {'op': 'MeanPool', 'name': 'mean', 'inputs': ['pool']}
  head = {'op': 'Dense', 'name': 'head', 'inputs': ['mean'], 'features': 2}
  record = {'output': 'head', 'maps': [], 'pooled': 'mean'}
  graph = graphs.from_json({**record, 'nodes': [pool, mean, head]})
  assert graph.node('pool').size == 3
  assert graphs.shapes(graph, 7)['pool'] == (4, 4, 3)
  again = json.loads(json.dumps(graph.to_json()))
  assert graphs.from_json(again) == graph
  half = graphs.from_json(
    {**record, 'nodes': [{**pool, 'size': 2}, mean, head]}
  )
  assert graphs.shapes(half, 7)['pool'] == (3, 3, 3)


@pytest.mark.parametrize(
  ('node', 'message'),
  [
    (graphs.MaxPool('x', (Graph.INPUT,), 4), 'cannot have the size 4'),
    (graphs.Conv('x', (Graph.INPUT,), 8, 2), 'cannot have the size 2'),
    (graphs.Depthwise('x', (Graph.INPUT,), 4), 'cannot have the size 4'),
    (graphs.Flatten('x', (Graph.INPUT,), 0), 'side of .x. must be'),
  ],
)
def test_sizes_that_no_layer_has_are_refused(node, message):
  nodes = (
    node,
    graphs.MeanPool('mean', ('x',)),
    graphs.Dense('head', ('mean',), 2),
  )
  with pytest.raises(ValueError, match=message):
    graphs.check(Graph(nodes, 'head', (), 'mean'))
