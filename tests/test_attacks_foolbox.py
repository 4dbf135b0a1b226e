"""Attacks against foolbox itself, on a trained network, in float64."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from attacked import trained

from rcj import attacks
from rcj.attacks.salt_and_pepper import draw

with warnings.catch_warnings():
  warnings.simplefilter('ignore')  # of what foolbox imports
  foolbox = pytest.importorskip('foolbox')
  import eagerpy


@pytest.fixture
def case():
  """(predict, float64 images, labels); some of the images are wrong."""
  predict, images, labels = trained()
  with jax.enable_x64(True), jax.numpy_rank_promotion('allow'):
    predict = jax.tree.map(
      lambda x: jnp.asarray(x, jnp.float64),
      jax.tree_util.Partial(predict.func, *predict.args),
    )
    yield (
      predict,
      jnp.asarray(images[:24], jnp.float64),
      jnp.asarray(labels[:24]),
    )


def theirs(attack, case, eps):
  """What foolbox makes of the images, before it cuts to eps."""
  predict, images, labels = case
  model = foolbox.JAXModel(jax.jit(predict), bounds=(0, 1))
  return attack(model, images, labels, epsilons=eps)[0]


def agree(ours, other, case, least):
  """Equal images, of which at least so many are no longer the clean ones."""
  np.testing.assert_allclose(ours, other, rtol=0, atol=1e-9)
  moved = jnp.any(ours != case[1], axis=(1, 2, 3))
  assert int(jnp.sum(moved)) >= least


@pytest.mark.parametrize(
  ('attack', 'norm', 'other'),
  [
    ('fgsm', 'linf', 'FGSM'),
    ('fgsm', 'l2', 'FGM'),
    ('bim', 'linf', 'LinfBasicIterativeAttack'),
    ('bim', 'l2', 'L2BasicIterativeAttack'),
  ],
)
def test_defaults_are_those_of_foolbox(case, attack, norm, other):
  eps = {'linf': 4 / 255, 'l2': 0.5}[norm]
  ours = getattr(attacks, attack)(*case, eps=eps, norm=norm)
  other = theirs(getattr(foolbox.attacks, other)(), case, eps)
  agree(ours, other, case, least=24)


@pytest.mark.parametrize(
  ('norm', 'other'), [('linf', 'LinfPGD'), ('l2', 'L2PGD')]
)
def test_pgd_defaults_are_those_of_foolbox(case, norm, other):
  eps = {'linf': 4 / 255, 'l2': 0.5}[norm]
  options = {'eps': eps, 'norm': norm, 'random_start': False}
  ours = attacks.pgd(jax.random.key(0), *case, **options)
  attack = getattr(foolbox.attacks, other)(random_start=False)
  agree(ours, theirs(attack, case, eps), case, least=24)


def test_deepfool_is_that_of_foolbox(case):
  ours = attacks.deepfool(*case)
  other = theirs(foolbox.attacks.L2DeepFoolAttack(), case, None)
  agree(ours, other, case, least=18)


def test_search_is_that_of_foolbox(case, monkeypatch):
  key, steps, asked = jax.random.key(7), 40, []

  def uniform(like, shape):
    value = draw(jax.random.fold_in(key, len(asked)), like.raw)
    asked.append(shape)
    assert shape == value.shape
    return eagerpy.astensor(value)

  monkeypatch.setattr(eagerpy, 'uniform', uniform)
  ours = attacks.salt_and_pepper_search(key, *case, steps=steps)
  attack = foolbox.attacks.SaltAndPepperNoiseAttack(steps=steps)
  agree(ours, theirs(attack, case, None), case, least=12)
  assert len(asked) == steps
