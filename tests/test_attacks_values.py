"""Attacks as values: each is its function, and says what it is."""

import functools

import jax
import numpy as np
import pytest
from attacked import linear, trained

from rcj import attacks
from rcj.attacks import Attack

KEY = jax.random.key(1)


def options(eps, norm, **steps):
  return {'eps': eps, 'norm': norm, **steps}


CASES = {
  Attack('fgsm', 0.03): (attacks.fgsm, options(0.03, 'linf')),
  Attack('pgd', 0.5, 'l2', steps=4): (
    functools.partial(attacks.pgd, KEY),
    options(0.5, 'l2', steps=4, step_size=0.3125),
  ),
  Attack('apgd', 0.03, steps=8): (
    functools.partial(attacks.apgd, KEY),
    options(0.03, 'linf', steps=8),
  ),
  Attack('square', 0.03, steps=20): (
    functools.partial(attacks.square, KEY),
    options(0.03, 'linf', queries=20),
  ),
  Attack('deepfool', norm='l2', steps=4): (attacks.deepfool, {'steps': 4}),
  Attack('salt_and_pepper_search', norm='l2', steps=9): (
    functools.partial(attacks.salt_and_pepper_search, KEY),
    {'steps': 9},
  ),
}


@pytest.mark.parametrize('attack', CASES, ids=lambda attack: attack.name)
def test_a_value_attacks_as_its_function(attack):
  case = trained()
  function, given = CASES[attack]
  found = attack(KEY, *case)
  np.testing.assert_array_equal(found, function(*case, **given))
  assert np.any(found != case[1])


def test_salt_and_pepper_takes_its_eps_as_the_rate():
  predict, images, labels = trained()
  attack = Attack('salt_and_pepper', 0.2, 'l2')
  found = attack(KEY, predict, images, labels)
  expected = attacks.salt_and_pepper(KEY, images, rate=0.2)
  np.testing.assert_array_equal(found, expected)
  assert attack.radius is None, 'no ball bounds it'


def test_strengths_are_those_of_decision_15():
  def numbers(attacks):
    return [(a.name, a.eps, a.steps) for a in attacks]

  assert numbers(attacks.LIGHT) == [
    ('fgsm', 2 / 255, None),
    ('pgd', 2 / 255, 10),
    ('pgd_l2', 0.5, 10),
    ('salt_and_pepper', 0.005, None),
  ]
  assert numbers(attacks.HEAVY) == [
    ('fgsm', 8 / 255, None),
    ('pgd', 8 / 255, 40),
    ('pgd_l2', 2.0, 40),
    ('salt_and_pepper', 0.05, None),
  ]
  assert str(attacks.HEAVY[1]) == 'pgd 8/255, 40 steps'
  assert str(attacks.HEAVY[2]) == 'pgd L2 2, 40 steps'
  assert str(attacks.LIGHT[3]) == 'salt and pepper 0.5 %'


def test_few_steps_reach_as_far_as_many():
  """On a linear network one step of FGSM is the worst case; PGD gets there."""
  weights = jax.random.normal(jax.random.key(4), (10, 10, 3))
  predict = functools.partial(linear, weights, jax.numpy.float32(0))
  images = jax.random.uniform(jax.random.key(5), (8, 10, 10, 3), minval=0.3)
  labels = np.argmax(predict(images), axis=-1)
  pull = [
    np.abs(predict(attack(KEY, predict, images, labels)) - predict(images))[
      :, 0
    ]
    for attack in (Attack('fgsm', 0.01), Attack('pgd', 0.01, steps=10))
  ]
  np.testing.assert_allclose(pull[1], pull[0], rtol=1e-3)


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    (('fgms', 0.1), 'no attack .fgms.; there are fgsm, pgd'),
    (('pgd',), 'all others need one'),
    (('deepfool', 0.1), 'have no eps'),
    (('fgsm', 0.1, 'linf', 3), 'fgsm has no steps'),
    (('deepfool',), "measured by norm='l2'"),
  ],
)
def test_what_is_no_attack_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    Attack(*fields)
