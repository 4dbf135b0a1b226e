"""Channel groups: which channels can be masked, and then removed, together."""

from __future__ import annotations

import dataclasses
import re

import jax.numpy as jnp
import numpy as np
import pytest
from networks import SMALL_MOBILE, frozen_of, shapes

from rcj import masks, models, scores, size, tree
from rcj.models import wide_plan
from rcj.models.mobile import MobileNet
from rcj.models.resnet import ResNet
from rcj.models.resnet_plan import Architecture
from rcj.models.wide_resnet import WideResNet
from rcj.shrink import shrink


def wide(card):
  return wide_plan.Architecture(
    'pre', (2, 2), (8, 16), 8 if card else 4,
    activated_skip=card, projection_norm=card, head_bias=not card,
  )  # fmt: skip


SMALL = {
  'bottleneck': ResNet(
    Architecture('bottleneck', (2, 1), (4, 8), bottleneck=True), 5
  ),
  # The stem and the first block have equal widths.
  'folded': MobileNet(
    SMALL_MOBILE['relu6'], 5, width=0.25, stem='half', norm='folded'
  ),
  'relu': MobileNet(SMALL_MOBILE['relu'], 5, width=0.75, stem='half'),
  'wide': WideResNet(wide(card=False), 5),
  'card': WideResNet(wide(card=True), 5),
  'flattened': models.create('conv2', num_classes=5, width=1 / 16),
}


@pytest.mark.parametrize('name', SMALL)
def test_what_l1_norms_of_groups_mask_can_be_removed(name):
  frozen = frozen_of(SMALL[name])
  params, groups = frozen.params, models.channel_groups(frozen.model)
  norms = scores.l1_filter(params, masks.eligible(params), groups=groups)
  mask = masks.keep_top(norms, density=0.5, scope='layer')
  masked = dataclasses.replace(frozen, masks=mask)
  small = shrink(masked)
  x = jnp.asarray(np.random.RandomState(9).randn(2, 32, 32, 3), jnp.float32)
  got, want, intact = (models.logits(n, x) for n in (small, masked, frozen))
  np.testing.assert_allclose(got, want, atol=1e-4 * np.ptp(want), rtol=0)
  assert np.abs(intact - want).max() > 1e-2 * np.ptp(want)
  # Half of the channels of every group are gone, followers and all.
  known = tree.leaves(small.params)
  for group in groups:
    for leaf in (*group.kernels, *group.followers):
      assert known[leaf].shape[-1] * 2 == tree.leaves(params)[leaf].shape[-1]
  left = size.remaining(params, mask, groups=groups)
  assert left == size.total(small.params)


@pytest.mark.parametrize('name', ['wide_resnet18_2', 'resnet18', 'resnet20'])
def test_plain_batchnorm_has_no_groups(name):
  module = models.create(name, num_classes=2, norm='plain')
  assert models.channel_groups(module) == ()


# Without the deepest; test_models_conv.py has those without blocks.
OF_BLOCKS = [
  name
  for name in models.NAMES
  if name not in ('resnet101', 'resnet152') and not name.startswith('conv')
]


@pytest.mark.parametrize(
  ('name', 'options'),
  [
    *((name, {}) for name in OF_BLOCKS),
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
