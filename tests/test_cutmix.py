import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from rcj import losses
from rcj.augment import CutMix, apply_cutmix, cutmix, cutmix_plan
from rcj.augment.cutmix import Plan, _box
from rcj.types import Outputs

B, H, W, K = 8, 12, 20, 5


def batch(seed=0):
  rng = np.random.default_rng(seed)
  images = rng.integers(0, 256, (B, H, W, 3), np.uint8)
  return images, rng.integers(0, K, B).astype(np.int32)


def test_a_box_shows_the_partner_and_labels_weigh_as_their_pixels():
  images, labels = batch()
  partner = np.roll(np.arange(B, dtype=np.int32), 3)
  plan = Plan(jnp.array(partner), jnp.array([2, 5, 8, 20], jnp.int32))
  got, target = apply_cutmix(images, labels, plan, num_classes=K)
  want = images.copy()
  want[:, 2:8, 5:20] = images[partner, 2:8, 5:20]
  np.testing.assert_array_equal(got, want)
  kept = 1 - 6 * 15 / (H * W)
  one_hot = np.eye(K)[labels]
  np.testing.assert_allclose(
    target, kept * one_hot + (1 - kept) * one_hot[partner], atol=1e-6
  )


def test_an_empty_box_changes_nothing():
  images, labels = batch()
  plan = Plan(jnp.arange(B)[::-1], jnp.array([3, 3, 3, 9], jnp.int32))
  got, target = apply_cutmix(images, labels, plan, num_classes=K)
  np.testing.assert_array_equal(got, images)
  np.testing.assert_array_equal(target, np.eye(K)[labels])


@pytest.mark.parametrize(
  ('kept', 'y', 'x', 'expected'),
  [
    (0.75, 0.5, 0.5, [8, 16, 24, 48]),
    # Sides of int(22.62) and int(45.25) pixels, half of them rounded down.
    (0.5, 0.5, 0.5, [5, 10, 27, 54]),
    (0.75, 0.0, 0.99, [0, 47, 8, 64]),
    (0.0, 0.0, 0.0, [0, 0, 16, 32]),
    (1.0, 0.3, 0.3, [9, 19, 9, 19]),
  ],
)
def test_boxes_are_those_of_the_original(kept, y, x, expected):
  at = jnp.float32([kept, y, x])
  assert _box(*at, 32, 64).tolist() == expected


@functools.partial(jax.jit, static_argnames=('prob', 'beta'))
def draws(keys, *, prob, beta):
  plan = functools.partial(
    cutmix_plan, n=B, height=1000, width=1000, prob=prob, beta=beta
  )
  return jax.vmap(plan)(keys)


@pytest.mark.parametrize(('prob', 'beta'), [(0.5, 1.0), (1.0, 0.3)])
def test_draws_have_the_distributions_of_the_original(prob, beta):
  n = 4000
  plan = draws(jax.random.split(jax.random.key(0), n), prob=prob, beta=beta)
  order = np.asarray(plan.partner)
  np.testing.assert_array_equal(np.sort(order), np.tile(np.arange(B), (n, 1)))
  times = np.stack([(order == i).sum(0) for i in range(B)])
  assert np.abs(times - n / B).max() < 5 * np.sqrt(n / B)
  top, left, bottom, right = np.asarray(plan.box).T
  mixed = (bottom > top) & (right > left)
  # Beta(0.3, 0.3) often keeps so much that no pixel is cut out.
  assert prob < 1 or mixed.mean() > 0.8
  assert prob == 1 or abs(mixed.mean() - prob) < 5 * 0.5 / np.sqrt(n)
  whole = mixed & (top > 0) & (left > 0) & (bottom < 1000) & (right < 1000)
  assert (bottom - top == right - left)[whole].all()
  # Areas are those of the original's formula on draws of NumPy's.
  rng = np.random.default_rng(1)
  side = (1000 * np.sqrt(1 - rng.beta(beta, beta, 200_000))).astype(int) // 2
  centre = rng.integers(0, 1000, (2, 200_000))
  corners = np.clip(centre - side, 0, 1000), np.clip(centre + side, 0, 1000)
  areas = (corners[1] - corners[0]).prod(0)
  areas = areas[areas > 0]
  got = ((bottom - top) * (right - left))[mixed]
  for q in (0.1, 0.25, 0.5, 0.75, 0.9):
    below = (got <= np.quantile(areas, q)).mean()
    assert abs(below - q) < 5 * np.sqrt(q * (1 - q) / len(got)) + 0.005


