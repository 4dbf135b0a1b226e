"""Architectures against torchvision's numbers, and what modules promise."""

from __future__ import annotations

import json
import math

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
from rcj.models import layers, registry, resnet_plan, wide_plan
from rcj.models.mobile import MobileNet
from rcj.models.resnet import ResNet
from rcj.models.wide_resnet import WideResNet

TORCHVISION = ('resnet18', 'resnet34', 'resnet50', 'resnet101', 'resnet152')
CIFAR = ('resnet20', 'resnet32', 'resnet44', 'resnet56')
MOBILE = ('mobilenet_v2', 'mnasnet0_5', 'mnasnet1_0')
WIDE = ('wide_resnet28_10', 'wide_resnet18_2')
CONV = ('conv2', 'conv4', 'conv6', 'conv8')


@pytest.mark.parametrize(
  'name',
  [
    pytest.param(n, marks=[pytest.mark.slow] if n in TORCHVISION[3:] else [])
    for n in TORCHVISION
  ],
)
def test_torchvision_golden(name, golden, tmp_path):
  z = golden(f'models/{name}')
  save_file(draw(z), tmp_path / 'x.safetensors')
  frozen = models.load_torch(tmp_path / 'x.safetensors', name)
  assert size_of(frozen.params) == int(z['params'])
  # Not jitted: blocks repeat their shapes, so single ops compile far sooner.
  out, _ = models.outputs(
    frozen.model,
    frozen.params,
    frozen.batch_stats,
    golden_images(z)[:, None],
    train=False,
  )
  want = z['logits']
  np.testing.assert_allclose(out.logits[:, 0], want, atol=2e-4 * np.ptp(want))
  for i, stage in enumerate(out.maps, start=1):
    n, c, h, w = z[f'layer{i}_shape']
    assert stage.shape == (n, 1, h, w, c)
    mean = z[f'layer{i}_mean']
    got = stage[:, 0].mean((1, 2))
    np.testing.assert_allclose(got, mean, atol=2e-4 * np.ptp(mean))
  np.testing.assert_allclose(
    out.pooled[:, 0], z['layer4_mean'], atol=2e-4 * np.ptp(z['layer4_mean'])
  )


@pytest.mark.parametrize(
  ('name', 'num_classes', 'count'),
  [
    ('resnet18', 100, 11_227_812),
    ('resnet50', 100, 23_712_932),
    ('resnet18', 31, 11_192_415),
    ('resnet34', 31, 21_300_575),
    ('resnet50', 31, 23_571_551),
    ('resnet101', 31, 42_563_679),
    ('resnet152', 31, 58_207_327),
  ],
)
def test_parameter_counts(name, num_classes, count):
  params, _ = shapes(models.create(name, num_classes=num_classes))
  assert size_of(params) == count


def test_the_card_of_learning_rate_rewinding_is_a_wide_resnet18():
  """Width 128 and a 3x3 stem, as RobustBench has it."""
  module = models.create('resnet18', num_classes=10, width=2.0, stem='cifar')
  count, before = 9 * 3 * 128 + 2 * 128, 128
  for w in (128, 256, 512, 1024):
    count += 9 * (before * w + 3 * w * w) + 4 * 2 * w
    count += (before * w + 2 * w) if w != before else 0
    before = w
  params, _ = shapes(module)
  assert size_of(params) == count + 1024 * 10 + 10 == 44_662_922


@pytest.mark.parametrize('name', ['resnet20', 'resnet50'])
def test_plain_batchnorm_only_lacks_scale_and_bias(name):
  params, stats = shapes(models.create(name, num_classes=2))
  plain, plain_stats = shapes(models.create(name, num_classes=2, norm='plain'))
  assert plain_stats == stats
  learned = tree.leaves(params)
  assert tree.leaves(plain) == {
    n: x
    for n, x in learned.items()
    if n.endswith('kernel') or n.startswith('head')
  }


def test_parameter_kinds_of_resnet18():
  params, _ = shapes(models.create('resnet18', num_classes=100))
  sizes = {n: math.prod(x.shape) for n, x in tree.leaves(params).items()}
  head = sum(v for n, v in sizes.items() if n.startswith('head'))
  norms = sum(v for n, v in sizes.items() if '/scale' in n or 'bn' in n)
  assert (head, norms) == (51_300, 9_600)
  assert sum(sizes.values()) - head - norms == 11_166_912


@pytest.mark.parametrize('name', CIFAR)
def test_cifar_counts_follow_the_layers(name):
  n = (int(name.removeprefix('resnet')) - 2) // 6
  convs = 3 * 3 * 3 * 16  # stem
  for c_in, c in ((16, 16), (16, 32), (32, 64)):
    convs += 9 * c_in * c + (2 * n - 1) * 9 * c * c
  norms = 2 * 16 + 2 * 2 * n * (16 + 32 + 64)
  module = models.create(name, num_classes=10)
  params, _ = shapes(module)
  assert size_of(params) == convs + norms + 64 * 10 + 10
  assert not any('shortcut' in leaf for leaf in tree.names(params))


