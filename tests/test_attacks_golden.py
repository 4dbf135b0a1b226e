"""Attacks against images that foolbox made, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from attacked import golden_predict, nhwc

from rcj import attacks
from rcj.attacks.descent import climb
from rcj.attacks.salt_and_pepper import sprinkled

E8 = 8 / 255


@pytest.fixture
def case(golden):
  """(golden arrays, predict, float64 images, labels), in x64."""
  g = golden('compress/attacks')
  with jax.enable_x64(True):
    images = jnp.asarray(nhwc(g['x']), jnp.float64)
    yield g, golden_predict(g), images, jnp.asarray(g['labels'])


def check(case, name, adversarial):
  g, predict, images, labels = case
  assert adversarial.dtype == jnp.float64
  np.testing.assert_allclose(adversarial, nhwc(g[name]), rtol=0, atol=1e-9)
  assert float(jnp.max(jnp.abs(adversarial - images))) > 0
  if f'{name}__adv' in g:
    result = attacks.outcome(predict, images, adversarial, labels, norm='l2')
    np.testing.assert_array_equal(result.fooled, g[f'{name}__adv'])
    sizes = np.sqrt(np.sum((g[name] - g['x']) ** 2, axis=(1, 2, 3)))
    sizes[g[f'{name}__adv'] == 0] = np.inf
    np.testing.assert_allclose(result.norm, sizes, rtol=1e-9, atol=1e-12)


def test_network_matches_golden(case):
  g, predict, images, _ = case
  np.testing.assert_allclose(predict(images), g['logits'], rtol=1e-9)


@pytest.mark.parametrize('levels', [2, 8])
def test_fgsm(case, levels):
  adversarial = attacks.fgsm(*case[1:], eps=levels / 255)
  check(case, f'fgsm_linf_eps{levels}_255', adversarial)


def test_fgsm_l2(case):
  check(case, 'fgm_l2_eps0.5', attacks.fgsm(*case[1:], eps=0.5, norm='l2'))


def test_bim(case):
  check(case, 'bim_linf_eps8_255_default10', attacks.bim(*case[1:], eps=E8))
  adversarial = attacks.bim(*case[1:], eps=0.5, norm='l2')
  check(case, 'bim_l2_eps0.5_default10', adversarial)


def test_pgd(case):
  key = jax.random.key(0)
  options = {'eps': E8, 'random_start': False}
  adversarial = attacks.pgd(key, *case[1:], **options)
  check(case, 'pgd_linf_eps8_255_default40_norand', adversarial)
  adversarial = attacks.pgd(
    key, *case[1:], **options, steps=10, step_size=2 / 255
  )
  check(case, 'pgd_linf_eps8_255_abs2_255_steps10_norand', adversarial)
  options = {'eps': 0.5, 'norm': 'l2', 'random_start': False}
  adversarial = attacks.pgd(key, *case[1:], **options)
  check(case, 'pgd_l2_eps0.5_default50_norand', adversarial)


def test_steps_from_a_given_start(case):
  g, predict, images, labels = case
  unit = nhwc(g['rand_unit_start']).astype(np.float64)
  start = jnp.clip(images + E8 * unit, 0, 1)
  adversarial = climb(
    jax.tree_util.Partial(predict),
    images,
    labels,
    start,
    eps=jnp.asarray(E8),
    step_size=2 / 255,
    steps=10,
    norm='linf',
  )
  check(case, 'pgd_linf_eps8_255_abs2_255_steps10_givenstart', adversarial)


def test_deepfool(case):
  check(case, 'deepfool_l2_default', attacks.deepfool(*case[1:]))


@pytest.mark.parametrize('rate', [0.05, 0.3])
def test_salt_and_pepper(case, rate):
  g, _, images, _ = case
  uniform = jnp.asarray(nhwc(g['sp_u']), jnp.float64)
  adversarial = sprinkled(images, uniform, jnp.full(len(images), rate))
  check(case, f'sp_p{rate}', adversarial)
