import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import native
from rcj.augment import Plan, apply_plan, augmix, augmix_plan, normalise
from rcj.augment.plan import split
from rcj.ops.augmix_options import NAMES, PAPER_OPS

IMAGENET = {'mean': (0.485, 0.456, 0.406), 'std': (0.229, 0.224, 0.225)}
HALF = {'mean': (0.5, 0.5, 0.5), 'std': (0.5, 0.5, 0.5)}
SIGNED = ('rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y')


run_plan = jax.jit(functools.partial(apply_plan, **IMAGENET))


def by_name(plan: Plan) -> dict[str, np.ndarray]:
  """{operation: the parameters it was drawn with}."""
  op, param = np.asarray(plan.op), np.asarray(plan.param)[..., 0]
  return {name: param[op == i] for i, name in enumerate(NAMES)}


@pytest.mark.parametrize('severity', [1, 3, 10])
def test_parameters_reach_the_ranges_of_the_paper(severity):
  drawn = by_name(
    augmix_plan(jax.random.key(1), 4000, size=224, severity=severity)
  )
  # The greatest whole values of int(u / 10 * maximum) for u below severity.
  degrees = {1: 2, 3: 8, 10: 29}[severity]
  pixels = {1: 7, 3: 22, 10: 74}[severity]
  assert (
    set(drawn['posterize']) == {1: {4}, 3: {3, 4}, 10: {1, 2, 3, 4}}[severity]
  )
  assert set(drawn['rotate']) == set(range(-degrees, degrees + 1))
  assert set(drawn['translate_x']) <= set(range(-pixels, pixels + 1))
  assert np.abs(drawn['translate_y']).max() >= pixels - 1
  solarize = drawn['solarize']
  least = {1: 231, 3: 180, 10: 1}[severity]
  assert least <= solarize.min() <= least + 2
  assert solarize.max() == 256 - int(25.6 * 0.1)
  for name in ('shear_x', 'shear_y'):
    size = np.abs(drawn[name])
    assert size.min() >= 0.003 - 1e-7
    assert 0.029 * severity < size.max() <= 0.03 * severity + 1e-7
  for name in SIGNED:
    values = drawn[name][drawn[name] != 0]
    assert abs((values > 0).mean() - 0.5) < 4 * 0.5 / np.sqrt(len(values))


def test_levels_are_uniform_and_drawn_anew_for_every_step():
  plan = augmix_plan(jax.random.key(2), 4000, size=32, severity=3)
  level = np.abs(by_name(plan)['shear_x']) / 0.03
  expected = (0.1 + 3) / 2
  spread = (3 - 0.1) / np.sqrt(12)
  assert abs(level.mean() - expected) < 4 * spread / np.sqrt(len(level))
  assert abs(level.std() - spread) < 0.05
  op, param = np.asarray(plan.op), np.abs(np.asarray(plan.param)[..., 0])
  twice = (op[:, 0, 0] == 5) & (op[:, 1, 0] == 5)
  assert (param[twice, 0, 0] != param[twice, 1, 0]).all()


@pytest.mark.parametrize('all_ops', [False, True])
def test_operations_and_depths_are_uniform(all_ops):
  plan = augmix_plan(jax.random.key(3), 4000, size=32, all_ops=all_ops)
  op = np.asarray(plan.op)
  used = (op >= 0).sum(-1)
  ops = np.bincount(op[op >= 0], minlength=len(NAMES))
  count = len(NAMES) if all_ops else PAPER_OPS
  assert not ops[count:].any()
  for seen in (ops[:count], np.bincount(used.ravel(), minlength=4)[1:]):
    mean = seen.mean()
    # Chi-square is below mean + 5 standard deviations of its distribution.
    freedom = len(seen) - 1
    assert ((seen - mean) ** 2 / mean).sum() < freedom + 5 * np.sqrt(
      2 * freedom
    )
  assert (used == 0).sum() == 0
  assert ((op >= 0) == (np.arange(3) < used[..., None])).all()
  # Chains of one image have their own depths.
  assert abs((used[:, 0] == used[:, 1]).mean() - 1 / 3) < 0.05


@pytest.mark.parametrize('alpha', [1.0, 0.4])
def test_weights_are_dirichlet_and_beta(alpha):
  plan = augmix_plan(jax.random.key(4), 4000, size=32, alpha=alpha)
  weights, m = np.asarray(plan.weights), np.asarray(plan.m)
  assert weights.min() >= 0
  np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
  np.testing.assert_allclose(weights.mean(0), 1 / 3, atol=0.03)
  variance = 2 / (9 * (3 * alpha + 1))
  np.testing.assert_allclose(weights.var(0), variance, rtol=0.1)
  np.testing.assert_allclose(m.mean(), 0.5, atol=0.03)
  np.testing.assert_allclose(m.var(), 1 / (4 * (2 * alpha + 1)), rtol=0.1)
  assert abs(np.corrcoef(weights[:, 0], m)[0, 1]) < 0.07


