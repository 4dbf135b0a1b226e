"""Phases that take up networks: files of more classes, and saved ones."""

import dataclasses

import jax
import numpy as np
import pytest
import tiny
from safetensors.numpy import save_file

from rcj import carry as carry_lib
from rcj import (
  losses,
  models,
  optimizer,
  phases,
  schedules,
  size,
  tree,
)

SHOWN = tiny.Tiny().preprocessing()
INIT = phases.Init('resnet8', SHOWN, width=0.25)


@pytest.fixture(scope='module')
def digits():
  return tiny.Tiny().load_data()


@pytest.fixture
def env(tmp_path, digits):
  return tiny.environment(tmp_path, digits)


def through(env, *steps):
  carry = carry_lib.Carry()
  for i, phase in enumerate(steps):
    carry = phase(dataclasses.replace(carry, phase=i), env)
  return carry


def test_a_restored_network_is_the_saved_one_masks_and_all(env):
  small = phases.Prune(score='magnitude', density=0.5)
  before = through(env, INIT, small, phases.Save('dense'))
  other = dataclasses.replace(INIT, width=0.5)
  after = through(
    *(env, INIT, small, phases.Save('dense'), other),
    phases.Restore('dense'),
  )
  assert after.model == before.model
  for name in ('params', 'batch_stats', 'masks'):
    jax.tree.map(
      np.testing.assert_array_equal,
      getattr(after.state, name),
      getattr(before.state, name),
    )
  assert int(after.state.step) == 0
  shared = {
    x.unsafe_buffer_pointer()
    for leaf in jax.tree.leaves(after.state.params)
    for x in [leaf.addressable_shards[0].data]
  } & {
    x.unsafe_buffer_pointer()
    for leaf in jax.tree.leaves(after.saved['dense'].network.params)
    for x in [leaf.addressable_shards[0].data]
  }
  assert not shared  # else donating the state would delete the saved network


def test_restoring_what_was_not_saved_lists_what_was(env):
  with pytest.raises(KeyError, match=r"Restore wants .*'dense'.*none"):
    through(env, INIT, phases.Restore('dense'))


def test_a_teacher_for_images_of_another_size_is_refused(env):
  large = dataclasses.replace(
    INIT, preprocessing=dataclasses.replace(SHOWN, size=64)
  )
  distil = phases.Train(
    terms={'kd': losses.Weighted(1.0, losses.KD())},
    optimizer=optimizer.SGD(schedules.Cosine(0.1)),
    steps=1,
    batch_size=16,
    teacher='teacher',
  )
  with pytest.raises(ValueError, match='64 px, the training images have 32'):
    through(env, large, phases.Save('teacher'), INIT, distil)


@pytest.mark.parametrize('phase', [phases.Prune, phases.InitScores])
def test_nonzero_counts_all_parameters(env, phase):
  how = {'score': 'magnitude'} if phase is phases.Prune else {}
  steps = (INIT, phase(nonzero=1500, **how))
  if phase is phases.InitScores:
    steps = (*steps, phases.FreezeMask())
  state = through(env, *steps).state
  left = size.remaining(state.params, state.masks)
  # Hydra truncates in each of its ten layers, so up to a weight of each stays.
  assert 1500 <= left <= 1500 + (0 if phase is phases.Prune else 10)


def torch_names(params, stats):
  """A ResNet-20 as a file of torch would hold it."""
  found = {}
  for name, x in tree.leaves({'params': params, 'stats': stats}).items():
    _, *path, leaf = name.split('/')
    module = '.'.join(path).replace('conv_stem', 'conv1')
    module = module.replace('bn_stem', 'bn1').replace('head', 'linear')
    for s in (1, 2, 3):
      for b in (1, 2, 3):
        module = module.replace(f'stage{s}_block{b}', f'layer{s}.{b - 1}')
    x = np.asarray(x)
    if leaf == 'kernel':
      x = x.transpose(3, 2, 0, 1) if x.ndim == 4 else x.T
    leaf = {'mean': 'running_mean', 'var': 'running_var', 'bias': 'bias'}.get(
      leaf, 'weight'
    )
    found[f'{module}.{leaf}'] = np.ascontiguousarray(x)
  return found


@pytest.fixture(scope='module')
def thousand(tmp_path_factory):
  """The path of a network of 1000 classes, and the network."""
  module = models.create('resnet20', num_classes=1000)
  variables = models.init(jax.random.key(0), module, size=32)
  path = tmp_path_factory.mktemp('torch') / 'r20.safetensors'
  save_file(torch_names(*variables), path)
  return path, models.load_torch(path, 'resnet20')


def test_a_network_of_1000_classes_answers_on_those_of_the_data(env, thousand):
  path, whole = thousand
  parents = np.arange(10) * 7 + 3
  env = dataclasses.replace(
    env, data=dataclasses.replace(env.data, parents=parents)
  )
  carry = through(env, phases.Load(str(path), 'resnet20'))
  network = carry_lib.frozen(carry, env.data.train.classes)
  head = {name: x[..., parents] for name, x in whole.params['head'].items()}
  jax.tree.map(
    np.testing.assert_array_equal,
    (network.params, network.batch_stats),
    ({**whole.params, 'head': head}, whole.batch_stats),
  )
  assert network.model.num_classes == 10


def test_without_known_classes_a_network_of_1000_is_refused(env, thousand):
  with pytest.raises(ValueError, match='1000 classes, the data has 10'):
    through(env, phases.Load(str(thousand[0]), 'resnet20'))
