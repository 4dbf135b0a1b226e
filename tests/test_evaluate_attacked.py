"""Robust accuracy as it is counted, and signs of masked gradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from attacked import frozen, perceptron
from tiny import Tiny

from rcj import attacks, data, evaluate, models, quantize
from rcj.attacks import Attack
from rcj.evaluate import masking

KEY = jax.random.key(0)
PGD = Attack('pgd', 8 / 255, steps=5)


@pytest.fixture(scope='module')
def source():
  return data.shorten(Tiny(train_size=80).load_data().train, 24)


@pytest.fixture(scope='module')
def plain(source):
  """A network, and the images under the classes that it predicts."""
  made = perceptron(1.0, source.classes)
  return made, relabelled(made, source)


def relabelled(network, source, *, wrong=6):
  """All but the first images have the predicted class as their label."""
  images = source.images.astype(np.float32) / 255
  labels = np.array(jnp.argmax(models.predict(network, images), axis=-1))
  labels[:wrong] = (labels[:wrong] + 1) % 10
  return dataclasses.replace(source, labels=labels)


def test_counts_images_that_are_wrong_or_fooled(plain):
  network, source = plain
  found = evaluate.attacked(KEY, network, source, PGD, batch_size=10)
  wrong = found.predicted != source.labels
  assert wrong[:6].all(), 'wrong before any attack'
  assert wrong.sum() > 6
  assert (found.norm[:6] == 0).all()
  assert np.isinf(found.norm[~wrong]).all()
  fooled = found.norm[wrong][6:]
  assert ((fooled > 0) & (fooled <= PGD.eps + 1e-6)).all()


def test_quantiles_of_norms_are_infinite_where_too_few_are_fooled():
  norm = np.array([0, 0.1, 0.2, np.inf], np.float32)
  attempt = evaluate.Attempt(PGD, np.zeros(4, np.int32), norm)
  assert attempt.quantile(0.5) == pytest.approx(0.1)
  assert attempt.quantile(0.75) == pytest.approx(0.2)
  assert attempt.quantile(0.9) == np.inf


def test_a_perturbation_outside_its_ball_counts_for_nothing(plain, monkeypatch):
  """An attack that lies about its radius fools no image that was right."""
  network, source = plain
  far = dataclasses.replace(PGD, eps=0.5)
  monkeypatch.setattr(Attack, 'radius', 1 / 255)
  found = evaluate.attacked(KEY, network, source, far)
  assert (found.predicted == source.labels).sum() == len(source) - 6


def test_gradients_of_one_network_fool_another(plain):
  network, source = plain
  other = perceptron(1.0, source.classes, seed=9)
  own = evaluate.attacked(KEY, network, source, PGD)
  by_other = evaluate.attacked(KEY, network, source, PGD, by=other)
  assert (own.norm < np.inf).sum() > (by_other.norm < np.inf).sum()


def test_integers_are_attacked_by_gradients_through_their_rounding(source):
  module = models.create('resnet8', num_classes=10, width=0.25)
  variables = models.init(KEY, module, size=32)
  images = source.images.astype(np.float32) / 255
  rounded = quantize.quantized(
    frozen(module, *variables, source.classes), images
  )
  integers = quantize.integers(rounded)
  source = relabelled(integers, source, wrong=0)
  strong = Attack('pgd', 32 / 255, steps=5)
  shipped = evaluate.attacked(KEY, integers, source, strong, by=rounded)
  fake = evaluate.attacked(KEY, rounded, source, strong)
  assert (shipped.predicted != source.labels).mean() > 0.3
  assert (shipped.predicted == fake.predicted).mean() > 0.9
  assert not evaluate.zero_gradients(rounded, source).any()


def test_what_runs_elsewhere_is_attacked_without_gradients(plain):
  """As an exported file: from its logits, or by transfer."""
  network, source = plain

  class Host:
    classes = source.classes

    def __call__(self, images):
      return np.asarray(models.predict(network, images))

  square = Attack('square', 16 / 255, steps=30)
  for attack, by in ((square, None), (PGD, network)):
    expected = evaluate.attacked(KEY, network, source, attack, by=by)
    found = evaluate.attacked(KEY, Host(), source, attack, by=by)
    same = np.mean(found.predicted == expected.predicted)
    assert same > 0.9, 'only rounding tells them apart'
    assert (found.predicted != source.labels).sum() > 6


def test_images_of_other_classes_are_refused(plain):
  network, source = plain
  other = dataclasses.replace(network, classes=tuple('abcdefghij'))
  with pytest.raises(ValueError, match='attacks need the same ones'):
    evaluate.attacked(KEY, other, source, PGD)


def test_a_network_too_sure_of_itself_has_no_gradients(source):
  """Softmax in float32 is exactly 1 where logits are far apart."""
  sure = perceptron(1e5, source.classes)
  source = relabelled(sure, source, wrong=0)
  assert evaluate.zero_gradients(sure, source).mean() > 0.5
  found = evaluate.checks(KEY, sure, source)
  assert 'zero gradients' in found.masked
  assert 'Square' in found.masked, found.masked


def test_an_honest_network_shows_no_sign(plain):
  network, source = plain
  found = evaluate.checks(KEY, network, source, parent=network)
  assert found.masked == 'no'
  assert set(found.others) == {'few_steps', 'huge', 'square', 'transfer'}


def attempt(wrong, n=200):
  return evaluate.Attempt(PGD, (np.arange(n) < wrong).astype(np.int32), None)


def made(*, zero=0, pgd=150, huge=200, **others):
  return evaluate.Checks(
    np.arange(200) < zero,
    np.zeros(200, np.int32),
    attempt(pgd),
    {'huge': attempt(huge), **{n: attempt(x) for n, x in others.items()}},
  )


@pytest.mark.parametrize(
  ('found', 'expected'),
  [
    (made(square=100, few_steps=149, transfer=90), 'no'),
    (made(zero=12), 'no'),
    (made(zero=20), 'zero gradients'),
    (made(square=180), 'Square'),
    (made(square=151), 'no'),
    (made(transfer=170, few_steps=170), 'transfer, more steps'),
    (made(huge=160), 'growing eps'),
    (made(huge=192), 'no'),
  ],
)
def test_signs_of_masked_gradients(found, expected):
  assert found.masked == expected


def test_the_checks_are_at_one_radius():
  radii = {a.eps for a in (masking.PGD, masking.FEW_STEPS, masking.SQUARE)}
  assert radii == {attacks.HEAVY[1].eps}
  assert jnp.isclose(masking.HUGE.eps, 0.5, atol=0.01)
