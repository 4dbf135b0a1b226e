"""Recipes on devices and processes: what is continued and what is shared."""

import concurrent.futures
import contextlib
import dataclasses
import shutil
import time

import jax
import numpy as np
import pytest
import short_runs
from etils import epath
from short_runs import INIT, equal, short

from rcj import locks, phases, recipe
from rcj.checkpoint import opened
from rcj.journal import Journal

digits = short_runs.digits
env = short_runs.env


def test_prefixes_are_shared_and_give_the_same_network(env, tmp_path):
  steps = (INIT, short(), phases.Prune('magnitude', density=0.5), short())
  alone = recipe.run(steps, env)
  folder = tmp_path / 'shared'
  recipe.run(steps[:2], env, prefixes=folder)
  name = recipe.fingerprint(steps[:2], env)
  assert sorted(p.name for p in folder.iterdir()) == [name, f'{name}.lock']
  shared = recipe.run(steps, env, prefixes=folder)
  equal(alone.state.params, shared.state.params)
  other = dataclasses.replace(env, identity={'data': 'other'})
  assert recipe.fingerprint(steps, env) != recipe.fingerprint(steps, other)


def mesh_of(devices):
  return jax.make_mesh(
    (devices,),
    ('data',),
    (jax.sharding.AxisType.Auto,),
    devices=jax.devices()[:devices],
  )


def on(devices, steps, env, folder):
  with opened(folder) as checkpoints:
    own = dataclasses.replace(
      env, mesh=mesh_of(devices), checkpoints=checkpoints, checkpoint_every=3
    )
    return recipe.run(steps, own)


def test_four_devices_give_the_masks_of_one(env, tmp_path):
  steps = (INIT, short(), phases.Prune('magnitude', density=0.3))
  one = on(1, steps, env, tmp_path / 'one')
  four = on(4, steps, env, tmp_path / 'four')
  equal(one.state.masks, four.state.masks)
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-3, atol=1e-4),
    one.state.params,
    four.state.params,
  )


def test_another_device_count_continues_within_a_phase(env, tmp_path):
  """One device stops at a bad image; four take up its checkpoint."""
  steps = (INIT, short(), phases.Prune('magnitude', density=0.3), short())

  def stop_after(n):
    def metrics(phase, step, **values):
      if (phase, step) == (1, n):
        raise KeyboardInterrupt

    return metrics

  stopping = Journal(tmp_path, enabled=False)
  stopping.metrics = stop_after(4)
  with pytest.raises(KeyboardInterrupt):
    on(1, steps, dataclasses.replace(env, journal=stopping), tmp_path / 'a')
  with opened(tmp_path / 'a') as checkpoints:
    assert checkpoints.record(checkpoints.latest())['step'] == 3
  moved = on(4, steps, env, tmp_path / 'a')
  alone = on(4, steps, env, tmp_path / 'b')
  equal(moved.state.masks, alone.state.masks)
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-3, atol=1e-4),
    moved.state.params,
    alone.state.params,
  )


def test_a_kill_while_sharing_leaves_no_broken_prefix(env, tmp_path):
  steps = (INIT, short())
  folder = tmp_path / 'shared'
  name = recipe.fingerprint(steps, env)
  left = folder / name / '20000000.orbax-checkpoint-tmp'
  (left / 'params').mkdir(parents=True)
  alone = recipe.run(steps, env, prefixes=folder)
  with opened(folder / name) as checkpoints:
    assert checkpoints.latest() is not None
  taken = recipe.run(steps, env, prefixes=folder)
  equal(alone.state.params, taken.state.params)


def said(env):
  """The environment with a journal that keeps what it says."""
  lines = []
  journal = Journal(env.workdir, enabled=False)
  journal.say = lines.append
  return dataclasses.replace(env, journal=journal), lines


def one_device(env):
  return dataclasses.replace(env, mesh=mesh_of(1))


@contextlib.contextmanager
def waiting(steps, env, folder):
  """A run that finds its first training phase under way elsewhere."""
  env, lines = said(one_device(env))
  name = recipe.fingerprint(steps[:2], env)
  with (
    concurrent.futures.ThreadPoolExecutor() as pool,
    locks.exclusive(epath.Path(folder / f'{name}.lock')) as free,
  ):
    assert free
    run = pool.submit(recipe.run, steps, env, prefixes=folder)
    while not lines:
      time.sleep(0.01)
    assert lines == ['another run trains phase 1: waiting for it']
    assert not run.done()
    yield run, name


def trainings(monkeypatch):
  monkeypatch.setattr(locks, '_POLL_SECONDS', 0.02)
  trained, train = [], phases.Train.__call__

  def counted(self, carry, env):
    trained.append(self)
    return train(self, carry, env)

  monkeypatch.setattr(phases.Train, '__call__', counted)
  return trained


def test_runs_that_begin_alike_at_once_train_once(env, tmp_path, monkeypatch):
  """The first to come trains, the others wait and go on from there."""
  steps = (INIT, short(), phases.Prune('magnitude', density=0.5), short())
  first = recipe.run(steps, one_device(env), prefixes=tmp_path / 'first')
  trained = trainings(monkeypatch)
  with waiting(steps, env, tmp_path / 'shared') as (run, name):
    shutil.copytree(tmp_path / 'first' / name, tmp_path / 'shared' / name)
  equal(first.state.params, run.result().state.params)
  assert trained == [steps[-1]]


def test_a_run_trains_itself_if_the_one_it_waited_for_dies(
  env, tmp_path, monkeypatch
):
  trained = trainings(monkeypatch)
  steps = (INIT, short())
  with waiting(steps, env, tmp_path / 'shared') as (run, _):
    pass
  assert run.result().phase == 2
  assert trained == [steps[1]]


def test_what_lies_behind_an_evaluation_is_not_shared(env, tmp_path):
  steps = (INIT, phases.Evaluate('a'), short())
  recipe.run(steps, env, prefixes=tmp_path / 'shared')
  assert not (tmp_path / 'shared').exists()
