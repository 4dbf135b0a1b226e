import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import GOLDEN
from PIL import Image, ImageEnhance, ImageOps

from rcj.augment import Plan, apply_plan, augmix, augmix_plan, normalise
from rcj.augment.augmix import apply_chains, mix
from rcj.augment.ops import NAMES, PAPER_OPS, apply_op
from rcj.augment.packed import pack, unpack
from rcj.augment.plan import split

IMAGENET = {'mean': (0.485, 0.456, 0.406), 'std': (0.229, 0.224, 0.225)}
HALF = {'mean': (0.5, 0.5, 0.5), 'std': (0.5, 0.5, 0.5)}
SIGNED = ('rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y')


run_chains = jax.jit(apply_chains)
run_plan = jax.jit(functools.partial(apply_plan, **IMAGENET))


@jax.jit
def one_op(image, op, param):
  return unpack(apply_op(pack(image), op, param))


def derived(images: dict[str, np.ndarray], name: str) -> np.ndarray:
  base, _, kind = name.partition('@')
  x = images[base]
  variants = {
    '': x,
    'low': x // 4 + 40,
    'const': np.full_like(x, 77),
    'two': np.where(x > 127, 200, 30).astype(np.uint8),
  }
  return variants[kind]


@pytest.mark.parametrize('name', NAMES)
def test_operation_equals_the_original_to_the_last_bit(golden, name):
  images, expected = golden('augment/images'), golden('augment/pil_ops')
  cases = [k for k in expected if k.startswith(f'{name}|')]
  assert cases
  wrong = {}
  for case in cases:
    _, value, image = case.split('|')
    param = split(0.0 if value == 'None' else float(value))
    x = derived(images, image)
    got = one_op(x, np.int32(NAMES.index(name)), param)
    differing = int((np.asarray(got) != expected[case]).sum())
    if differing:
      wrong[case] = differing
  assert not wrong


def test_every_golden_operation_is_tested(golden):
  assert {k.split('|')[0] for k in golden('augment/pil_ops')} == set(NAMES)


def plan_of(cases: list[dict]) -> Plan:
  """The plan of logged draws; narrower cases get empty chains of weight 0."""
  shape = (len(cases), 4, 3)
  op, param = np.full(shape, -1, np.int32), np.zeros(shape)
  weights = np.zeros(shape[:2], np.float32)
  for n, case in enumerate(cases):
    weights[n, : case['width']] = case['ws']
    for k, steps in enumerate(case['chains']):
      for d, step in enumerate(steps):
        op[n, k, d] = NAMES.index(step['op'])
        param[n, k, d] = step['param'] or 0
  m = np.array([case['m'] for case in cases], np.float32)
  return Plan(op, split(param), weights, m)


@pytest.mark.parametrize(
  ('side', 'how'), [(32, HALF), (64, IMAGENET), (224, IMAGENET)]
)
def test_augmix_replays_the_original(golden, side, how):
  draws = json.loads((GOLDEN / 'augment' / 'augmix_draws.json').read_text())
  images, expected = golden('augment/images'), golden('augment/augmix')
  cases = {k: c for k, c in draws['cases'].items() if f'_{side}|' in k}
  assert cases
  plan = plan_of(list(cases.values()))
  x = np.stack([images[c['image']] for c in cases.values()])
  chains = np.asarray(run_chains(x, plan))
  mixed = np.asarray(mix(x, chains, plan, **how))
  for n, (key, case) in enumerate(cases.items()):
    exact = expected[f'{key}|chains']
    np.testing.assert_array_equal(chains[n, : case['width']], exact, key)
    if side == 224:
      crop = mixed[n, 64:160, 64:160]
      same = expected[f'{key}|mixed_normalized_crop'].reshape(crop.shape)
      share = mixed[n] * np.float32(how['std']) + np.float32(how['mean'])
      stored = expected[f'{key}|mixed01_u16'] / 65535
      np.testing.assert_allclose(share, stored, atol=1e-5)
    else:
      crop, same = mixed[n], expected[f'{key}|mixed_normalized']
    np.testing.assert_allclose(crop, same, atol=5e-6, rtol=0, err_msg=key)


def with_pillow(image: Image.Image, name: str, value: float) -> Image.Image:
  bilinear = Image.Resampling.BILINEAR
  matrices = {
    'shear_x': (1, value, 0, 0, 1, 0),
    'shear_y': (1, 0, 0, value, 1, 0),
    'translate_x': (1, 0, value, 0, 1, 0),
    'translate_y': (1, 0, 0, 0, 1, value),
  }
  if name in matrices:
    affine = Image.Transform.AFFINE
    return image.transform(image.size, affine, matrices[name], bilinear)
  if name == 'rotate':
    return image.rotate(value, resample=bilinear)
  if name in ('color', 'contrast', 'brightness', 'sharpness'):
    return getattr(ImageEnhance, name.capitalize())(image).enhance(value)
  argument = () if name in ('autocontrast', 'equalize') else (int(value),)
  return getattr(ImageOps, name)(image, *argument)


def test_drawn_plans_on_oblong_images_equal_pillow():
  n = 60
  rng = np.random.default_rng(3)
  ramp = rng.integers(1, 256, (n, 1, 1, 3))
  x = (rng.integers(0, 256, (n, 33, 47, 3)) % ramp).astype(np.uint8)
  plan = augmix_plan(
    jax.random.key(5), 4000, size=33, severity=10, all_ops=True
  )
  plan = jax.tree.map(lambda a: a[:n], plan)
  chains = np.asarray(run_chains(x, plan))
  params = np.asarray(plan.param, np.float64).sum(-1)
  for i, k in np.ndindex(n, 3):
    image = Image.fromarray(x[i])
    for op, param in zip(plan.op[i, k], params[i, k], strict=True):
      if op >= 0:
        image = with_pillow(image, NAMES[op], float(param))
    np.testing.assert_array_equal(chains[i, k], np.asarray(image), f'{i} {k}')


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
