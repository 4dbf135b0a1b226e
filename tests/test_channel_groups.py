"""Channel groups: masking a channel and removing it are the same network."""

from __future__ import annotations

import dataclasses
import functools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import SMALL_MOBILE, shapes

from rcj import masks, models, scores, size, tree
from rcj.models import mobile_plan, resnet_plan, wide_plan
from rcj.models.mobile import MobileNet
from rcj.models.resnet import ResNet
from rcj.models.resnet_plan import Architecture
from rcj.models.wide_resnet import WideResNet

SMALL = {
  'basic': Architecture('basic', (2, 2), (8, 16)),
  'bottleneck': Architecture('bottleneck', (2, 1), (4, 8), bottleneck=True),
  'pad': Architecture('pad', (2, 2), (8, 16), downsample='pad'),
}


def variables(module, seed=0):
  """Parameters and statistics without special values, as NumPy arrays."""
  rs = np.random.RandomState(seed)

  def leaf(name, x):
    if name.endswith(('var', 'scale')):
      return rs.uniform(0.5, 1.5, x.shape).astype(np.float32)
    fan_in = math.prod(x.shape[:-1]) if len(x.shape) > 1 else 4
    return (rs.standard_normal(x.shape) * fan_in**-0.5).astype(np.float32)

  return tuple(tree.map_named(leaf, x) for x in shapes(module))


def statistics(group):
  """Names of the running statistics of a group's BatchNorms."""
  scales = [f for f in group.followers if f.endswith('/scale')]
  norms = [f.rpartition('/')[0] for f in scales]
  return [f'{n}/{s}' for n in norms for s in ('mean', 'var')]


def mask(params, group, dead):
  named = tree.leaves(params)
  changed = {}
  for name in (*group.kernels, *group.followers):
    changed[name] = named[name].copy()
    changed[name][..., dead] = 0
  return tree.replace_leaves(params, changed)


def remove(params, stats, group, dead):
  named, named_stats = tree.leaves(params), tree.leaves(stats)
  writers = (*group.kernels, *group.followers)
  changed = {n: np.delete(named[n], dead, -1) for n in writers}
  params = tree.replace_leaves(params, changed)
  named = tree.leaves(params)  # a kernel may write and read one group
  changed = {n: np.delete(named[n], dead, -2) for n in group.readers}
  smaller = {n: np.delete(named_stats[n], dead, -1) for n in statistics(group)}
  return (
    tree.replace_leaves(params, changed),
    tree.replace_leaves(stats, smaller),
  )


