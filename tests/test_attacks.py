"""What every attack keeps: its ball, 0..1, its budget and its door."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from attacked import SIDE, linear, mlp, trained

from rcj import attacks
from rcj.attacks import balls
from rcj.attacks.apgd import windows

KEY = jax.random.key(3)
EPS = {'linf': 8 / 255, 'l2': 0.5}
BOUNDED = {
  'fgsm': attacks.fgsm,
  'bim': attacks.bim,
  'pgd': functools.partial(attacks.pgd, KEY),
  'apgd': functools.partial(attacks.apgd, KEY, steps=40),
  'square': functools.partial(attacks.square, KEY, queries=300),
}
# Those that leave alone what is wrong already.
STOPPING = {
  'apgd': functools.partial(BOUNDED['apgd'], eps=EPS['linf']),
  'square': functools.partial(BOUNDED['square'], eps=EPS['linf']),
  'deepfool': attacks.deepfool,
  'search': functools.partial(attacks.salt_and_pepper_search, KEY, steps=100),
}


def sizes(images, adversarial, norm):
  """Norms of the perturbations, by NumPy in float64."""
  delta = np.asarray(adversarial, np.float64) - np.asarray(images, np.float64)
  delta = delta.reshape(len(delta), -1)
  return np.linalg.norm(delta, np.inf if norm == 'linf' else 2, axis=1)


def wrong(predict, images, labels):
  return np.argmax(np.asarray(predict(images)), axis=-1) != labels


@functools.cache
def attacked(name, norm):
  """(predict, images, labels, adversarial images) of a bounded attack."""
  predict, images, labels = trained()
  options = {'eps': EPS[norm], 'norm': norm}
  return (*trained(), BOUNDED[name](predict, images, labels, **options))


@pytest.mark.parametrize('norm', EPS)
@pytest.mark.parametrize('name', BOUNDED)
def test_stays_in_the_ball_and_the_box_and_fools(name, norm):
  predict, images, labels, adversarial = attacked(name, norm)
  assert adversarial.shape == images.shape
  assert adversarial.dtype == jnp.float32
  assert np.all((adversarial >= 0) & (adversarial <= 1))
  distance = sizes(images, adversarial, norm)
  assert np.all(distance <= EPS[norm] * (1 + 1e-5))
  before, after = (wrong(predict, x, labels) for x in (images, adversarial))
  assert np.mean(after) > np.mean(before) + 0.1

  result = attacks.outcome(
    predict, images, adversarial, labels, norm=norm, eps=EPS[norm]
  )
  np.testing.assert_array_equal(result.fooled, after)
  expected = np.where(after, distance, np.inf)
  np.testing.assert_allclose(result.norm, expected, rtol=1e-5)


@pytest.mark.parametrize('norm', EPS)
def test_apgd_fools_no_less_than_pgd_and_fgsm(norm):
  fooled = {}
  for name in ('fgsm', 'pgd', 'apgd'):
    predict, _, labels, adversarial = attacked(name, norm)
    fooled[name] = wrong(predict, adversarial, labels)
  assert fooled['apgd'].sum() >= fooled['pgd'].sum()
  assert fooled['apgd'].sum() >= fooled['fgsm'].sum()
  assert 0.3 < fooled['apgd'].mean() < 1, 'eps does not tell attacks apart'


def linear_case(seed):
  """A linear network, images that are right, and their labels."""
  rng = np.random.default_rng(seed)
  weights = jnp.asarray(rng.normal(0, 1, (SIDE, SIDE, 3)), jnp.float32)
  images = jnp.asarray(rng.uniform(0, 1, (32, SIDE, SIDE, 3)), jnp.float32)
  score = np.asarray(linear(weights, jnp.float32(0), images))[:, 1] * 2
  bias = jnp.float32(-np.median(score))
  predict = functools.partial(linear, weights, bias)
  return weights, predict, images, np.argmax(predict(images), axis=-1)


@pytest.mark.parametrize('name', BOUNDED)
def test_reaches_the_worst_case_of_a_linear_network(name):
  """There it is known: every pixel at the end that the weights name."""
  weights, predict, images, labels = linear_case(1)
  eps = 0.02
  # From the far corner of the ball 60 of PGD's steps lead to the near one.
  options = {'steps': 64} if name == 'pgd' else {}
  adversarial = BOUNDED[name](predict, images, labels, eps=eps, **options)
  toward = np.where(labels, -1, 1)[:, None, None, None] * np.sign(weights)[None]
  worst = np.clip(images + eps * toward, 0, 1)
  reachable = wrong(predict, worst, labels)
  assert 4 < reachable.sum() < 28
  fooled = wrong(predict, adversarial, labels)
  assert not np.any(fooled & ~reachable)
  if name == 'square':
    assert fooled.sum() >= 0.8 * reachable.sum()
  else:
    np.testing.assert_array_equal(fooled, reachable)
  if name in ('fgsm', 'bim', 'pgd'):
    np.testing.assert_allclose(adversarial, worst, atol=1e-6)


def test_deepfool_reaches_the_boundary_of_a_linear_network():
  weights, predict, _, _ = linear_case(2)
  rng = np.random.default_rng(0)
  images = rng.uniform(0.4, 0.6, (16, SIDE, SIDE, 3)).astype(np.float32)
  logits = np.asarray(predict(images), np.float64)
  labels = np.argmax(logits, axis=-1)
  adversarial = attacks.deepfool(predict, images, labels)
  result = attacks.outcome(predict, images, adversarial, labels, norm='l2')
  assert np.all(result.fooled)
  distance = np.abs(logits[:, 1] - logits[:, 0]) / np.linalg.norm(weights)
  np.testing.assert_allclose(result.norm, 1.02 * (distance + 1e-4), rtol=2e-3)


@pytest.mark.parametrize('name', STOPPING)
def test_what_is_wrong_already_comes_back_unchanged(name):
  predict, images, labels = trained()
  already = wrong(predict, images, labels)
  assert already.any()
  adversarial = np.asarray(STOPPING[name](predict, images, labels))
  np.testing.assert_array_equal(adversarial[already], images[already])
  assert wrong(predict, adversarial, labels).sum() > already.sum() + 10
  result = attacks.outcome(predict, images, adversarial, labels, norm='l2')
  assert np.all(np.asarray(result.norm)[already] == 0)


def test_pgd_moves_what_is_wrong_already():
  predict, images, labels, adversarial = attacked('pgd', 'linf')
  assert np.all(sizes(images, adversarial, 'linf') > 0)
  assert wrong(predict, images, labels).any()


def test_without_a_gradient_only_square_and_noise_fool():
  predict, images, labels = trained()

  def flat(x):
    return predict(jax.lax.stop_gradient(x))

  before = wrong(predict, images, labels)
  blind = attacks.bim(flat, images, labels, eps=EPS['linf'])
  np.testing.assert_array_equal(blind, images)
  adversarial = BOUNDED['square'](flat, images, labels, eps=EPS['linf'])
  assert wrong(predict, adversarial, labels).sum() > before.sum() + 10
  unchanged = attacked('square', 'linf')[-1]
  np.testing.assert_array_equal(adversarial, unchanged)


def test_salt_and_pepper_paints_whole_pixels():
  images = 0.5 + jnp.zeros((40, 20, 20, 3)).at[..., 1].set(0.1)
  painted = np.asarray(attacks.salt_and_pepper(KEY, images, rate=0.2))
  changed = painted != np.asarray(images)
  np.testing.assert_array_equal(changed.all(axis=-1), changed.any(axis=-1))
  white, black = (painted == 1).all(axis=-1), (painted == 0).all(axis=-1)
  np.testing.assert_array_equal(changed.any(axis=-1), white | black)
  np.testing.assert_allclose([white.mean(), black.mean()], 0.1, atol=0.01)


def test_search_finds_less_than_a_fixed_rate_needs():
  predict, images, labels = trained()
  found = STOPPING['search'](predict, images, labels)
  rate = attacks.salt_and_pepper(KEY, images, rate=0.3)
  judged = functools.partial(attacks.outcome, predict, images, norm='l2')
  searched, fixed = (judged(x, labels) for x in (found, rate))
  assert np.sum(searched.fooled) >= np.sum(fixed.fooled) > 10
  both = np.asarray(fixed.fooled)
  assert np.mean(searched.norm[both]) < 0.8 * np.mean(fixed.norm[both])


def test_gaussian_noise_has_its_size():
  images = jnp.full((8, SIDE, SIDE, 3), 0.5)
  noisy = attacks.gaussian_noise(KEY, images, eps=0.7)
  np.testing.assert_allclose(sizes(images, noisy, 'l2'), 0.7, rtol=1e-5)
  clipped = attacks.gaussian_noise(KEY, 0 * images, eps=0.7)
  assert np.all((clipped >= 0) & (clipped <= 1))
  assert np.all(sizes(0 * images, clipped, 'l2') < 0.7)


@pytest.mark.parametrize('norm', EPS)
def test_starts_are_uniform_in_the_ball(norm):
  """A ball of n dimensions of radius r holds r^n of that of radius 1."""
  images = jnp.zeros((4000, 1, 1, 3))
  delta = balls.draw(KEY, images, eps=jnp.float32(2), norm=norm)
  volume = (sizes(images, delta, norm) / 2) ** 3
  assert volume.max() <= 1 + 1e-6
  quantiles = np.quantile(volume, [0.1, 0.25, 0.5, 0.75, 0.9])
  np.testing.assert_allclose(quantiles, [0.1, 0.25, 0.5, 0.75, 0.9], atol=0.03)
  np.testing.assert_allclose(np.mean(delta, axis=(0, 1, 2)), 0, atol=0.06)


def test_apgd_reviews_its_steps_when_the_paper_says():
  ends = np.flatnonzero(windows(100)) + 1
  np.testing.assert_array_equal(ends, [22, 41, 57, 70, 80, 87, 93, 99])
  assert windows(1).tolist() == [1]
  assert windows(100)[ends - 1].sum() == 99


def test_no_perturbation_without_a_ball():
  predict, images, labels = trained()
  for name in ('fgsm', 'bim', 'pgd'):
    adversarial = BOUNDED[name](predict, images, labels, eps=0.0)
    np.testing.assert_array_equal(adversarial, images)


@pytest.mark.parametrize('norm', EPS)
def test_outcome_counts_nothing_outside(norm):
  predict, images, labels = trained()
  right = np.flatnonzero(~wrong(predict, images, labels))[:8]
  images = np.clip(images[right], 0.05, 0.95)
  labels = np.argmax(predict(images), axis=-1)
  others = (labels + 1) % 4  # asked about these, every image is wrong
  judged = functools.partial(attacks.outcome, predict, images, norm=norm)
  moved = images.copy()
  moved[0, 0, 0, 0] += 0.02
  moved[1, 0, 0, 0] += 0.021
  moved[2, 0, 0, 0] = np.nan
  moved[3, 0, 0, 0] = -1e-6
  moved[4, 0, 0, 0] = 1.0001
  result = judged(moved, others, eps=0.02)
  assert np.asarray(result.fooled).tolist() == [True] + [False] * 4 + [True] * 3
  assert np.all(np.isinf(result.norm[1:5]))
  np.testing.assert_allclose(result.norm[0], 0.02, rtol=1e-5)
  unbounded = judged(moved, others)
  assert np.asarray(unbounded.fooled[:5]).tolist() == [True] * 2 + [False] * 3
  assert not np.any(judged(images, labels, eps=0.02).fooled)


@pytest.mark.parametrize('name', {**STOPPING, **BOUNDED})
def test_compiles_once(name):
  predict, images, labels = trained()
  (params,) = predict.args
  traces = []

  def counted(params, x):
    traces.append(x.shape)
    return mlp(params, x)

  attack = {**STOPPING, **BOUNDED}[name]
  images, labels = images[:4], labels[:4]
  first = {'eps': 0.01} if name in BOUNDED else {}
  second = {'eps': 0.02} if name in BOUNDED else {}
  attack(functools.partial(counted, params), images, labels, **first)
  count = len(traces)
  assert count > 0
  scaled = jax.tree.map(lambda x: 0.5 * x, params)
  attack(functools.partial(counted, scaled), images, labels, **second)
  assert len(traces) == count


@pytest.mark.parametrize('platform', ['cuda', 'tpu'])
def test_pgd_compiles_within_a_program_for(platform):
  predict, images, labels = trained()

  @jax.jit
  def run(key, params, x, y, eps):
    attack = functools.partial(attacks.pgd, key, functools.partial(mlp, params))
    return [attack(x, y, eps=eps, norm=norm) for norm in EPS]

  traced = run.trace(KEY, predict.args[0], images, labels, jnp.float32(0.1))
  text = traced.lower(lowering_platforms=(platform,)).as_text()
  assert 'while' in text


def two_logits(x):
  return x[:, 0, 0, :2]


class Unhashable:
  __hash__ = None

  def __call__(self, x):
    return two_logits(x)


@pytest.mark.parametrize('name', ['pgd', 'deepfool'])
def test_is_the_same_within_a_program(name):
  predict, images, labels = trained()
  attack = {**STOPPING, **BOUNDED}[name]
  if name in BOUNDED:
    attack = functools.partial(attack, eps=0.5, norm='l2', steps=8)

  @jax.jit
  def run(params, x, y):
    return attack(functools.partial(mlp, params), x, y)

  inside = run(predict.args[0], images, labels)
  np.testing.assert_allclose(inside, attack(predict, images, labels), atol=1e-4)


GOOD = {'images': jnp.full((2, 4, 4, 3), 0.5), 'labels': jnp.array([0, 1])}


@pytest.mark.parametrize(
  ('wrong', 'kind', 'message'),
  [
    ({'predict': 3}, TypeError, 'must be a function .* not int'),
    ({'predict': Unhashable()}, TypeError, 'Unhashable, has no hash'),
    ({'predict': lambda x: x}, ValueError, r'logits \[B,K\] with B = 2'),
    ({'images': jnp.zeros((4, 4, 3))}, ValueError, r'images\[None\]'),
    ({'images': jnp.zeros((2, 3, 4, 4))}, ValueError, 'channels come last'),
    ({'images': jnp.zeros((2, 4, 4, 3), jnp.uint8)}, TypeError, '/ 255'),
    ({'images': jnp.full((2, 4, 4, 3), 7.0)}, ValueError, r'lie in 7\.\.7'),
    ({'images': jnp.full((2, 4, 4, 3), jnp.nan)}, ValueError, 'lie in nan'),
    ({'labels': jnp.zeros((2, 5), jnp.int32)}, ValueError, 'argmax'),
    ({'labels': jnp.zeros(2)}, TypeError, 'integers, not float32'),
    ({'labels': jnp.array([0, -1])}, ValueError, '-1 is no class'),
    ({'eps': 8}, ValueError, '8 / 255'),
    ({'eps': -0.1}, ValueError, 'eps must be finite, 0 or more'),
    ({'eps': [0.1, 0.2]}, ValueError, 'one number'),
    ({'norm': 'L2'}, ValueError, "'linf', 'l2'.* not 'L2'"),
    ({'steps': 0}, ValueError, 'steps must be a whole number, 1 or more'),
    ({'steps': 2.5}, ValueError, 'not 2.5'),
    ({'step_size': -1.0}, ValueError, 'step_size must be finite'),
  ],
)
def test_door(wrong, kind, message):
  good = {'predict': two_logits, **GOOD, 'eps': 0.1}
  with pytest.raises(kind, match=message):
    attacks.pgd(KEY, **{**good, **wrong})


@pytest.mark.parametrize(
  ('attack', 'message'),
  [
    (lambda x, y: attacks.salt_and_pepper(KEY, x, rate=5), '5 % are 0.05'),
    (
      lambda x, y: attacks.deepfool(two_logits, x, y, candidates=1),
      '2 or more',
    ),
    (
      lambda x, y: attacks.outcome(two_logits, x, x[:1], y, norm='l2'),
      'keeps shape and type',
    ),
    (
      lambda x, y: attacks.square(KEY, two_logits, x, y, eps=0.1, area=20),
      'area must be in 0..1',
    ),
  ],
)
def test_door_of_others(attack, message):
  with pytest.raises(ValueError, match=message):
    attack(*GOOD.values())