def test_resnet8_halves_in_the_stem_and_twice_after():
  module = models.create('resnet8', num_classes=10)
  params, batch_stats = random_network(module)
  views = jnp.zeros((1, 1, 32, 32, 3))
  out, _ = jax.eval_shape(
    lambda v: models.outputs(module, params, batch_stats, v, train=False), views
  )
  assert [m.shape[2:] for m in out.maps] == [
    (16, 16, 16),
    (8, 8, 32),
    (4, 4, 64),
  ]
  assert params['conv_stem']['kernel'].shape == (5, 5, 3, 16)
  projections = [n for n in tree.names(params) if 'conv_shortcut' in n]
  assert projections == [
    'stage2_block1/conv_shortcut/kernel',
    'stage3_block1/conv_shortcut/kernel',
  ]


def test_option_a_shortcut_subsamples_and_pads():
  module = models.create('resnet20', num_classes=10)
  params, batch_stats = random_network(module)
  # With a silent residual branch the block is relu(shortcut).
  for norm in ('scale', 'bias'):
    bn = params['stage2_block1']['bn2']
    bn[norm] = jnp.zeros_like(bn[norm])
  params['stage2_block2']['bn2'] = params['stage2_block1']['bn2']
  params['stage2_block3']['bn2'] = params['stage2_block1']['bn2']
  batch_stats['stage2_block1']['bn2']['mean'] *= 0.0
  views = jnp.asarray(np.random.RandomState(0).randn(1, 1, 16, 16, 3), 'f')
  out, _ = models.outputs(module, params, batch_stats, views, train=False)
  first, second = out.maps[0][0, 0], out.maps[1][0, 0]
  np.testing.assert_array_equal(second[:, :, 8:24], first[::2, ::2])
  np.testing.assert_array_equal(second[:, :, :8], 0)
  np.testing.assert_array_equal(second[:, :, 24:], 0)


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('size', [1, 3])
def test_conv_pads_both_sides_alike(size, stride):
  rs = np.random.RandomState(0)
  x = rs.randn(1, 6, 6, 2).astype(np.float32)
  kernel = rs.randn(size, size, 2, 3).astype(np.float32)
  got = layers.Conv(3, size, stride).apply({'params': {'kernel': kernel}}, x)
  p = size // 2
  padded = np.pad(x[0], ((p, p), (p, p), (0, 0)))
  want = [
    [
      np.tensordot(padded[i : i + size, j : j + size], kernel, 3)
      for j in range(0, 6, stride)
    ]
    for i in range(0, 6, stride)
  ]
  np.testing.assert_allclose(got[0], want, rtol=1e-5, atol=1e-5)


def test_initial_values():
  module = ResNet(resnet_plan.Architecture('two', (1, 1), (128, 256)), 400)
  params, batch_stats = models.init(jax.random.key(0), module, size=32)
  assert type(params) is type(batch_stats) is dict
  kernel = params['stage2_block1']['conv2']['kernel']
  want = math.sqrt(2 / (9 * kernel.shape[-1]))
  assert float(kernel.std()) == pytest.approx(want, rel=0.02)
  down = params['stage2_block1']['conv_shortcut']['kernel']  # fan-in is half
  assert float(down.std()) == pytest.approx(math.sqrt(2 / 256), rel=0.02)
  for leaf in params['head'].values():
    limit = 256**-0.5
    assert 0.95 * limit < float(jnp.abs(leaf).max()) <= limit
    assert float(leaf.std()) == pytest.approx(limit / math.sqrt(3), rel=0.1)
  np.testing.assert_array_equal(params['bn_stem']['scale'], 1.0)
  np.testing.assert_array_equal(params['bn_stem']['bias'], 0.0)


def test_width_scales_every_channel():
  plan = resnet_plan.Architecture('two', (2, 2), (8, 16), bottleneck=True)
  narrow, _ = shapes(ResNet(plan, 7))
  wide, _ = shapes(ResNet(plan, 7, width=1.5))

  def grows(name, x, y):
    outer = 1 if name.startswith('head') else 1.5
    assert y.shape[-1] == outer * x.shape[-1], name
    if len(x.shape) > 1:
      inner = 1 if name == 'conv_stem/kernel' else 1.5
      assert y.shape[-2] == inner * x.shape[-2], name

  tree.map_named(grows, narrow, wide)


def test_width_rounds_and_keeps_a_channel():
  assert [resnet_plan.channels(16, w) for w in (1.41, 0.51, 0.01)] == [23, 8, 1]


