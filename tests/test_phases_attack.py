"""The phase that attacks: its rows, predictions and verdict."""

import csv
import dataclasses

import jax
import numpy as np
import pytest
import tiny
from attacked import perceptron

from rcj import carry as carry_lib
from rcj import data, models, phases, types
from rcj.phases import attack_rows, attacking
from rcj.types import Snapshot

COSTS = {'parameters': 5, 'nonzero': 5, 'ratio': 1.0}


@pytest.fixture(scope='module')
def digits():
  sets = tiny.Tiny().load_data()
  return dataclasses.replace(sets, test=data.shorten(sets.test, 40))


@pytest.fixture(autouse=True, scope='module')
def free():
  """The perceptron has no graph to count."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(attacking, 'costs', lambda network: COSTS)
    yield


@pytest.fixture
def env(tmp_path, digits):
  return tiny.environment(tmp_path, digits)


def carry(env, **saved):
  network = perceptron(1.0, env.data.train.classes)
  state = types.TrainState(
    step=np.int32(0),
    params=network.params,
    batch_stats={},
    opt_state=None,
    masks=network.masks,
    scores=network.scores,
    heads={},
    aux={},
  )
  return carry_lib.Carry(
    state=state,
    model=network.model,
    preprocessing=network.preprocessing,
    saved=saved,
  )


@pytest.fixture(scope='module')
def folder(tmp_path_factory, digits):
  """What an attack with everything leaves."""
  labels = {'variant': 'l1', 'seed': 3}
  env = tiny.environment(tmp_path_factory.mktemp('run'), digits, labels=labels)
  parent = perceptron(1.0, env.data.train.classes, seed=1)
  before = carry(env, dense=Snapshot(parent, np.int32(0)))
  phase = phases.Attack('L1', images=20, check_images=10, parent='dense')
  assert phase(before, env) is before
  return env.workdir


def rows(folder):
  with open(folder / 'results.csv', newline='') as f:
    return list(csv.DictReader(f))


def errors(folder, suite):
  return {
    row['corruption']: float(row['error'])
    for row in rows(folder)
    if row['suite'] == suite
  }


ATTACKS = ('fgsm', 'pgd', 'pgd_l2', 'salt_and_pepper')


@pytest.mark.parametrize('suite', ['light', 'heavy'])
def test_rows_are_what_the_kept_predictions_say(folder, suite):
  found = errors(folder, suite)
  assert tuple(found) == (*ATTACKS, 'mean')
  assert found['mean'] == pytest.approx(np.mean([found[n] for n in ATTACKS]))
  with np.load(folder / 'predictions.npz') as z:
    labels = z[f'labels|{suite}']
    assert len(labels) == 20
    for name in ATTACKS:
      wrong = z[f'network|{suite}|{name}|'] != labels
      assert wrong.mean() == pytest.approx(found[name])


def test_heavy_attacks_are_no_weaker_than_light_ones(folder):
  light, heavy = errors(folder, 'light'), errors(folder, 'heavy')
  for name in ('fgsm', 'pgd', 'pgd_l2'):
    assert heavy[name] >= light[name]
  assert heavy['mean'] > light['mean']


def test_rows_tell_radius_and_norms(folder):
  pgd = next(row for row in rows(folder) if row['corruption'] == 'pgd')
  assert float(pgd['eps']) == pytest.approx(2 / 255, abs=1e-6)
  assert 0 <= float(pgd['norm_25']) <= 2 / 255 + 1e-6
  smallest = [row for row in rows(folder) if row['suite'] == 'smallest']
  names = [row['corruption'] for row in smallest]
  assert names == ['deepfool', 'salt_and_pepper_search']
  assert {(row['n'], row['eps']) for row in smallest} == {('10', '')}


def test_checks_and_their_verdict_stand_in_every_row(folder):
  written = rows(folder)
  names = {'pgd', 'few_steps', 'huge', 'square', 'transfer'}
  assert errors(folder, 'check').keys() == names
  ((masked, zero),) = {(r['masked'], r['zero_gradients']) for r in written}
  assert masked
  assert 0 <= float(zero) <= 1
  assert {row['method'] for row in written} == {'L1'}


def test_a_quantized_network_is_attacked_as_its_integers(env, monkeypatch):
  """Gradients are of the network that rounds, what is fooled are integers."""
  monkeypatch.setattr(models, 'QuantNet', type(carry(env).model))
  other = perceptron(1.0, env.data.train.classes, seed=5)
  monkeypatch.setattr(attack_rows.quantize, 'integers', lambda _: other)
  network = perceptron(1.0, env.data.train.classes)
  case = attack_rows.Case.of(network, env.data.test, key=env.key, images=20)
  assert case.deployed is other
  jax.tree.map(
    np.testing.assert_array_equal, case.network.params, network.params
  )


def test_an_unknown_parent_and_too_many_checks_are_refused(env):
  with pytest.raises(KeyError, match='Attack wants the network'):
    phases.Attack('L1', parent='dense')(carry(env), env)
  with pytest.raises(ValueError, match='check_images from 0 to images'):
    phases.Attack('L1', images=4, check_images=5)
