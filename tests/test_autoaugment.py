import functools
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from rcj.augment import (
  AutoAugment,
  apply_autoaugment,
  autoaugment,
  autoaugment_plan,
)
from rcj.augment.autoaugment import OPS, Plan, table
from rcj.augment.nearest import fixed_point, warp
from rcj.augment.packed import pack, unpack
from rcj.augment.warps import rotation

POLICIES = ('cifar10', 'imagenet')
NEGATIVE, POSITIVE = 0, 1
execute = jax.jit(apply_autoaugment)


@jax.jit
def warped(image, matrix):
  return unpack(warp(pack(image), matrix))


@pytest.mark.parametrize('size', [(37, 53), (53, 37), (32, 32), (224, 224)])
def test_warps_to_the_nearest_pixel_equal_pillow(size):
  x = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
  image = Image.fromarray(x)
  for degrees in (*np.linspace(-30, 30, 19), 0.7, -11.3):
    got = warped(x, fixed_point(np.array(rotation(degrees, *size))))
    np.testing.assert_array_equal(got, image.rotate(degrees), str(degrees))
  for level in range(-9, 10):
    factor = 0.3 * level / 9
    matrices = (
      *((1, factor, 0, 0, 1, 0), (1, 0, 0, factor, 1, 0)),
      *((1, 0, 3 * level, 0, 1, 0), (1, 0, 0, 0, 1, 3 * level)),
    )
    for matrix in matrices:
      want = image.transform(image.size, Image.Transform.AFFINE, matrix)
      got = warped(x, fixed_point(np.array(matrix)))
      np.testing.assert_array_equal(got, want, str(matrix))


def of_sign(both: Plan, sign: int) -> Plan:
  """The plan that applies both operations of each pair with this sign."""
  return Plan(both.op, both.param[:, :, sign], both.matrix[:, :, sign])


@pytest.mark.parametrize('policy', POLICIES)
def test_every_pair_equals_torchvisions_to_the_last_bit(golden, policy):
  """Recorded from torchvision 0.28.0 with Pillow 13.0.0, both signs."""
  expected = golden('augment/autoaugment')
  image = golden('augment/images')['astronaut_32'][4:28]
  probability, both = table(policy, height=24, width=32)
  np.testing.assert_allclose(probability, expected[f'{policy}|probability'])
  x = np.repeat(image[None], len(probability), 0)
  for sign in (NEGATIVE, POSITIVE):
    got = execute(x, of_sign(both, sign))
    np.testing.assert_array_equal(got, expected[policy][:, sign])


def words(plan: Plan) -> list[bytes]:
  """What is done to each image, as something to count."""
  done = np.asarray(plan.op) >= 0
  arrays = (plan.op, plan.param, plan.matrix)
  parts = [np.asarray(a).reshape(*done.shape, -1) for a in arrays]
  rows = np.concatenate([part.astype(np.float64) for part in parts], -1)
  return [row.tobytes() for row in np.where(done[..., None], rows, -1)]


def chances(policy: str) -> Counter[bytes]:
  """{word: probability} of all that may be done to an image."""
  probability, both = table(policy, height=24, width=32)
  found = Counter()
  for applied in np.ndindex(2, 2):
    chance = np.where(applied, probability, 1 - probability).prod(-1) / 25
    for signs in np.ndindex(2, 2):
      slots = np.arange(2)
      plan = Plan(
        np.where(applied, both.op, -1),
        both.param[:, slots, signs],
        both.matrix[:, slots, signs],
      )
      for word, p in zip(words(plan), chance, strict=True):
        found[word] += p / 4
  return found


@functools.partial(jax.jit, static_argnames=('policy', 'n'))
def draw(key, first=0, *, policy, n):
  return autoaugment_plan(
    key, n, height=24, width=32, policy=policy, first=first
  )


N = 20_000


@pytest.mark.parametrize('policy', POLICIES)
def test_pairs_operations_and_signs_are_as_likely_as_they_should_be(policy):
  expected = {w: N * p for w, p in chances(policy).items() if p > 1e-9}
  seen = Counter(words(draw(jax.random.key(1), policy=policy, n=N)))
  assert sum(expected.values()) == pytest.approx(N)
  assert set(seen) <= set(expected)
  assert len(expected) > 60
  chi = sum((seen[w] - e) ** 2 / e for w, e in expected.items())
  freedom = len(expected) - 1
  assert chi < freedom + 5 * np.sqrt(2 * freedom)


def test_levels_are_those_of_the_paper():
  """The last operations of rows that have one: what CIFAR's levels mean."""
  _, both = table('cifar10', height=331, width=662)
  names = np.array(OPS)[both.op]
  warps = both.matrix / 65536
  rotated = warps[1, 0]
  angle = np.degrees(np.arctan2(rotated[:, 1], rotated[:, 0]))
  np.testing.assert_allclose(np.abs(angle), 30 * 2 / 9, atol=1e-3)
  across, down = warps[1, 1], warps[21, 0]
  assert {*across[:, 2] - 0.5} == {-300, 300}
  assert {*down[:, 5] - 0.5} == {-150, 150}
  np.testing.assert_allclose(np.abs(warps[3, 0, :, 3]), 0.3 * 8 / 9, atol=1e-5)
  assert names[14].tolist() == ['solarize', 'solarize']  # the latter inverts
  assert both.param[14].tolist() == [[199, 199], [0, 0]]
  assert names[5, 1] == 'posterize'
  assert both.param[5, 1].tolist() == [5, 5]
  np.testing.assert_allclose(both.param[2, 1], [0.7, 1.3], rtol=1e-6)


def test_plan_depends_on_key_and_position_only():
  key, how = jax.random.key(0), {'policy': 'cifar10'}
  whole = words(draw(key, n=N, **how))
  assert whole[5:45] == words(draw(key, 5, n=40, **how))
  assert whole[:40] != words(draw(jax.random.key(1), n=40, **how))


def test_autoaugment_is_drawing_and_executing_in_one_program():
  key = jax.random.key(3)
  # Of the shape that the golden vectors have: `execute` is compiled already.
  x = np.random.default_rng(0).integers(0, 256, (25, 24, 32, 3), np.uint8)
  run = jax.jit(functools.partial(autoaugment, policy='imagenet'))
  got = run(key, x)
  assert got.shape == x.shape
  assert got.dtype == jnp.uint8
  plan = draw(key, policy='imagenet', n=25)
  np.testing.assert_array_equal(got, execute(x, plan))
  assert not np.array_equal(got, run(jax.random.key(4), x))
  assert run._cache_size() == 1
  assert not jax.config.jax_enable_x64


def test_what_does_not_exist_or_fit_is_named():
  with pytest.raises(ValueError, match=r"'svhn'; there are cifar10, imagenet"):
    AutoAugment('svhn')
  x = np.zeros((2, 8, 8, 3), np.uint8)
  key = jax.random.key(0)
  with pytest.raises(TypeError, match='needs uint8 images'):
    autoaugment(key, x.astype(np.float32), policy='cifar10')
  _, both = table('cifar10', height=8, width=8)
  plan = of_sign(both, POSITIVE)
  with pytest.raises(ValueError, match='the plan is for 25 images, got 2'):
    apply_autoaugment(x, plan)