def halve_inner(architecture, width):
  """The plan of a network whose inner convolutions lost half their filters."""

  def block(b):
    inner = [
      dataclasses.replace(c, features=c.features // 2) for c in b.convs[:-1]
    ]
    return dataclasses.replace(b, convs=(*inner, b.convs[-1]))

  stages = _stages(architecture, width)
  return tuple(tuple(block(b) for b in blocks) for blocks in stages)


_stages = resnet_plan.stages


@pytest.mark.parametrize('name', SMALL)
def test_masking_equals_removing(name, monkeypatch):
  module = ResNet(SMALL[name], 5)
  if name == 'pad':
    halved = module
  else:
    halved = dataclasses.replace(module, width=0.5)
  x = jnp.asarray(np.random.RandomState(9).randn(2, 32, 32, 3), jnp.float32)

  def run(module, params, stats):
    v = {'params': params, 'batch_stats': stats}
    return module.apply(v, x, train=False)[0]

  full = jax.jit(lambda p, s: run(module, p, s))
  small = jax.jit(lambda p, s: run(halved, p, s))
  for seed in range(3):
    params, stats = variables(module, seed)
    intact = full(params, stats)
    rs = np.random.RandomState(seed)
    masked, left, left_stats = params, params, stats
    for group in models.channel_groups(module):
      n = tree.leaves(params)[group.kernels[0]].shape[-1]
      dead = rs.choice(n, n // 2, replace=False)
      masked = mask(masked, group, dead)
      left, left_stats = remove(left, left_stats, group, dead)
    want = full(masked, stats)
    with monkeypatch.context() as patch:
      if name == 'pad':
        patch.setattr(resnet_plan, 'stages', halve_inner)
      got = small(left, left_stats)
    np.testing.assert_allclose(got, want, atol=1e-4 * np.ptp(want))
    assert np.abs(intact - want).max() > 1e-2 * np.ptp(want)


def like(stages, params):
  """The plan of a mobile network with the channels that are left."""

  def block(b):
    p = params[b.name]
    return dataclasses.replace(
      b,
      hidden=p['conv_depthwise']['kernel'].shape[-1],
      features=p['conv_project']['kernel'].shape[-1],
    )

  return tuple(tuple(block(b) for b in blocks) for blocks in stages)


def by_l1(params, groups, density):
  """Masks of the filters with the largest norms."""
  norms = scores.l1_filter(params, masks.eligible(params), groups=groups)
  return masks.keep_top(norms, density=density, scope='layer')


@pytest.mark.parametrize(
  ('name', 'width', 'norm'),
  [
    ('relu6', 0.25, 'batch'),  # stem and first block have equal widths
    ('relu6', 0.25, 'folded'),
    ('relu', 0.75, 'batch'),
  ],
)
def test_masking_mobile_filters_by_l1_equals_removing(
  name, width, norm, monkeypatch
):
  module = MobileNet(SMALL_MOBILE[name], 5, width=width, stem='half', norm=norm)
  params, stats = variables(module)
  groups = models.channel_groups(module)
  mask = by_l1(params, groups, 0.6)
  masked = masks.apply(params, mask)
  left, left_stats = params, stats
  for group in groups:
    alive = np.asarray(tree.leaves(mask)[group.kernels[0]]).ravel()
    left, left_stats = remove(left, left_stats, group, np.flatnonzero(~alive))
  x = jnp.asarray(np.random.RandomState(9).randn(4, 1, 32, 32, 3), jnp.float32)

  def run(params, stats):
    return models.outputs(module, params, stats, x, train=False)[0].logits

  want, intact = jax.jit(run)(masked, stats), jax.jit(run)(params, stats)
  stem = left['conv_stem']['kernel'].shape[-1]
  last = left['conv_last']['kernel'].shape[-1]
  plan = like(mobile_plan.stages(module.architecture, width, 'half'), left)
  monkeypatch.setattr(mobile_plan, 'stem_features', lambda *_: stem)
  monkeypatch.setattr(mobile_plan, 'last_features', lambda *_: last)
  monkeypatch.setattr(mobile_plan, 'stages', lambda *_: plan)
  got = jax.jit(lambda p, s: run(p, s))(left, left_stats)
  np.testing.assert_allclose(got, want, atol=1e-4 * np.ptp(want))
  assert np.abs(intact - want).max() > 1e-2 * np.ptp(want)
  assert size.remaining(params, mask, groups=groups) == size.total(left)
  assert size.total(left) < 0.7 * size.total(params)


@pytest.mark.parametrize('card', [False, True])
def test_masking_before_preactivation_equals_removing(card):
  architecture = wide_plan.Architecture(
    'pre', (2, 2), (8, 16), 8 if card else 4,
    activated_skip=card, projection_norm=card, head_bias=not card,
  )  # fmt: skip
  module = WideResNet(architecture, 5)
  x = jnp.asarray(np.random.RandomState(9).randn(2, 1, 16, 16, 3), jnp.float32)

  @functools.partial(jax.jit, static_argnums=0)
  def run(module, params, stats):
    return models.outputs(module, params, stats, x, train=False)[0].logits

  params, stats = variables(module)
  groups = models.channel_groups(module)
  mask = by_l1(params, groups, 0.5)
  left, left_stats = params, stats
  for group in groups:
    alive = np.asarray(tree.leaves(mask)[group.kernels[0]]).ravel()
    left, left_stats = remove(left, left_stats, group, np.flatnonzero(~alive))
  want = run(module, masks.apply(params, mask), stats)
  got = run(module.clone(width=0.5), left, left_stats)
  np.testing.assert_allclose(got, want, atol=1e-4 * np.ptp(want))
  intact = run(module, params, stats)
  assert np.abs(intact - want).max() > 1e-2 * np.ptp(want)
  assert size.remaining(params, mask, groups=groups) == size.total(left)


def test_plain_batchnorm_has_no_groups():
  assert (
    models.channel_groups(models.create('wide_resnet18_2', num_classes=2)) == ()
  )


@pytest.mark.parametrize(
  ('name', 'options'),
  [
    *((n, {}) for n in models.NAMES if n not in ('resnet101', 'resnet152')),
    ('mobilenet_v2', {'width': 0.25, 'stem': 'cifar'}),
    ('mobilenet_v2', {'width': 1.41}),
    ('mobilenet_v2', {'norm': 'folded', 'padding': 'tf'}),
    ('mnasnet1_0', {'width': 0.3, 'stem': 'half'}),
    ('wide_resnet18_2', {'norm': 'batch', 'width': 0.5}),
  ],
)
def test_every_convolution_is_in_one_group(name, options):
  module = models.create(name, num_classes=10, **options)
  params, _ = shapes(module)
  sizes = {n: x.shape for n, x in tree.leaves(params).items()}
  groups = models.channel_groups(module)
  if getattr(module, 'norm', None) == 'plain':
    assert groups == ()
    return
  for group in groups:
    (n,) = {sizes[k][-1] for k in (*group.kernels, *group.followers)}
    assert {sizes[r][-2] for r in group.readers} == {n}
  written = [k for group in groups for k in group.kernels]
  followed = [f for group in groups for f in group.followers]
  read = [r for group in groups for r in group.readers]
  depthwise = {n for n in sizes if n.endswith('conv_depthwise/kernel')}
  convs = {n for n in sizes if re.search(r'conv\w*/kernel', n)} - depthwise
  stream = set()
  if getattr(module.architecture, 'downsample', None) == 'pad':
    stream = {n for n in convs if 'conv_stem' in n or 'conv2' in n}
  assert sorted(written) == sorted(convs - stream)
  # Each kernel but the stem reads the channels of one group.
  unread = {'head/kernel', *(n for n in convs if 'conv1' in n)}
  readers = (convs - {'conv_stem/kernel'}) | {'head/kernel'}
  assert sorted(read) == sorted(readers - (unread if stream else set()))
  rest = set(sizes) - convs - {'head/kernel', 'head/bias'}
  untied = {n for n in rest if 'bn_stem' in n or 'bn2' in n}
  assert sorted(followed) == sorted(rest - (untied if stream else set()))


def test_option_a_leaves_the_stream_alone():
  groups = models.channel_groups(models.create('resnet20', num_classes=10))
  assert len(groups) == 9
  assert groups[0].kernels == ('stage1_block1/conv1/kernel',)
  assert groups[0].followers == (
    'stage1_block1/bn1/scale',
    'stage1_block1/bn1/bias',
  )
  assert groups[0].readers == ('stage1_block1/conv2/kernel',)


def test_projection_starts_a_new_group():
  groups = models.channel_groups(models.create('resnet50', num_classes=10))
  stem = next(g for g in groups if 'conv_stem/kernel' in g.kernels)
  assert stem.kernels == ('conv_stem/kernel',)
  assert stem.readers == (
    'stage1_block1/conv1/kernel',
    'stage1_block1/conv_shortcut/kernel',
  )
  (last,) = [g for g in groups if 'head/kernel' in g.readers]
  assert set(last.kernels) == {
    'stage4_block1/conv_shortcut/kernel',
    'stage4_block1/conv3/kernel',
    'stage4_block2/conv3/kernel',
    'stage4_block3/conv3/kernel',
  }
