"""Density that falls while a network trains."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import short_runs
import tiny
from short_runs import INIT, equal, short

from rcj import masks, phases, recipe, train, tree
from rcj.checkpoint import opened
from rcj.phases import loop
from rcj.phases.gradual import sparsify

digits = short_runs.digits
env = short_runs.env


def alive(carry):
  return sum(int(m.sum()) for m in jax.tree.leaves(carry.state.masks))


def test_the_schedule_is_zhu_and_guptas(golden):
  g = golden('compress/schedules')
  for i, config in enumerate(g['zg_cfgs_si_sf_t0_dt_n']):
    initial, final = 1 - config[:2]
    first, apart, updates = map(int, config[2:])
    total = 10**6  # any length on which the fractions are whole steps
    schedule = phases.Gradual(
      final,
      initial=initial,
      begin=first / total,
      end=(first + updates * apart) / total,
      updates=updates,
    )
    at, sparsity = g[f'zg{i}_t'], g[f'zg{i}_sparsity']
    # Between updates the weights stay as the last one left them.
    due = g[f'zg{i}_is_update'].astype(bool) | (at < first)
    got = [1 - schedule.at(int(t), total) for t in at[due]]
    np.testing.assert_allclose(got, sparsity[due], atol=1e-9)
    assert 1 - schedule.at(int(at[-1]), total) == pytest.approx(sparsity[-1])


@pytest.mark.parametrize('final', [0.05, 0.2, 0.5])
def test_the_progressive_schedule_is_biprops(golden, final):
  want = golden('compress/biprop')[f'prog_keep_final{final}']
  schedule = phases.Gradual(final, initial=0.5, end=0.1, updates=10)
  # Epochs 0..10 of 100, at their beginning and end.
  for epoch, density in enumerate(want):
    assert schedule.at(10 * epoch, 1000) == pytest.approx(density, abs=1e-9)
    if epoch < 10:
      last = schedule.at(10 * epoch + 9, 1000)
      assert last == pytest.approx(density, abs=1e-9)


@pytest.mark.parametrize('end', [0.5, 1.0])
def test_gmp_ends_at_exactly_its_density(env, end):
  falling = phases.Gradual(0.3, end=end, updates=3)
  carry = recipe.run((INIT, short(6, gradual=falling)), env)
  n = sum(m.size for m in jax.tree.leaves(carry.state.masks))
  assert alive(carry) == masks.kept(n, density=0.3)


def test_gmp_keeps_the_largest_weights_and_drops_their_momentum(env):
  falling = phases.Gradual(0.4, end=1.0, updates=1)
  prune = sparsify(falling, None, recipe.run((INIT,), env).state, 10)
  carry = recipe.run((INIT,), env)
  everywhere = masks.eligible(carry.state.params)
  momentum = {'1': {'trace': {'params': carry.state.params}}}
  state = dataclasses.replace(carry.state, masks=everywhere, opt_state=momentum)
  before, _ = prune(state, 9)
  equal(before.masks, everywhere)
  after, _ = prune(state, 10)
  params, kept = tree.leaves(state.params), tree.leaves(after.masks)
  least = min(float(jnp.abs(params[n])[m].min()) for n, m in kept.items())
  most = max(float(jnp.abs(params[n])[~m].max()) for n, m in kept.items())
  assert least >= most
  left = tree.leaves(after.opt_state['1']['trace']['params'])
  for name, x in left.items():
    if name in kept:
      assert not np.any(x[~kept[name]])
      np.testing.assert_array_equal(x[kept[name]], params[name][kept[name]])
    else:
      np.testing.assert_array_equal(x, params[name])


def test_gmp_of_a_pruned_network_is_refused(env):
  steps = (
    INIT,
    phases.Prune('magnitude', density=0.5),
    short(gradual=phases.Gradual(0.2)),
  )
  with pytest.raises(ValueError, match='a Prune stands before'):
    recipe.run(steps, env)


def test_scores_select_fewer_and_fewer_and_compile_once(env):
  falling = phases.Gradual(0.2, initial=0.5, end=0.5, updates=2)
  learn = short(6, trainable=train.SCORES, gradual=falling)
  find = phases.InitScores(
    density=0.2, scope='global', init='uniform', binary=True
  )
  carry = recipe.run(
    (INIT, phases.RandomWeights(), find, learn, phases.FreezeMask()), env
  )
  n = sum(m.size for m in jax.tree.leaves(carry.state.masks))
  # Edge-popup and biprop truncate, and no layer may become empty.
  assert 0 <= alive(carry) - (n - int(0.8 * n)) <= 10
  for name, mask in tree.leaves(carry.state.masks).items():
    w = np.abs(tree.leaves(carry.state.params)[name])[np.asarray(mask)]
    assert len(np.unique(w)) == 1, name
  with pytest.raises(ValueError, match='want the same'):
    recipe.run(
      (INIT, find, dataclasses.replace(learn, gradual=phases.Gradual(0.1))),
      env,
    )


class StoppedError(Exception):
  pass


def stopped_and_continued(steps, folder, digits, monkeypatch):
  """What a run gives that is stopped after its first checkpoint."""

  def run():
    with opened(folder / 'checkpoints') as checkpoints:
      how = {'checkpoints': checkpoints, 'checkpoint_every': 3}
      return recipe.run(steps, tiny.environment(folder, digits, **how))

  def save_and_stop(carry, env):
    real(carry, env)
    env.checkpoints.wait()
    raise StoppedError

  real = loop.save
  monkeypatch.setattr(loop, 'save', save_and_stop)
  with pytest.raises(StoppedError):
    run()
  monkeypatch.undo()
  return run()


@pytest.mark.parametrize('scored', [False, True])
def test_a_stopped_run_ends_with_the_same_bits(
  env, tmp_path, digits, monkeypatch, scored
):
  # An update at every step, so that one follows the checkpoint at once.
  falling = phases.Gradual(0.2, initial=0.5, end=1.0, updates=6)
  steps = (INIT, short(6, gradual=falling))
  if scored:
    find = phases.InitScores(density=0.2, scope='global', init='uniform')
    learn = short(6, trainable=train.SCORES, gradual=falling)
    steps = (INIT, find, learn)
  folder = tmp_path / 'stopped'
  folder.mkdir()
  again = stopped_and_continued(steps, folder, digits, monkeypatch)
  once = recipe.run(steps, env)
  for name in ('params', 'batch_stats', 'masks', 'scores'):
    equal(getattr(again.state, name), getattr(once.state, name))


def test_random_weights_are_signed_constants_without_biases(env):
  carry = recipe.run((INIT, phases.RandomWeights(density=0.5)), env)
  before = tree.leaves(recipe.run((INIT,), env).state.params)
  for name, x in tree.leaves(carry.state.params).items():
    if name.endswith('kernel'):
      fan_in = np.prod(x.shape[:-1])
      np.testing.assert_allclose(jnp.abs(x), (4 / fan_in) ** 0.5, rtol=1e-6)
      np.testing.assert_array_equal(jnp.sign(x), jnp.sign(before[name]))
    elif name == 'head/bias':
      assert not np.any(x)
    else:
      np.testing.assert_array_equal(x, before[name])


def test_snapshots_at_fractions(env):
  learn = short(6, snapshots=((0.5, 'half'), (0.01, 'first')))
  carry = recipe.run((INIT, learn), env)
  assert int(carry.saved['half'].step) == 3
  assert int(carry.saved['first'].step) == 1


def test_a_late_schedule_reaches_its_density():
  late = phases.Gradual(0.05, begin=0.9, end=1.0)
  assert [late.at(step, 4) for step in range(5)] == [1, 1, 1, 1, 0.05]


def test_gradual_pruning_does_not_begin_within_a_schedule(env):
  early = short(6, snapshots=((3, 'early'),))
  falling = short(6, gradual=phases.Gradual(0.3))
  with pytest.raises(ValueError, match=r'not at step 3.*Rewind'):
    recipe.run((INIT, early, phases.Rewind('early'), falling), env)


def test_a_network_rewound_to_the_end_has_nothing_to_train(env):
  last = short(6, snapshots=((6, 'last'),))
  with pytest.raises(ValueError, match='step 6 of 6'):
    recipe.run((INIT, last, phases.Rewind('last'), short(6)), env)


def test_a_layer_of_one_weight_is_named(env, monkeypatch):
  said = []
  monkeypatch.setattr(type(env.journal), 'say', lambda _, x: said.append(x))
  falling = phases.Gradual(0.001, end=0.5, updates=1)
  recipe.run((INIT, short(6, gradual=falling)), env)
  assert any('one weight is left' in x and 'kernel' in x for x in said)


def test_impossible_schedules_are_refused():
  with pytest.raises(ValueError, match='fractions kept'):
    phases.Gradual(0.5, initial=0.2)
  with pytest.raises(ValueError, match='fractions of the phase'):
    phases.Gradual(0.5, begin=0.5, end=0.5)
