"""Every phase in a recipe, on tiny networks and real digits."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import short_runs
from short_runs import INIT, equal, short

from rcj import losses, models, optimizer, phases, recipe, schedules, size, tree

digits = short_runs.digits
env = short_runs.env


def test_prune_by_ratio_leaves_that_many_parameters(env):
  carry = recipe.run((INIT, phases.Prune('magnitude', ratio=5.0)), env)
  params, mask = carry.state.params, carry.state.masks
  total, left = size.total(params), size.remaining(params, mask)
  assert abs(total / left - 5.0) < 5.0 * 2 / left
  alive = sum(int(m.sum()) for m in jax.tree.leaves(mask))
  dense = sum(m.size for m in jax.tree.leaves(mask))
  assert total - left == dense - alive


def test_prune_by_rate_twice_never_revives(env):
  prune = phases.Prune('magnitude', rate=0.5)
  once = recipe.run((INIT, prune), env)
  twice = recipe.run((INIT, prune, short(), prune), env)
  n = sum(m.size for m in jax.tree.leaves(once.state.masks))
  assert sum(int(m.sum()) for m in jax.tree.leaves(once.state.masks)) == (
    n - round(0.5 * n)
  )
  after = n - round(0.5 * n)
  assert sum(int(m.sum()) for m in jax.tree.leaves(twice.state.masks)) == (
    after - round(0.5 * after)
  )
  for old, new in zip(
    jax.tree.leaves(once.state.masks),
    jax.tree.leaves(twice.state.masks),
    strict=True,
  ):
    assert not bool(jnp.any(new & ~old))


def test_prune_above_what_is_alive_is_refused(env):
  steps = (
    INIT,
    phases.Prune('magnitude', density=0.2),
    phases.Prune('magnitude', density=0.5),
  )
  with pytest.raises(ValueError, match=r'only 0\.2'):
    recipe.run(steps, env)


@pytest.mark.parametrize('score', ['l1_filter', 'random_filter'])
def test_filter_pruning_reaches_the_ratio_after_shrinking(env, score):
  carry = recipe.run((INIT, phases.Prune(score, ratio=3.0)), env)
  groups = models.channel_groups(carry.model)
  left = size.remaining(carry.state.params, carry.state.masks, groups=groups)
  assert size.total(carry.state.params) / left == pytest.approx(3.0, rel=0.2)


def test_save_and_rewind_bring_weights_back_but_keep_masks(env):
  carry = recipe.run(
    (
      INIT,
      phases.Save('start'),
      short(),
      phases.Prune('magnitude', density=0.5),
      phases.Rewind('start'),
    ),
    env,
  )
  start = carry.saved['start'].network
  equal(carry.state.params, start.params)
  equal(carry.state.batch_stats, start.batch_stats)
  assert jax.tree.leaves(carry.state.masks)
  assert not jax.tree.leaves(start.masks)


def test_rewinding_into_a_schedule_resumes_it_there(env):
  """The rest of a schedule without momentum is the same taken again."""
  sgd = optimizer.SGD(schedules.Cosine(0.05), momentum=0.0)
  learn = dataclasses.replace(short(6), optimizer=sgd)
  first = dataclasses.replace(learn, snapshots=((3, 'early'),))
  carry = recipe.run((INIT, first), env)
  assert int(carry.saved['early'].step) == 3
  # The same phase key, so that batches and augmentation are the same.
  rewound = phases.Rewind('early')(dataclasses.replace(carry, phase=1), env)
  again = learn(rewound, env)
  equal(again.state.params, carry.state.params)


def test_hydra_keeps_weights_while_masks_are_learned(env):
  carry = recipe.run((INIT, phases.InitScores(density=0.25)), env)
  before = jax.device_get(carry.state.params)
  learn = short(trainable=r'scores/.*|params/(.*/)?bn\w*/.*')
  carry = learn(dataclasses.replace(carry, phase=2), env)
  for name, x in tree.leaves(before).items():
    if 'kernel' in name or 'head' in name:
      np.testing.assert_array_equal(x, tree.leaves(carry.state.params)[name])
  want = [int(k) for k in carry.effective.counts(carry.state.scores)]
  frozen = phases.FreezeMask()(carry, env)
  kept = [int(m.sum()) for m in jax.tree.leaves(frozen.state.masks)]
  assert kept == want
  assert not jax.tree.leaves(frozen.state.scores)


def test_freeze_mask_without_scores_is_refused(env):
  with pytest.raises(ValueError, match='InitScores'):
    recipe.run((INIT, phases.FreezeMask()), env)


def test_recalibration_moves_statistics_alone(env):
  before = recipe.run((INIT,), env)
  steps = phases.RecalibrateBN(steps=3, batch_size=16)
  after = steps(dataclasses.replace(before, phase=1), env)
  equal(before.state.params, after.state.params)
  old = tree.leaves(before.state.batch_stats)
  for name, x in tree.leaves(after.state.batch_stats).items():
    assert bool(jnp.any(x != old[name])), name
  assert int(after.state.step) == int(before.state.step)


def test_teacher_must_have_been_saved(env):
  kd = {'kd': losses.Weighted(1.0, losses.KD())}
  with pytest.raises(ValueError, match='need teacher'):
    short(terms=kd)
  with pytest.raises(KeyError, match=r"'big'.*none"):
    recipe.run((INIT, short(terms=kd, teacher='big')), env)


def test_a_loss_that_is_not_finite_stops_with_step_and_images(env):
  sgd = optimizer.SGD(schedules.Cosine(1e30))
  wild = dataclasses.replace(short(20), optimizer=sgd)
  with pytest.raises(FloatingPointError, match=r'step \d+ of phase 1.*images'):
    recipe.run((INIT, wild), env)


def test_loads_a_public_checkpoint(env, shared_data):
  path = shared_data / 'weights' / 'resnet20-12fca82f.th'
  carry = recipe.run((phases.Load(str(path), 'resnet20'),), env)
  assert size.total(carry.state.params) == 269_722
  assert carry.preprocessing.mean == (0.485, 0.456, 0.406)


def test_what_fails_late_is_found_before_training(env):
  untold = (INIT, short(), phases.Rewind('start'), phases.Save('start'))
  with pytest.raises(KeyError, match=r"wants the network 'start'.*none"):
    recipe.run(untold, env)
  twice = (INIT, phases.Evaluate('a'), phases.Evaluate('b'))
  with pytest.raises(ValueError, match='second time'):
    recipe.run(twice, env)
  with pytest.raises(ValueError, match='density is the fraction kept'):
    phases.Prune('magnitude', density=1.5)
  with pytest.raises(ValueError, match='at least 1'):
    phases.InitScores(ratio=0.5)
  with pytest.raises(ValueError, match='l1_filter'):
    phases.Prune('l2', density=0.5)
  with pytest.raises(ValueError, match='above 0'):
    short(0)


def test_lengths_in_steps_epochs_and_examples_agree():
  how = {'terms': short(1).terms, 'optimizer': short(1).optimizer}
  made = [
    phases.Train(batch_size=16, **how, **length)
    for length in ({'steps': 15}, {'epochs': 3.0}, {'examples': 250})
  ]
  assert [phase.length(80) for phase in made] == [15] * 3
  with pytest.raises(ValueError, match='exactly one of epochs, steps'):
    phases.Train(epochs=1.0, steps=1, **how)
