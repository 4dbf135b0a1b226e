"""Networks in 8-bit integers: ranges, fake quantization, the integer path."""

from __future__ import annotations

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import frozen_of

from rcj import data, models, quantize, shrink, tree
from rcj import graph as graphs
from rcj.graph import Graph
from rcj.quantize import observers
from rcj.types import Preprocessing

SHOWN = Preprocessing((0.5,) * 3, (0.5,) * 3, size=32)


def normed(name, before, layer, *, relu=6.0):
  """A layer, its BatchNorm, and a ReLU."""
  kind, *how = layer
  made = (
    kind(f'{name}/conv', (before,), *how),
    graphs.BatchNorm(f'{name}/bn', (f'{name}/conv',)),
  )
  if relu is None:
    return made
  return (*made, graphs.Relu(f'{name}/relu', (f'{name}/bn',), relu or None))


CONV, DEPTHWISE = graphs.Conv, graphs.Depthwise
# Every operation, every shortcut, and a norm before a convolution.
NODES = (
  *normed('stem', Graph.INPUT, (CONV, 16, 3, 1, 'tf'), relu=0),
  graphs.MaxPool('pool', ('stem/relu',)),
  *normed('one', 'pool', (CONV, 16, 3), relu=0),
  *normed('two', 'one/relu', (CONV, 24, 3, 2, 'tf'), relu=None),
  graphs.PadShortcut('pad', ('pool',), 24, 2),
  graphs.Add('sum', ('two/bn', 'pad')),
  graphs.BatchNorm('before/bn', ('sum',)),
  graphs.Relu('before/relu', ('before/bn',)),
  *normed('wide', 'before/relu', (CONV, 40, 1)),
  *normed('each', 'wide/relu', (DEPTHWISE, 3, 2)),
  *normed('thin', 'each/relu', (CONV, 24, 1), relu=None),
  *normed('skip', 'sum', (CONV, 24, 1, 2), relu=None),
  graphs.Add('end', ('thin/bn', 'skip/bn')),
  graphs.MeanPool('mean', ('end',)),
  graphs.Dense('head', ('mean',), 5),
)
GRAPH = Graph(NODES, 'head', ('pool', 'before/relu', 'end'), 'mean')


@pytest.fixture(scope='module')
def digits():
  """Images to calibrate on, and others to test on."""
  sets = data.load('digits')
  images = np.asarray(sets.train.images[:64], np.float32) / 255
  return images, np.asarray(sets.test.images[:64], np.float32) / 255


@pytest.fixture(scope='module')
def pair(digits):
  """A pruned network, and the same in fake quantization."""
  frozen = frozen_of(models.GraphNet(GRAPH))
  alive = tree.map_named(
    lambda n, w: w > -0.05 if n.endswith('kernel') else None, frozen.params
  )
  frozen = dataclasses.replace(frozen, masks=alive, preprocessing=SHOWN)
  return frozen, quantize.quantized(frozen, digits[0])


def test_integers_answer_as_fake_quantization_does(pair, digits):
  frozen, fake = pair
  exact = models.predict(frozen, digits[1])
  expected = models.predict(fake, digits[1])
  found = models.predict(quantize.integers(fake), digits[1])
  spread = np.ptp(exact)
  np.testing.assert_array_equal(found.argmax(1), expected.argmax(1))
  # A sum that falls on the other side of a tie moves a result by a step.
  np.testing.assert_allclose(found, expected, atol=0.01 * spread)
  assert np.abs(found - expected).mean() < 1e-3 * spread
  assert np.abs(found - exact).mean() < 0.02 * spread
  assert np.abs(found - exact).max() > 1e-4 * spread


def test_what_ships_is_integers(pair):
  frozen, fake = pair
  assert fake.origin == frozen.model
  whole = quantize.integers(fake)
  graph = models.folded(frozen).model.graph
  assert whole.model == models.IntNet(graph)
  kinds = {n: x.dtype.name for n, x in tree.leaves(whole.params).items()}
  parts = {'kernel': 'int8', 'scale': 'float32', 'bias': 'float32'}
  assert kinds == {n: parts[n.rpartition('/')[2]] for n in kinds}
  assert {n.rpartition('/')[0] for n in kinds} == {
    n.rpartition('/')[0] for n in tree.names(models.folded(frozen).params)
  }
  for module in (fake.model, whole.model):
    spec = json.loads(json.dumps(models.spec(module)))
    assert models.from_spec(spec) == module
    assert hash(models.from_spec(spec)) == hash(module)


