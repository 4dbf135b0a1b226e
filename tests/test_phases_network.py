"""Phases that keep networks and take them up again."""

import dataclasses

import jax
import numpy as np
import pytest
import tiny

from rcj import (
  losses,
  optimizer,
  phases,
  schedules,
  size,
)

SHOWN = tiny.Tiny().preprocessing()
INIT = phases.Init('resnet8', SHOWN, width=0.25)


@pytest.fixture(scope='module')
def digits():
  return tiny.Tiny().load_data()


@pytest.fixture
def env(tmp_path, digits):
  return tiny.environment(tmp_path, digits)


def test_a_restored_network_is_the_saved_one_masks_and_all(env):
  small = phases.Prune(score='magnitude', density=0.5)
  before = tiny.through(env, INIT, small, phases.Save('dense'))
  other = dataclasses.replace(INIT, width=0.5)
  after = tiny.through(
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
    tiny.through(env, INIT, phases.Restore('dense'))


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
    tiny.through(env, large, phases.Save('teacher'), INIT, distil)


@pytest.mark.parametrize('phase', [phases.Prune, phases.InitScores])
def test_nonzero_counts_all_parameters(env, phase):
  how = {'score': 'magnitude'} if phase is phases.Prune else {}
  steps = (INIT, phase(nonzero=1500, **how))
  if phase is phases.InitScores:
    steps = (*steps, phases.FreezeMask())
  state = tiny.through(env, *steps).state
  left = size.remaining(state.params, state.masks)
  # Hydra truncates in each of its ten layers, so up to a weight of each stays.
  assert 1500 <= left <= 1500 + (0 if phase is phases.Prune else 10)
