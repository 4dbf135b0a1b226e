"""A run that is killed anywhere ends with the same bits as one that is not."""

import json
import random
import signal
import subprocess
import sys
import time

import children
import jax
import numpy as np
import pytest

from rcj import results
from rcj.checkpoint import opened

TINY = children.ROOT / 'tests' / 'tiny.py'
# The phases of the tiny recipe that train, and their steps: (index, steps).
TRAINING = ((1, 20), (3, 15), (5, 15))


def launch(workdir):
  with said(workdir).open('w') as log:
    return subprocess.Popen(
      [sys.executable, str(TINY), str(workdir)],
      env=children.environment(devices=2),
      stdout=log,
      stderr=log,
    )


def said(workdir):
  return workdir.with_suffix('.log')


def reached(workdir, target):
  path = workdir / 'metrics.jsonl'
  if not path.exists():
    return False
  for line in path.read_text().splitlines():
    try:
      row = json.loads(line)
    except json.JSONDecodeError:
      continue
    if (row['phase'], row['step']) >= target:
      return True
  return False


def killed_at(workdir, target):
  """Starts the run and kills it soon after `target`; False if it ended."""
  child = launch(workdir)
  while child.poll() is None and not reached(workdir, target):
    time.sleep(0.002)
  if child.poll() is None:
    child.send_signal(signal.SIGKILL)
    child.wait()
    return True
  assert child.returncode == 0, said(workdir).read_text()
  return False


def finished(workdir):
  child = launch(workdir)
  assert child.wait() == 0, said(workdir).read_text()
  with opened(workdir / 'checkpoints') as checkpoints:
    one = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    items, _ = checkpoints.restore(checkpoints.latest(), one)
  end = {
    f'{item}/{name}': np.asarray(x)
    for item, arrays in items.items()
    for name, x in arrays.items()
  }
  with np.load(workdir / 'predictions.npz') as predictions:
    end |= dict(predictions)
  return end


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
  return finished(tmp_path_factory.mktemp('undisturbed') / 'run')


def check_kills(folder, targets, undisturbed):
  kills = sum(killed_at(folder, target) for target in targets)
  assert kills >= len(targets) - 1
  got = finished(folder)
  assert got.keys() == undisturbed.keys()
  for name, want in undisturbed.items():
    np.testing.assert_array_equal(got[name], want, err_msg=name)
  assert len(results.read_rows(folder / 'results.csv')) == 1
  rows = [
    json.loads(line)
    for line in (folder / 'metrics.jsonl').read_text().splitlines()
  ]
  moments = [(row['phase'], row['step']) for row in rows]
  assert moments == [
    (phase, step) for phase, steps in TRAINING for step in range(1, steps + 1)
  ]


def test_three_kills_in_three_phases_change_no_bit(tmp_path, undisturbed):
  rng = random.Random(5)
  targets = [(phase, rng.randrange(2, n - 4)) for phase, n in TRAINING]
  check_kills(tmp_path / 'run', targets, undisturbed)


@pytest.mark.slow
def test_twenty_kills_change_no_bit(tmp_path, undisturbed):
  for round_ in range(5):
    rng = random.Random(round_)
    targets = sorted(
      (phase, rng.randrange(1, n)) for phase, n in (*TRAINING, TRAINING[0])
    )
    check_kills(tmp_path / f'run{round_}', targets, undisturbed)