def test_cutmix_is_drawing_and_executing_and_depends_on_the_key():
  images, labels = batch()
  run = jax.jit(functools.partial(cutmix, num_classes=K, prob=1.0))
  key = jax.random.key(5)
  got, target = run(key, images, labels)
  plan = cutmix_plan(key, B, height=H, width=W, prob=1.0)
  want, expected = apply_cutmix(images, labels, plan, num_classes=K)
  assert not np.array_equal(got, images)
  np.testing.assert_array_equal(got, want)
  np.testing.assert_allclose(target, expected, atol=1e-6)
  np.testing.assert_array_equal(got, run(key, images, labels)[0])
  assert not np.array_equal(got, run(jax.random.key(6), images, labels)[0])


def test_four_devices_mix_the_whole_batch():
  images, labels = batch()
  key, how = jax.random.key(5), {'num_classes': K, 'prob': 1.0}
  want, expected = cutmix(key, images, labels, **how)
  mesh = jax.make_mesh((4,), ('data',), axis_types=(AxisType.Auto,))
  split = P('data')
  run = jax.shard_map(
    functools.partial(cutmix, axis='data', **how),
    mesh=mesh,
    in_specs=(P(), split, split),
    out_specs=split,
    check_vma=False,
  )
  place = functools.partial(jax.device_put, device=NamedSharding(mesh, split))
  got, target = jax.jit(run)(key, place(images), place(labels))
  np.testing.assert_array_equal(got, want)
  np.testing.assert_allclose(target, expected, atol=1e-6)
  partner = cutmix_plan(key, B, height=H, width=W, prob=1.0).partner
  assert (np.asarray(partner) // 2 != np.arange(B) // 2).any()


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_the_loss_of_a_target_is_that_of_both_labels(smoothing):
  images, labels = batch()
  logits = np.random.default_rng(2).normal(size=(B, K)).astype(np.float32)
  plan = cutmix_plan(jax.random.key(5), B, height=H, width=W, prob=1.0)
  _, target = apply_cutmix(images, labels, plan, num_classes=K)
  top, left, bottom, right = np.asarray(plan.box)
  kept = 1 - (bottom - top) * (right - left) / (H * W)
  assert 0 < kept < 1
  term = losses.CrossEntropy(label_smoothing=smoothing)

  def loss(**shown):
    outputs = Outputs(jnp.array(logits)[:, None], (), None)
    return term(outputs, shown, None, {}, {}, None)[0]

  first, second = loss(label=labels), loss(label=labels[plan.partner])
  np.testing.assert_allclose(
    loss(label=labels, target=target),
    kept * first + (1 - kept) * second,
    rtol=1e-5,
  )


def test_what_does_not_fit_is_named():
  images, labels = batch()
  with pytest.raises(ValueError, match=r'prob .* in \(0, 1\], got 0'):
    CutMix(prob=0)
  with pytest.raises(ValueError, match=r'prob .* got 1.5'):
    CutMix(prob=1.5)
  with pytest.raises(ValueError, match='beta must be positive, got 0'):
    CutMix(beta=0)
  key = jax.random.key(0)
  with pytest.raises(TypeError, match='needs uint8 images'):
    cutmix(key, images.astype(np.float32), labels, num_classes=K)
  plan = cutmix_plan(key, B, height=H, width=W)
  with pytest.raises(ValueError, match=f'the plan is for {B} images, got 3'):
    apply_cutmix(images[:3], labels[:3], plan, num_classes=K)
