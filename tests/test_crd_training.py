"""CRD as a term of a training phase: on devices, after a stop, and refused."""

import dataclasses
import io
import json
import re
import shutil

import jax
import numpy as np
import pytest
import rich.console
import tiny

from rcj import carry as carry_lib
from rcj import crd, losses, optimizer, phases, recipe, schedules
from rcj.checkpoint import opened
from rcj.journal import Journal
from rcj.types import Outputs

SHOWN = tiny.Tiny().preprocessing()
TEACHER = (phases.Init('resnet8', SHOWN, width=0.25), phases.Save('teacher'))


def distilled(steps, **how):
  term = crd.CRD(feature_dim=16, negatives=64, **how)
  return phases.Train(
    terms={
      'ce': losses.Weighted(0.1, losses.CrossEntropy()),
      'crd': losses.Weighted(1.0, term),
    },
    optimizer=optimizer.SGD(schedules.Cosine(0.05), nesterov=True),
    steps=steps,
    batch_size=16,
    teacher='teacher',
  )


@pytest.fixture(scope='module')
def digits():
  return tiny.Tiny().load_data()


@pytest.fixture(scope='module')
def run(tmp_path_factory, digits):
  """Runs a distillation on so many devices, in this folder or a new one."""

  def run(train, devices=4, workdir=None, stop_after=None, every=100):
    workdir = workdir or tmp_path_factory.mktemp('run')
    said = io.StringIO()
    journal = Journal(
      workdir, console=rich.console.Console(file=said, width=200)
    )
    log = journal.metrics

    def metrics(phase, step, **values):
      log(phase, step, **values)
      if step == stop_after:
        raise KeyboardInterrupt

    journal.metrics = metrics
    with opened(workdir / 'checkpoints') as checkpoints:
      env = carry_lib.Env(
        data=digits,
        suites=(),
        mesh=jax.make_mesh(
          (devices,),
          ('data',),
          (jax.sharding.AxisType.Auto,),
          devices=jax.devices()[:devices],
        ),
        journal=journal,
        key=jax.random.key(0),
        workdir=workdir,
        checkpoints=checkpoints,
        checkpoint_every=every,
      )
      carry = recipe.run((*TEACHER, train), env)
    rows = (workdir / 'metrics.jsonl').read_text().splitlines()
    return carry, [json.loads(row)['crd'] for row in rows], said.getvalue()

  return run


@pytest.mark.parametrize(
  'banks',
  ['replicated', pytest.param('sharded', marks=pytest.mark.slow)],
)
def test_the_loss_falls_and_the_memory_was_announced(run, banks):
  carry, loss, said = run(distilled(40, banks=banks))
  assert np.mean(loss[-5:]) < 0.95 * np.mean(loss[5:10])
  held = {'replicated': '80', 'sharded': '256'}[banks]
  assert re.search(rf'crd: two banks of {held} x 16 float32, .* of 4 dev', said)
  assert (carry.state.heads, carry.state.aux) == ({}, {})


SPLIT = distilled(8, banks='sharded', dtype='bfloat16')


@pytest.fixture(scope='module')
def stopped(run, tmp_path_factory):
  """The folder of a run that was stopped after a checkpoint at step 3."""
  folder = tmp_path_factory.mktemp('stopped')
  with pytest.raises(KeyboardInterrupt):
    run(SPLIT, workdir=folder, stop_after=5, every=3)
  return folder


@pytest.fixture(scope='module')
def alone(run):
  return run(SPLIT)


@pytest.mark.parametrize('devices', [4, 2])
def test_a_stopped_run_continues_in_the_phase(
  run, stopped, alone, tmp_path, devices
):
  """With the same bits on as many devices, and closely on others."""
  shutil.copytree(stopped, tmp_path / 'run')
  moved, losses_moved, said = run(SPLIT, devices, tmp_path / 'run')
  assert 'continuing at phase 2, step 3' in said
  whole, losses_whole, _ = alone
  exact = {'rtol': 0, 'atol': 0} if devices == 4 else {'rtol': 1e-2}
  np.testing.assert_allclose(losses_moved, losses_whole, **exact)
  if devices == 4:
    jax.tree.map(
      np.testing.assert_array_equal, moved.state.params, whole.state.params
    )


def test_banks_heads_and_normalisers_are_checkpointed(stopped):
  with opened(stopped / 'checkpoints') as checkpoints:
    one = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    items, _ = checkpoints.restore(checkpoints.latest(), one)
  names = {n for n in items['state'] if n.startswith(('aux', 'heads'))}
  assert {
    'aux/crd/banks/student',
    'aux/crd/z/teacher',
    'heads/crd/teacher/kernel',
  } < names
  assert items['state']['aux/crd/z/student'] > 0
  assert 'heads/crd/student/bias' in ' '.join(items['optimizer'])


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    ({'negatives': 0}, 'at least 1 negative'),
    ({'mode': 'any'}, "'exact' or 'relax', not 'any'"),
    ({'z': 'last'}, "'first_batch' or 'ema', not 'last'"),
    ({'banks': 'split'}, "'replicated' or 'sharded', not 'split'"),
    ({'dtype': 'float16'}, "'float32' or 'bfloat16', not 'float16'"),
    ({'tau': 0.0}, r'tau=0\.0'),
    ({'momentum': 1.0}, r'momentum=1\.0'),
  ],
)
def test_unknown_options_are_named(options, message):
  with pytest.raises(ValueError, match=message):
    crd.CRD(**options)


def test_what_cannot_train_is_found_before_it_starts():
  with pytest.raises(ValueError, match=r"\['crd'\] need teacher"):
    dataclasses.replace(distilled(2), teacher=None)
  pooled = jax.ShapeDtypeStruct((1, 1, 8), np.float32)
  shapes = (Outputs(logits=None, maps=(), pooled=pooled), None)
  with pytest.raises(ValueError, match='teacher='):
    crd.CRD().init(jax.random.key(0), shapes, np.arange(4) % 2)
  with pytest.raises(ValueError, match='1024 rows do not split among 3 dev'):
    crd.CRD(banks='sharded').memory(1000, 12, 3)