def test_every_kernel_and_the_image_get_a_gradient(pair, digits):
  _, fake = pair

  def loss(params, images):
    network = dataclasses.replace(fake, params=params)
    return jnp.mean(models.logits(network, images) ** 2)

  found = jax.jit(jax.grad(loss, (0, 1)))(fake.params, 2 * digits[1][:8] - 1)
  for name, x in tree.leaves(found).items():
    assert np.isfinite(x).all(), name
    assert np.abs(x).max() > 0, name


def test_ranges_are_those_of_the_images(pair, digits):
  frozen, fake = pair
  values = models.results(models.folded(frozen), digits[0])
  ranges = tree.leaves(fake.batch_stats)
  assert 'image/low' in ranges
  for name, x in ranges.items():
    name, _, end = name.rpartition('/')
    extreme = {'low': jnp.min, 'high': jnp.max}[end](values[name])
    np.testing.assert_allclose(x, extreme, rtol=1e-5, atol=1e-6)


def test_training_moves_ranges_by_a_hundredth():
  nodes = (
    graphs.MeanPool('mean', (Graph.INPUT,)),
    graphs.Dense('head', ('mean',), 2),
  )
  net = models.QuantNet(Graph(nodes, 'head', (), 'mean'))
  head = {'kernel': jnp.ones((3, 2)), 'bias': jnp.zeros(2)}
  ranges = {
    'image': {'low': jnp.float32(-1), 'high': jnp.float32(1)},
    'mean': {'low': jnp.float32(0), 'high': jnp.float32(1)},
  }
  variables = {'params': {'head': head}, 'batch_stats': ranges}
  images = jnp.full((1, 2, 2, 3), 2.0).at[0, 0, 0].set(0.4)
  how = {'mutable': ('batch_stats',)}
  _, still = net.apply(variables, images, train=False, **how)
  assert still['batch_stats'] == ranges
  _, moved = net.apply(variables, images, train=True, **how)
  expected = {'low': 0.01 * 0.4 - 0.99, 'high': 0.01 * 2 + 0.99}
  for end, x in moved['batch_stats']['image'].items():
    np.testing.assert_allclose(x, expected[end], rtol=1e-6)


def test_pruned_weights_are_zero_integers(pair):
  _, fake = pair
  ships = tree.leaves(quantize.integers(fake).params)
  for name, mask in tree.leaves(fake.masks).items():
    kernel, alive = np.asarray(ships[name]), np.asarray(mask)
    assert (kernel[~alive] == 0).all(), name
    assert (kernel[alive] != 0).any(), name


def test_shrunk_networks_quantize_as_they_did_whole(digits):
  nodes = (
    *normed('one', Graph.INPUT, (CONV, 12, 3, 2), relu=0),
    *normed('two', 'one/relu', (CONV, 8, 3, 2), relu=0),
    graphs.MeanPool('mean', ('two/relu',)),
    graphs.Dense('head', ('mean',), 5),
  )
  net = models.GraphNet(Graph(nodes, 'head', (), 'mean'))
  frozen = dataclasses.replace(frozen_of(net), preprocessing=SHOWN)
  alive = jnp.arange(12) % 3 > 0
  filters = {
    'conv': {'kernel': alive.reshape(1, 1, 1, 12)},
    'bn': {'scale': alive, 'bias': alive},
  }
  masks = {**frozen.masks, 'one': filters}
  frozen = dataclasses.replace(frozen, masks=masks)
  small = shrink.shrink(frozen)
  assert small.params['one']['conv']['kernel'].shape[-1] == 8
  whole, less = (
    quantize.integers(quantize.quantized(x, digits[0])) for x in (frozen, small)
  )
  assert less.params['one']['conv']['kernel'].shape[-1] == 8
  assert less.origin == net
  expected = models.predict(whole, digits[1])
  found = models.predict(less, digits[1])
  np.testing.assert_allclose(found, expected, atol=0.01 * np.ptp(expected))