@pytest.mark.parametrize(
  ('full', 'tolerance'),
  [
    (models.create('resnet8', num_classes=10), 0.03),
    (MobileNet(SMALL_MOBILE['relu6'], 10, stem='half'), 0.05),
    (WideResNet(wide_plan.Architecture('x', (1, 1), (8, 16), 4), 10), 0.03),
  ],
)
def test_bfloat16_keeps_float32_state(full, tolerance):
  half = full.clone(dtype=jnp.bfloat16)
  params, batch_stats = random_network(full)
  assert shapes(full) == shapes(half)
  views = jnp.asarray(np.random.RandomState(1).rand(3, 2, 32, 32, 3), 'f')
  run = jax.jit(
    lambda p, s, v, module: models.outputs(module, p, s, v, train=True),
    static_argnames='module',
  )
  want, want_stats = run(params, batch_stats, views, module=full)
  got, stats = run(params, batch_stats, views, module=half)
  assert {x.dtype for x in jax.tree.leaves(stats)} == {jnp.dtype('float32')}
  assert {m.dtype for m in got.maps} == {jnp.dtype(jnp.bfloat16)}
  assert got.logits.dtype == got.pooled.dtype == jnp.float32
  error = jnp.abs(got.logits - want.logits).max()
  assert 0 < error < tolerance * jnp.ptp(want.logits)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(
      a, b, rtol=tolerance, atol=tolerance
    ),
    stats,
    want_stats,
  )


def test_training_normalises_by_all_views_and_moves_statistics():
  module = models.create('resnet8', num_classes=10)
  params, batch_stats = random_network(module)
  views = jnp.asarray(np.random.RandomState(1).rand(3, 2, 32, 32, 3), 'f')
  out, stats = models.outputs(module, params, batch_stats, views, train=True)
  merged = views.reshape(6, 1, 32, 32, 3)
  flat, _ = models.outputs(module, params, batch_stats, merged, train=True)
  assert out.logits.shape == (3, 2, 10)
  assert out.pooled.shape == (3, 2, 64)
  np.testing.assert_allclose(
    out.logits.reshape(6, 10), flat.logits[:, 0], rtol=1e-5, atol=1e-5
  )
  stem = layers.Conv(16, 5, 2).apply(
    {'params': params['conv_stem']}, views.reshape(6, 32, 32, 3)
  )
  old = batch_stats['bn_stem']
  for name, now in (
    ('mean', stem.mean((0, 1, 2))),
    ('var', stem.var((0, 1, 2))),
  ):
    want = 0.9 * old[name] + 0.1 * now
    np.testing.assert_allclose(stats['bn_stem'][name], want, rtol=1e-4)
  _, same = models.outputs(module, params, batch_stats, views, train=False)
  jax.tree.map(np.testing.assert_array_equal, same, batch_stats)


@pytest.mark.parametrize('name', models.NAMES)
def test_spec_makes_the_same_module(name):
  module = models.create(
    name, num_classes=7, width=1.41, stem='cifar', dtype=jnp.bfloat16
  )
  text = json.dumps(models.spec(module))
  again = models.from_spec(json.loads(text))
  assert again == module
  assert hash(again) == hash(module)
  assert again != models.create(name, num_classes=7, width=1.41, stem='cifar')


def test_spec_holds_the_options():
  tf = models.create('mobilenet_v2', num_classes=7, padding='tf', norm='folded')
  assert models.from_spec(models.spec(tf)) == tf
  affine = models.create('wide_resnet18_2', num_classes=7, norm='batch')
  assert models.from_spec(models.spec(affine)) == affine
  own = models.create('wide_resnet18_2', num_classes=7)
  assert own.norm == 'plain'
  assert own != affine
  plain = models.create('resnet18', num_classes=7, norm='plain')
  assert models.from_spec(models.spec(plain)) == plain
  assert plain != models.create('resnet18', num_classes=7)


def test_default_stems():
  stems = {n: models.create(n, num_classes=1).stem for n in models.NAMES}
  assert stems == {
    **dict.fromkeys((*TORCHVISION, *MOBILE), 'imagenet'),
    **dict.fromkeys((*CIFAR, *WIDE, *CONV), 'cifar'),
    'resnet8': 'half',
  }


def test_preprocessing_follows_the_stem():
  assert models.preprocessing('resnet18').resize == 256
  assert models.preprocessing('resnet18').mean == registry.IMAGENET_MEAN
  assert models.preprocessing('resnet18', stem='cifar').mean[0] == 0.4914
  assert models.preprocessing('resnet8').std == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ({'name': 'resnet19'}, 'resnet18, resnet34'),
    ({'name': 'resnet18', 'stem': 'vit'}, 'imagenet, cifar, half'),
    ({'name': 'resnet18', 'num_classes': 0}, 'num_classes=0'),
    ({'name': 'resnet18', 'width': 0.0}, 'width=0.0'),
    ({'name': 'resnet18', 'padding': 'tf'}, "no option 'padding'.* are stem"),
    ({'name': 'resnet18', 'norm': 'folded'}, 'choices are batch, plain'),
    ({'name': 'mobilenet_v2', 'padding': 'same'}, 'choices are torch, tf'),
    ({'name': 'wide_resnet28_10', 'stem': 'half'}, 'choices are cifar'),
  ],
)
def test_bad_names_and_sizes(arguments, message):
  with pytest.raises(ValueError, match=message):
    models.create(**{'num_classes': 10, **arguments})