def test_width_and_a_fixed_depth():
  plan = augmix_plan(jax.random.key(4), 2, size=8, width=2, depth=5)
  assert plan.weights.shape == (2, 2)
  assert plan.op.shape == (2, 2, 5)
  assert (np.asarray(plan.op) >= 0).all()


def test_plan_depends_on_key_and_position_only():
  draw = functools.partial(augmix_plan, size=8)
  key = jax.random.key(0)
  whole, later, few = draw(key, 4000), draw(key, 4000, first=5), draw(key, 2)

  def same(a, b):
    np.testing.assert_array_equal(a.op, b.op)
    np.testing.assert_array_equal(a.param, b.param)
    np.testing.assert_allclose(a.weights, b.weights, rtol=1e-6)
    np.testing.assert_allclose(a.m, b.m, rtol=1e-6)

  same(
    jax.tree.map(lambda x: x[5:], whole), jax.tree.map(lambda x: x[:-5], later)
  )
  same(jax.tree.map(lambda x: x[:2], whole), few)
  other = draw(jax.random.key(1), 4000)
  assert not np.array_equal(whole.op, other.op)
  assert len(np.unique(np.asarray(whole.m))) > 3900


def test_augmix_is_drawing_and_executing_in_one_program():
  key = jax.random.key(6)
  x = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
  run = jax.jit(functools.partial(augmix, severity=5, **IMAGENET))
  got = run(key, x)
  assert got.shape == x.shape
  assert got.dtype == jnp.float32
  plan = augmix_plan(key, 2, size=8, severity=5)
  np.testing.assert_allclose(got, run_plan(x, plan), atol=2e-6)
  assert not np.array_equal(got, run(jax.random.key(7), x))
  np.testing.assert_array_equal(got, run(key, x))
  assert run._cache_size() == 1
  assert not jax.config.jax_enable_x64


@pytest.mark.parametrize('platform', ['cpu', 'cuda', 'tpu'])
def test_augmix_lowers_for(platform):
  run = jax.jit(functools.partial(augmix, **IMAGENET))
  key = jax.eval_shape(jax.random.key, 0)
  x = jax.ShapeDtypeStruct((2, 8, 8, 3), jnp.uint8)
  text = run.trace(key, x).lower(lowering_platforms=(platform,)).as_text()
  kernels = {'cpu': native.available(), 'cuda': native.has_cuda()}
  if kernels.get(platform):
    assert 'rcj_augmix' in text
  else:
    assert 'f64' in text
    assert 'custom_call' not in text


def test_no_share_of_the_chains_leaves_the_image():
  x = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 3), np.uint8)
  plan = augmix_plan(jax.random.key(0), 2, size=8)
  clean = Plan(plan.op, plan.param, plan.weights, jnp.zeros(2))
  got = run_plan(x, clean)
  expected = (x / 255 - IMAGENET['mean']) / IMAGENET['std']
  np.testing.assert_allclose(got, expected, atol=1e-6)
  np.testing.assert_allclose(normalise(x, **IMAGENET), expected, atol=1e-6)


def test_split_is_exact():
  x = np.random.default_rng(0).uniform(-0.3, 0.3, 1000)
  parts = split(x)
  assert parts.dtype == np.float32
  np.testing.assert_array_equal(parts.astype(np.float64).sum(-1), x)


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    ({'severity': 0.1}, r'severity must lie in \(0.1, 10\], got 0.1'),
    ({'severity': 11}, 'severity .* got 11'),
    ({'width': 0}, 'width .* at least 1, got 0'),
    ({'depth': 0}, 'depth must be at least 1, or -1 .* got 0'),
    ({'alpha': 0.0}, 'alpha must be positive'),
  ],
)
def test_options_out_of_range_are_named(options, message):
  with pytest.raises(ValueError, match=message):
    augmix_plan(jax.random.key(0), 2, size=8, **options)


def test_images_and_plans_that_do_not_fit_are_named():
  plan = augmix_plan(jax.random.key(0), 2, size=8)
  x = np.zeros((2, 8, 8, 3), np.uint8)
  with pytest.raises(TypeError, match=r'needs uint8 images .* got float32'):
    apply_plan(x.astype(np.float32), plan, **HALF)
  with pytest.raises(ValueError, match=r'\[B,H,W,3\], got \[2, 3, 8, 8\]'):
    apply_plan(x.transpose(0, 3, 1, 2), plan, **HALF)
  with pytest.raises(ValueError, match='the plan is for 2 images, got 1'):
    apply_plan(x[:1], plan, **HALF)
  short = Plan(plan.op, plan.param[..., :2], plan.weights, plan.m)
  with pytest.raises(ValueError, match=r'plan.param must have shape \[2, 3, 3'):
    apply_plan(x, short, **HALF)