def test_layers_that_are_kept_are_floats(pair, digits):
  frozen, _ = pair
  kept = quantize.quantized(
    frozen, digits[0], keep_float=('stem.*', 'each/conv', 'head')
  )
  whole = quantize.integers(kept)
  floats = {'stem/conv', 'each/conv', 'head'}
  assert set(whole.model.keep_float) == floats
  folded = tree.leaves(kept.params)
  for name, x in tree.leaves(whole.params).items():
    layer = name.rpartition('/')[0]
    if layer in floats:
      np.testing.assert_array_equal(x, folded[name])
    else:
      assert not name.endswith('kernel') or x.dtype == jnp.int8
  expected = models.predict(kept, digits[1])
  found = models.predict(whole, digits[1])
  np.testing.assert_allclose(found, expected, atol=0.01 * np.ptp(expected))


def test_one_scale_for_a_kernel(pair):
  _, fake = pair
  folded = models.folded(fake)
  one = quantize.quantize(folded, fake.batch_stats, per_channel=False)
  ships = tree.leaves(quantize.integers(one).params)
  for name, kernel in tree.leaves(folded.params).items():
    if name.endswith('kernel'):
      scale = ships[name.replace('kernel', 'scale')]
      np.testing.assert_allclose(scale, np.abs(kernel).max() / 127, rtol=1e-6)


@pytest.mark.parametrize('observer', ['percentile', 'mse'])
def test_observers_stay_within_the_values(pair, digits, observer):
  frozen, whole = pair
  fake = quantize.quantized(frozen, digits[0], observer=observer)
  widest, ranges = (tree.leaves(x.batch_stats) for x in (whole, fake))
  narrower = 0
  for name, x in ranges.items():
    assert abs(x) <= abs(widest[name]) + 1e-6, name
    narrower += abs(x) < 0.999 * abs(widest[name])
  assert narrower


def counts(values, low, high):
  return np.histogram(values, 2048, (low, high))[0]


def test_percentile_leaves_out_what_is_rare():
  values = np.r_[np.random.RandomState(0).uniform(-1, 1, 100_000), 50.0, -9.0]
  low, high = observers.percentile(counts(values, -9, 50), -9, 50)
  assert -1.1 < low < -0.97
  assert 0.97 < high < 1.1


def test_least_squares_weighs_clipping_against_rounding():
  rs = np.random.RandomState(0)
  even = rs.uniform(-1, 1, 100_000)
  assert observers.mse(counts(even, -1, 1), -1.0, 1.0) == (-1.0, 1.0)
  values = rs.laplace(size=100_000)
  ends = values.min(), values.max()
  found = observers.mse(counts(values, *ends), *ends)

  def error(part):
    low, high = (x * part for x in ends)
    step = (high - low) / 255
    grid = (np.arange(256) - np.rint(-low / step)) * step
    nearest = np.clip(np.rint((values - grid[0]) / step), 0, 255)
    return np.mean((grid[0] + nearest * step - values) ** 2)

  parts = np.linspace(0.2, 1, 81)
  best = min(error(part) for part in parts)
  assert found[1] / ends[1] < 0.9
  assert error(found[1] / ends[1]) < 1.02 * best


def test_what_cannot_be_done_is_said(pair, digits):
  frozen, fake = pair
  with pytest.raises(ValueError, match=r"no observer 'mean'.*percentile"):
    quantize.quantized(frozen, digits[0], observer='mean')
  with pytest.raises(ValueError, match="'stem' of keep_float matches"):
    quantize.quantized(frozen, digits[0], keep_float=('stem',))
  with pytest.raises(ValueError, match='needs images, got none'):
    quantize.quantized(frozen, digits[0][:0])
  with pytest.raises(ValueError, match='divide uint8 by 255 first'):
    quantize.quantized(frozen, (digits[0] * 255).astype(np.uint8))
  with pytest.raises(ValueError, match='got a GraphNet'):
    quantize.integers(frozen)
  whole = quantize.integers(fake)
  with pytest.raises(ValueError, match='one of integers already'):
    quantize.quantized(whole, digits[0])
  with pytest.raises(ValueError, match='integers have no gradient'):
    whole.model.apply({}, digits[0], train=True)
  with pytest.raises(ValueError, match='fold it first'):
    models.QuantNet(models.graph_of(frozen.model))
