"""A new classifier on a trained network of every family."""

import exports
import jax
import numpy as np
import pytest

from rcj import models, tree

CLASSES = ('x', 'y', 'z')


def leaves(frozen):
  variables = {'params': frozen.params, 'batch_stats': frozen.batch_stats}
  return {n: np.asarray(x) for n, x in tree.leaves(variables).items()}


def outputs(frozen):
  """Of its logits; everything fits, but nothing is computed."""
  return jax.eval_shape(models.predict, frozen, exports.images(1)).shape[-1]


def kind(name):
  family, method = name.split()
  frozen = exports.network(family, method if method != 'folded' else 'dense')
  return models.folded(frozen) if method == 'folded' else frozen


@pytest.mark.parametrize(
  'name',
  [
    'resnet18 dense',
    'resnet20 shrunk',
    'mobile dense',
    'wide folded',
  ],
)
def test_all_but_the_classifier_stays(name):
  old = kind(name)
  new = models.with_new_head(jax.random.key(3), old, CLASSES)
  before, after = leaves(old), leaves(new)
  head = {n for n in before if n.startswith('params/head/')}
  assert before.keys() == after.keys()
  for n in before.keys() - head:
    np.testing.assert_array_equal(after[n], before[n])
  drawn, _ = models.init(jax.random.key(3), new.model, size=32)
  for n in head:
    assert after[n].shape == (*before[n].shape[:-1], 3)
    leaf = n.removeprefix('params/')
    np.testing.assert_array_equal(after[n], tree.leaves(drawn)[leaf])
  other = models.with_new_head(jax.random.key(4), old, CLASSES)
  kernel = 'params/head/kernel'
  assert (leaves(other)[kernel] != after[kernel]).any()
  assert new.classes == CLASSES
  assert new.model.num_classes == 3
  assert type(new.model) is type(old.model)
  if old.origin is not None:
    assert new.origin.num_classes == 3
  assert outputs(new) == 3


def test_masks_of_the_old_classifier_are_gone():
  old = exports.network('resnet20', 'masked')
  assert 'head/kernel' in tree.names(old.masks)
  new = models.with_new_head(jax.random.key(0), old, CLASSES)
  masks = tree.leaves(new.masks)
  assert masks.keys() == tree.leaves(old.masks).keys() - {'head/kernel'}
  stem = 'conv_stem/kernel'
  np.testing.assert_array_equal(masks[stem], tree.leaves(old.masks)[stem])
  assert outputs(new) == 3
  scored = exports.network('resnet20', 'hydra')
  new = models.with_new_head(jax.random.key(0), scored, CLASSES)
  assert 'head/kernel' not in tree.names(new.scores)
  assert outputs(new) == 3


def test_equal_modules_are_those_of_the_registry():
  old = exports.network('resnet18', 'dense')
  new = models.with_new_head(jax.random.key(0), old, CLASSES)
  assert new.model == models.create('resnet18', num_classes=3, width=0.1)


def test_quantized_networks_are_refused():
  frozen = exports.network('resnet20', 'int8')
  with pytest.raises(ValueError, match=r'QuantNet cannot get another.*before'):
    models.with_new_head(jax.random.key(0), frozen, CLASSES)
