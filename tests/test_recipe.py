"""Phases and recipes end to end, on tiny networks and real digits."""

import concurrent.futures
import contextlib
import dataclasses
import json
import shutil
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from etils import epath

from rcj import (
  experiment,
  locks,
  losses,
  models,
  optimizer,
  phases,
  recipe,
  results,
  schedules,
  size,
  tree,
)
from rcj.checkpoint import opened
from rcj.journal import Journal

SHOWN = tiny.Tiny().preprocessing()
INIT = phases.Init('resnet8', SHOWN, width=0.25)


# Phases of equal length share their compiled steps, see conftest.py.
def short(steps=4, **how):
  how.setdefault('terms', {'ce': losses.Weighted(1.0, losses.CrossEntropy())})
  sgd = optimizer.SGD(schedules.Cosine(0.05), nesterov=True)
  return phases.Train(optimizer=sgd, steps=steps, batch_size=16, **how)


@pytest.fixture(scope='module')
def digits():
  return tiny.Tiny().load_data()


@pytest.fixture
def env(tmp_path, digits):
  return tiny.environment(tmp_path, digits, identity={'data': 'digits'})


def equal(a, b):
  jax.tree.map(lambda x, y: np.testing.assert_array_equal(x, y), a, b)


def zeros(params):
  leaves = tree.leaves(params)
  return sum(int((x == 0).sum()) for n, x in leaves.items() if 'kernel' in n)


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


@pytest.mark.parametrize(
  ('variant', 'masks'), [('at', ''), ('hydra_kd', 'augmix')]
)
def test_distillation_runs_from_teacher_to_rows(tmp_path, variant, masks):
  lengths = {'epochs': 1.0, 'mask_epochs': 1.0, 'finetune_epochs': 2.0}
  augment = {'augment': 'none', 'teacher': 'none', 'mask_augment': masks}
  config = tiny.config(variant, **augment, **lengths)
  experiment.execute(config, tmp_path / 'run')
  (row,) = results.read_rows(tmp_path / 'run' / 'results.csv')
  assert ('Hydra + KD' if variant == 'hydra_kd' else 'AT') in row['method']
  assert float(row['ratio']) == pytest.approx(
    4.0 if variant == 'hydra_kd' else 1.0, rel=0.02
  )


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


def test_a_run_directory_is_for_one_process(tmp_path):
  with (
    experiment.alone(tmp_path),
    pytest.raises(BlockingIOError, match='another process'),
    experiment.alone(tmp_path),
  ):
    pass


def test_a_directory_in_use_keeps_its_config(tmp_path):
  """Another config comes while the first has not taken a step yet."""
  experiment.claim(tmp_path, tiny.Tiny(seed=1))
  with experiment.alone(tmp_path):
    experiment.claim(tmp_path, tiny.Tiny(seed=1))
    with pytest.raises(ValueError, match='seed: 1 there, 2 now'):
      experiment.claim(tmp_path, tiny.Tiny(seed=2))
    with pytest.raises(BlockingIOError, match='another process'):
      experiment.execute(tiny.Tiny(seed=2), tmp_path)
  assert json.loads((tmp_path / 'config.json').read_text())['seed'] == 1


def test_a_kill_while_claiming_does_not_lock_the_directory_out(tmp_path):
  (tmp_path / 'config.json.partial').write_text('{"va')
  (tmp_path / 'lock').touch()
  experiment.claim(tmp_path, tiny.Tiny())
  assert json.loads((tmp_path / 'config.json').read_text())['variant'] == 'std'


def test_execute_writes_rows_continues_and_refuses_others(tmp_path):
  config = tiny.config('gw', augment='none', epochs=1.0, finetune_epochs=1.0)
  folder = tmp_path / 'run'
  experiment.execute(config, folder)
  rows = results.read_rows(folder / 'results.csv')
  assert [row['suite'] for row in rows] == ['clean']
  assert float(rows[0]['ratio']) == pytest.approx(4.0, rel=0.02)
  assert int(rows[0]['n']) == 597
  predicted = np.load(folder / 'predictions.npz')
  wrong = predicted['network|clean||'] != predicted['labels|clean']
  assert wrong.mean() == pytest.approx(float(rows[0]['error']))
  logged = (folder / 'metrics.jsonl').read_text()
  experiment.execute(config, folder)
  assert results.read_rows(folder / 'results.csv') == rows
  assert (folder / 'metrics.jsonl').read_text() == logged
  assert json.loads(logged.splitlines()[0])['step'] == 1
  other = dataclasses.replace(config, ratio=7.0)
  with pytest.raises(ValueError, match=r'ratio: 4\.0 there, 7\.0 now'):
    experiment.execute(other, folder)
  assert results.read_rows(folder / 'results.csv') == rows


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
  (tmp_path / 'thesis.tex').write_text('text')
  with pytest.raises(ValueError, match=r'no config\.json'):
    experiment.execute(tiny.Tiny(), tmp_path)
  assert [p.name for p in tmp_path.iterdir()] == ['thesis.tex']


@pytest.mark.parametrize(
  'variant', [v for v in tiny.s0.VARIANTS if v not in ('std', 'gw', 'hydra')]
)
def test_every_variant_is_a_recipe_that_ends_in_results(variant):
  made = tiny.config(variant).recipe()
  assert isinstance(made[0], phases.Init)
  assert [type(p) for p in made[-2:]] == [phases.Evaluate, phases.Export]
  assert made == tiny.config(variant).recipe()
  assert made != tiny.config(variant, weight_decay=0.1).recipe()


def test_unknown_variant_lists_the_variants():
  with pytest.raises(ValueError, match='hydra_kd'):
    tiny.config('hidra')


def test_a_config_that_never_took_a_step_may_be_corrected(tmp_path):
  experiment.claim(tmp_path, tiny.Tiny(seed=1))
  experiment.claim(tmp_path, tiny.Tiny(seed=2))
  assert json.loads((tmp_path / 'config.json').read_text())['seed'] == 2
  (tmp_path / 'checkpoints' / '10000003').mkdir(parents=True)
  with pytest.raises(ValueError, match='seed: 2 there, 3 now'):
    experiment.claim(tmp_path, tiny.Tiny(seed=3))


def test_lengths_in_steps_epochs_and_examples_agree():
  how = {'terms': short(1).terms, 'optimizer': short(1).optimizer}
  made = [
    phases.Train(batch_size=16, **how, **length)
    for length in ({'steps': 15}, {'epochs': 3.0}, {'examples': 250})
  ]
  assert [phase.length(80) for phase in made] == [15] * 3
  with pytest.raises(ValueError, match='exactly one of epochs, steps'):
    phases.Train(epochs=1.0, steps=1, **how)
