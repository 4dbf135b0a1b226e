"""Noise2Net: the random networks, and which images they distort."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj.augment import Noise2Net, normalise
from rcj.augment.noise2net import (
  Structure,
  apply,
  draw_structure,
  draw_weights,
  quantise,
)

HOW = {'mean': (0.49, 0.48, 0.45), 'std': (0.25, 0.24, 0.26)}


def photos(n, side=8):
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (n, side, side, 3), np.uint8)


@jax.jit
def run(key, images, first=0):
  return Noise2Net()(key, images, first=first, **HOW)


def test_half_of_the_images_are_distorted_and_the_others_are_left():
  x = photos(24)
  got, chosen = run(jax.random.key(0), x)
  chosen = np.asarray(chosen)
  assert 5 < chosen.sum() < 19
  clean = np.asarray(normalise(x, **HOW))
  np.testing.assert_allclose(got[~chosen], clean[~chosen], atol=1e-6)
  assert (np.abs(got - clean)[chosen].mean((1, 2, 3)) > 0.1).all()


def test_all_or_few_images():
  x = photos(2)
  for share in (1, 1e-6):
    distort = jax.jit(functools.partial(Noise2Net(share=share), **HOW))
    got, chosen = distort(jax.random.key(0), x)
    assert set(np.asarray(chosen).tolist()) == {share == 1}
    changed = np.abs(got - normalise(x, **HOW)).max((1, 2, 3)) > 1e-3
    np.testing.assert_array_equal(changed, chosen)


def test_an_image_depends_on_key_and_position_alone():
  x, key = photos(32), jax.random.key(1)
  whole, chosen = run(key, x[:24])
  later, still = run(key, x[8:], 8)
  np.testing.assert_array_equal(chosen[8:], still[:16])
  np.testing.assert_allclose(whole[8:], later[:16], atol=1e-4)
  twice, _ = run(key, np.stack([x[0]] * 24))
  distorted = np.asarray(twice)[np.asarray(chosen)]
  assert len(np.unique(distorted[:, 0, 0, 0])) == len(distorted)


def test_structures_are_drawn_as_in_the_original():
  keys = jax.random.split(jax.random.key(0), 2000)
  drawn = jax.jit(jax.vmap(draw_structure))(keys)
  kinds = np.bincount(np.asarray(drawn.kind).reshape(-1), minlength=4)
  expected = np.array([1 / 2, 1 / 6, 1 / 6, 1 / 6])
  share = kinds / kinds.sum()
  np.testing.assert_allclose(share, expected, atol=4 * 0.5 / 24000**0.5)
  epsilon = np.asarray(drawn.epsilon)
  assert 0.375 <= epsilon.min() < 0.38 < 0.74 < epsilon.max() <= 0.75


draw_all = jax.jit(jax.vmap(draw_weights))
apply_all = jax.jit(jax.vmap(apply, (0, 0, None)))


@pytest.mark.parametrize('kinds', [(0, 1, 2), (3, 2, 0)])
def test_network_is_pytorchs_of_grouped_convolutions(kinds):
  """The original's way: one group per image, BatchNorm of a batch of one."""
  torch = pytest.importorskip('torch')
  F = torch.nn.functional
  n = 2
  images = np.random.default_rng(0).normal(size=(n, 9, 11, 3)).astype('f')
  shared = Structure(kind=jnp.int32([kinds] * 4), epsilon=jnp.float32(0.5))
  keys = jax.random.split(jax.random.key(0), n)
  weights = draw_all(keys)
  got = apply_all(images, weights, shared)

  def conv(x, w, kind=0):
    """`w` is [n,k,k,I,O]; the bias is drawn, and must not matter."""
    w = torch.tensor(np.array(w)).permute(0, 4, 3, 1, 2).flatten(0, 1)
    bias = torch.rand(len(w))
    how = {'dilation': max(kind, 1), 'padding': kind if w.shape[2] > 1 else 0}
    return F.conv2d(x, w, bias, groups=n, **how)

  def norm(x):
    return F.batch_norm(x, None, None, training=True)

  x = torch.tensor(images).permute(0, 3, 1, 2).reshape(1, 3 * n, 9, 11)
  for b in range(4):
    y = F.relu(norm(conv(x, weights.enter[:, b, None, None])))
    parts = y.view(1, n, 4, 16, 9, 11)
    parts = [parts[:, :, i].flatten(1, 2) for i in range(4)]
    shown, last = [], 0
    for i, kind in enumerate(kinds):
      w = weights.inner[:, b, i]
      w = w if kind else 3 * w[:, 1:2, 1:2]
      last = F.relu(norm(conv(last + parts[i], w, kind)))
      shown.append(last)
    y = torch.stack([*shown, parts[3]], 1).view(1, 4, n, 16, 9, 11)
    y = y.transpose(1, 2).flatten(1, 3)
    x = x + 0.5 * norm(conv(y, weights.leave[:, b, None, None]))
  expected = x.view(n, 3, 9, 11).permute(0, 2, 3, 1).numpy()
  np.testing.assert_allclose(got, expected, atol=2e-4)


def test_bytes_are_clipped_and_truncated():
  values = np.float32([-20, 0.4, 1.6, 254.9, 255, 300])
  pixels = np.stack([values] * 3, -1)[None, None]
  normalised = (pixels / 255 - HOW['mean']) / HOW['std']
  got = quantise(jnp.float32(normalised), **HOW)
  assert got.dtype == jnp.uint8
  assert got[0, 0, :, 0].tolist() == [0, 0, 1, 254, 255, 255]


def test_options_out_of_range_are_named():
  with pytest.raises(ValueError, match=r'in \(0, 1\], got 0'):
    Noise2Net(share=0)
  with pytest.raises(ValueError, match='max_epsilon must be positive, got -1'):
    Noise2Net(max_epsilon=-1)
  with pytest.raises(TypeError, match='needs uint8'):
    Noise2Net()(jax.random.key(0), np.zeros((2, 8, 8, 3), np.float32), **HOW)
