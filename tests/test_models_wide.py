"""Wide ResNets against a second forward pass, in PyTorch's names and layout."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import random_network, shapes, size_of

from rcj import models, tree
from rcj.models import wide_resnet
from rcj.models.wide_plan import Architecture
from rcj.models.wide_resnet import WideResNet

STANDARD = Architecture('standard', (2, 2), (8, 16), 4)
CARD = Architecture(
  'card',
  (2, 2),
  (8, 16),
  8,
  activated_skip=True,
  projection_norm=True,
  head_bias=False,
  norm='plain',
)


def test_parameter_counts():
  params, _ = shapes(models.create('wide_resnet28_10', num_classes=10))
  assert size_of(params) == 36_479_194
  params, batch_stats = shapes(models.create('wide_resnet18_2', num_classes=10))
  widths = (64, 192, 384, 768)
  convs, before = 27 * 64, 64
  for w in widths:
    convs += 9 * (before * w + 3 * w * w)
    convs += before * w if w != before else 0
    before = w
  assert size_of(params) == convs + 768 * 10
  assert all(n.endswith('kernel') for n in tree.names(params))
  assert batch_stats['bn_last']['var'].shape == (768,)


def test_maps_and_pooled_feature():
  module = models.create('wide_resnet18_2', num_classes=10)
  params, batch_stats = shapes(module)
  out, _ = jax.eval_shape(
    lambda p, s: models.outputs(
      module, p, s, jnp.zeros((2, 1, 32, 32, 3)), train=True
    ),
    params,
    batch_stats,
  )
  assert [m.shape[2:] for m in out.maps] == [
    (32, 32, 64),
    (16, 16, 192),
    (8, 8, 384),
    (4, 4, 768),
  ]
  assert out.pooled.shape == (2, 1, 768)


def in_torch(architecture, params, batch_stats):
  """{PyTorch's name: array in PyTorch's layout}."""
  back = {o: t for t, o in wide_resnet.torch_names(architecture).items()}
  words = {'scale': 'weight', 'mean': 'running_mean', 'var': 'running_var'}
  state = {}
  for n, x in [*tree.leaves(params).items(), *tree.leaves(batch_stats).items()]:
    module, _, leaf = n.rpartition('/')
    x = np.asarray(x)
    if leaf == 'kernel':
      x = x.transpose(3, 2, 0, 1) if x.ndim == 4 else x.T
      leaf = 'weight'
    state[f'{back[module]}.{words.get(leaf, leaf)}'] = x
  return state


def forward_in_torch(torch, state, x, card):
  """The two networks as their authors describe them, on NHWC images."""
  f = torch.nn.functional
  t = {k: torch.from_numpy(np.array(v)) for k, v in state.items()}

  def norm(x, name):
    stats = (t[f'{name}.running_mean'], t[f'{name}.running_var'])
    affine = (t.get(f'{name}.weight'), t.get(f'{name}.bias'))
    return f.batch_norm(x, *stats, *affine)

  def conv(x, name, stride=1):
    w = t[f'{name}.weight']
    return f.conv2d(x, w, stride=stride, padding=w.shape[-1] // 2)

  x = conv(torch.from_numpy(x).permute(0, 3, 1, 2), 'conv1')
  for s in (1, 2):
    for b in (0, 1):
      at = f'layer{s}.{b}' if card else f'block{s}.layer.{b}'
      stride = 2 if s == 2 and b == 0 else 1
      active = f.relu(norm(x, f'{at}.bn1'))
      y = conv(active, f'{at}.conv1', stride)
      y = conv(f.relu(norm(y, f'{at}.bn2')), f'{at}.conv2')
      if f'{at}.convShortcut.weight' in t:
        x = conv(active, f'{at}.convShortcut', stride)
      elif f'{at}.shortcut.0.weight' in t:
        x = conv(active, f'{at}.shortcut.0', stride)
        x = norm(x, f'{at}.shortcut.1')
      elif card:
        x = active
      x = x + y
  pooled = f.relu(norm(x, 'bn1')).mean((2, 3))
  return f.linear(pooled, t['fc.weight'], t.get('fc.bias')).numpy()


@pytest.mark.parametrize('architecture', [STANDARD, CARD])
def test_logits_equal_torch(architecture):
  torch = pytest.importorskip('torch')
  module = WideResNet(architecture, 5, norm=architecture.norm)
  params, batch_stats = random_network(module)
  card = architecture is CARD
  state = in_torch(architecture, params, batch_stats)
  shortcut = 'layer2.0.shortcut.0.weight' if card else None
  assert (shortcut or 'block2.layer.0.convShortcut.weight') in state
  assert ('block1.layer.0.convShortcut.weight' in state) != card
  x = np.random.RandomState(1).randn(3, 8, 8, 3).astype(np.float32)
  want = forward_in_torch(torch, state, x, card)
  out, _ = models.outputs(module, params, batch_stats, x[:, None], train=False)
  np.testing.assert_allclose(out.logits[:, 0], want, atol=2e-4 * np.ptp(want))
