"""MobileNetV2 and MnasNet against torchvision's numbers."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import (
  SMALL_MOBILE,
  draw,
  golden_images,
  random_network,
  shapes,
  size_of,
)
from safetensors.numpy import save_file

from rcj import models, tree
from rcj.models import mobile_plan
from rcj.models.mobile import MobileNet

NAMES = ('mobilenet_v2', 'mnasnet0_5', 'mnasnet1_0')
SMALL = MobileNet(SMALL_MOBILE['relu6'], 5, width=0.25, stem='half')


@functools.partial(jax.jit, static_argnums=0)
def run(module, params, batch_stats, views):
  """Outputs; statistics must stay as they are."""
  out, stats = models.outputs(module, params, batch_stats, views, train=False)
  assert jax.tree.structure(stats) == jax.tree.structure(batch_stats)
  return out


@pytest.mark.parametrize('name', NAMES)
def test_torchvision_golden(name, golden, tmp_path):
  z = golden(f'models/{name}')
  save_file(draw(z), tmp_path / 'x.safetensors')
  frozen = models.load_torch(tmp_path / 'x.safetensors', name)
  assert size_of(frozen.params) == int(z['params'])
  got = models.logits(frozen, golden_images(z))
  want = z['logits']
  np.testing.assert_allclose(got, want, atol=2e-4 * np.ptp(want))


@pytest.mark.parametrize(
  ('name', 'count'),
  [
    ('mobilenet_v2', 2_351_972),
    ('mnasnet0_5', 1_065_612),
    ('mnasnet1_0', 3_230_412),
  ],
)
def test_parameter_counts(name, count):
  params, _ = shapes(models.create(name, num_classes=100))
  assert size_of(params) == count


def test_parameter_kinds_of_mobilenet_v2():
  params, _ = shapes(models.create('mobilenet_v2', num_classes=100))
  sizes = {n: size_of(x) for n, x in tree.leaves(params).items()}
  convs = {n: v for n, v in sizes.items() if 'conv' in n}
  depthwise = [v for n, v in convs.items() if 'conv_depthwise' in n]
  assert (sum(convs.values()), sum(depthwise)) == (2_189_760, 64_224)
  assert sizes['head/kernel'] == 128_000


@pytest.mark.parametrize(
  ('features', 'rounded'),
  [(11.2, 16), (4, 8), (12, 16), (19, 24), (20, 24), (34, 32), (45.12, 48)],
)
def test_channels_are_multiples_of_eight_within_a_tenth(features, rounded):
  assert mobile_plan.channels(features) == rounded


def test_the_last_convolution_never_shrinks():
  def last(name, width):
    module = models.create(name, num_classes=2)
    return mobile_plan.last_features(module.architecture, width)

  assert [last('mobilenet_v2', w) for w in (0.25, 1, 1.41)] == [
    1280,
    1280,
    1808,
  ]
  assert [last('mnasnet1_0', w) for w in (0.25, 1.41)] == [1280, 1280]


@pytest.mark.parametrize(
  ('name', 'stem', 'strides'),
  [
    ('mobilenet_v2', 'imagenet', (4, 8, 16, 32)),
    ('mobilenet_v2', 'cifar', (1, 2, 4, 8)),
    ('mnasnet1_0', 'half', (2, 4, 8, 16)),
  ],
)
def test_maps_end_before_each_down_sampling(name, stem, strides):
  module = models.create(name, num_classes=2, stem=stem)
  params, batch_stats = shapes(module)
  views = jax.ShapeDtypeStruct((1, 2, 64, 64, 3), jnp.float32)
  out, _ = jax.eval_shape(
    lambda p, s, v: models.outputs(module, p, s, v, train=False),
    params,
    batch_stats,
    views,
  )
  assert tuple(64 // m.shape[2] for m in out.maps) == strides
  second = {'mobilenet_v2': 32, 'mnasnet1_0': 40}[name]
  assert tuple(m.shape[-1] for m in out.maps) == (24, second, 96, 320)
  assert out.pooled.shape == (1, 2, 1280)


def test_relu6_saturates():
  params, batch_stats = random_network(SMALL)
  params['bn_last']['bias'] += 100.0
  pooled = run(SMALL, params, batch_stats, jnp.ones((3, 2, 32, 32, 3))).pooled
  np.testing.assert_array_equal(pooled, 6.0)


def folded(params, batch_stats):
  """The same network with each BatchNorm inside its convolution."""

  def fold(block, stats):
    result = {}
    for name, layer in block.items():
      if name.startswith('stage'):
        result[name] = fold(layer, stats[name])
      elif name == 'head':
        result[name] = layer
      elif name.startswith('conv_'):
        norm = name.replace('conv', 'bn')
        factor = block[norm]['scale'] / jnp.sqrt(stats[norm]['var'] + 1e-5)
        bias = block[norm]['bias'] - stats[norm]['mean'] * factor
        kernel = layer['kernel'] * factor.reshape(1, 1, 1, -1)
        result[name] = {'kernel': kernel, 'bias': bias}
    return result

  return fold(params, batch_stats)


def test_folded_batchnorm_gives_the_same_logits_without_statistics():
  bare = SMALL.clone(norm='folded')
  params, batch_stats = random_network(SMALL)
  merged = folded(params, batch_stats)
  fresh, nothing = models.init(jax.random.key(0), bare, size=32)
  assert nothing == {}
  assert jax.tree.map(jnp.shape, fresh) == jax.tree.map(jnp.shape, merged)
  views = jnp.asarray(np.random.RandomState(1).rand(3, 2, 32, 32, 3), 'f')
  want = run(SMALL, params, batch_stats, views)
  got = run(bare, merged, {}, views)
  np.testing.assert_allclose(
    got.logits, want.logits, atol=1e-5 * np.ptp(want.logits)
  )


@pytest.mark.parametrize('platform', ['cuda', 'tpu'])
def test_forward_and_backward_lower_for_accelerators(platform):
  params, batch_stats = shapes(SMALL)
  views = jax.ShapeDtypeStruct((4, 1, 32, 32, 3), jnp.float32)

  def loss(params, batch_stats, views):
    out, stats = models.outputs(SMALL, params, batch_stats, views, train=True)
    return out.logits.sum(), stats

  step = jax.jit(jax.grad(loss, has_aux=True))
  traced = step.trace(params, batch_stats, views)
  text = traced.lower(lowering_platforms=(platform,)).as_text()
  assert 'feature_group_count = 48' in text
