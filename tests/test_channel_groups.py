"""Channel groups: masking a channel and removing it are the same network."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import models, tree
from rcj.models import plan
from rcj.models.plan import Architecture
from rcj.models.resnet import ResNet

SMALL = {
  'basic': Architecture('basic', (2, 2), (8, 16)),
  'bottleneck': Architecture('bottleneck', (2, 1), (4, 8), bottleneck=True),
  'pad': Architecture('pad', (2, 2), (8, 16), downsample='pad'),
}


def variables(module, seed=0):
  """Parameters and statistics without special values, as '/'-named arrays."""
  shapes = jax.eval_shape(
    lambda key: models.init(key, module, size=16), jax.random.key(0)
  )
  rs = np.random.RandomState(seed)

  def leaf(name, x):
    if name.endswith(('var', 'scale')):
      return rs.uniform(0.5, 1.5, x.shape).astype(np.float32)
    fan_in = math.prod(x.shape[:-1]) if len(x.shape) > 1 else 4
    return (rs.standard_normal(x.shape) * fan_in**-0.5).astype(np.float32)

  return tuple(tree.map_named(leaf, x) for x in shapes)


def statistics(group):
  """Names of the running statistics of a group's BatchNorms."""
  norms = {f.rpartition('/')[0] for f in group.followers}
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


_stages = plan.stages


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
    for group in module.channel_groups():
      n = tree.leaves(params)[group.kernels[0]].shape[-1]
      dead = rs.choice(n, n // 2, replace=False)
      masked = mask(masked, group, dead)
      left, left_stats = remove(left, left_stats, group, dead)
    want = full(masked, stats)
    with monkeypatch.context() as patch:
      if name == 'pad':
        patch.setattr(plan, 'stages', halve_inner)
      got = small(left, left_stats)
    np.testing.assert_allclose(got, want, atol=1e-4 * np.ptp(want))
    assert np.abs(intact - want).max() > 1e-2 * np.ptp(want)


@pytest.mark.parametrize(
  'name', [n for n in models.NAMES if n not in ('resnet101', 'resnet152')]
)
def test_every_convolution_is_in_one_group(name):
  module = models.create(name, num_classes=10)
  params, _ = variables(module)
  shapes = {n: x.shape for n, x in tree.leaves(params).items()}
  groups = module.channel_groups()
  for group in groups:
    (n,) = {shapes[k][-1] for k in (*group.kernels, *group.followers)}
    assert {shapes[r][-2] for r in group.readers} == {n}
  written = [k for group in groups for k in group.kernels]
  read = [r for group in groups for r in group.readers]
  convs = {n for n in shapes if 'conv' in n}
  stream = set()
  if module.architecture.downsample == 'pad':
    stream = {n for n in convs if 'conv_stem' in n or 'conv2' in n}
  assert sorted(written) == sorted(convs - stream)
  # Each kernel but the stem reads the channels of one group.
  unread = {'head/kernel', *(n for n in convs if 'conv1' in n)}
  readers = (convs - {'conv_stem/kernel'}) | {'head/kernel'}
  assert sorted(read) == sorted(readers - (unread if stream else set()))


def test_option_a_leaves_the_stream_alone():
  groups = models.create('resnet20', num_classes=10).channel_groups()
  assert len(groups) == 9
  assert groups[0].kernels == ('stage1_block1/conv1/kernel',)
  assert groups[0].followers == (
    'stage1_block1/bn1/scale',
    'stage1_block1/bn1/bias',
  )
  assert groups[0].readers == ('stage1_block1/conv2/kernel',)


def test_projection_starts_a_new_group():
  groups = models.create('resnet50', num_classes=10).channel_groups()
  stem = next(g for g in groups if 'conv_stem/kernel' in g.kernels)
  assert stem.kernels == ('conv_stem/kernel',)
  assert stem.readers == (
    'stage1_block1/conv1/kernel',
    'stage1_block1/conv_shortcut/kernel',
  )
  (last,) = [g for g in groups if 'head/kernel' in g.readers]
  assert last.kernels == (
    'stage4_block1/conv_shortcut/kernel',
    'stage4_block1/conv3/kernel',
    'stage4_block2/conv3/kernel',
    'stage4_block3/conv3/kernel',
  )
