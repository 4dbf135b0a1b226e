"""Two processes with two devices each are one program with four devices."""

import os
import signal
import socket
import subprocess
import sys
import time

import children
import hosts
import numpy as np
import pytest
from children import ROOT

from rcj import export, results


def slurm(task, tasks=2):
  """Variables that srun sets for a task on this machine."""
  return {
    'SLURM_JOB_ID': str(job()),
    'SLURM_STEP_NODELIST': 'localhost',
    'SLURM_NTASKS': str(tasks),
    'SLURM_PROCID': str(task),
    'SLURM_LOCALID': str(task),
  }


_JOBS = []


def job():
  """A job number whose port, as jax derives it, is free."""
  if not _JOBS:
    for number in range(os.getpid(), os.getpid() + 4096):
      with socket.socket() as s:
        if s.connect_ex(('localhost', number % 4096 + 61440)):
          _JOBS.append(number)
          break
  return _JOBS[0]


def port():
  with socket.socket() as s:
    s.bind(('localhost', 0))
    return s.getsockname()[1]


def launch(folder, *command, tasks=2):
  """The command as tasks of a job."""
  folder.mkdir(exist_ok=True)
  started = []
  for task in range(tasks):
    with (folder / f'{task}.log').open('a') as log:
      started.append(
        subprocess.Popen(
          [sys.executable, *map(str, command)],
          cwd=ROOT,
          env=children.environment(devices=2, **slurm(task, tasks)),
          stdout=log,
          stderr=log,
        )
      )
  return started


def finish(folder, tasks):
  """Exit codes, and what the tasks said."""
  try:
    codes = [task.wait(timeout=400) for task in tasks]
  finally:
    for task in tasks:
      task.kill()
  return codes, [(folder / f'{i}.log').read_text() for i in range(len(tasks))]


def read(path):
  with np.load(path) as z:
    return dict(z)


@pytest.fixture(scope='module')
def two(tmp_path_factory):
  folder = tmp_path_factory.mktemp('two') / 'processes'
  codes, said = finish(folder, launch(folder, 'tests/hosts.py', folder))
  assert codes == [0, 0], said
  return folder


@pytest.fixture(scope='module')
def alone(tmp_path_factory):
  """One process with four devices."""
  folder = tmp_path_factory.mktemp('alone') / 'process'
  hosts.run(folder)
  return folder


def test_both_processes_hold_the_same_network(two):
  first, second = read(two / '0.npz'), read(two / '1.npz')
  assert first.keys() == second.keys()
  for name in first.keys() - {'rows'}:
    np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_the_network_is_that_of_one_process(two, alone):
  """Masks are equal; sums over devices may differ in their last bits."""
  got, want = read(two / '0.npz'), read(alone / '0.npz')
  assert got.keys() == want.keys()
  for name in got.keys() - {'rows'}:
    if name.startswith('masks'):
      assert 0 < got[name].mean() < 1 or got[name].size < 100
      np.testing.assert_array_equal(got[name], want[name], err_msg=name)
    else:
      np.testing.assert_allclose(got[name], want[name], rtol=1e-4, atol=1e-6)


def test_every_image_is_predicted_once_as_by_one_process(two, alone):
  """13 images in 4 parts, a corrupted set among them."""
  got = read(two / 'run' / 'predictions.npz')
  want = read(alone / 'run' / 'predictions.npz')
  assert set(got) == {
    *('network|clean||', 'labels|clean'),
    *('network|corrupted|gaussian_noise|3', 'labels|corrupted'),
  }
  for name, predicted in want.items():
    assert len(predicted) == 13
    np.testing.assert_array_equal(got[name], predicted, err_msg=name)


def test_processes_train_on_disjoint_and_complete_parts(two, alone):
  first, second = (read(two / f'{i}.npz')['rows'] for i in range(2))
  whole = read(alone / '0.npz')['rows']
  assert first.shape == second.shape == (37 // 8, 4)
  np.testing.assert_array_equal(np.concatenate([first, second], 1), whole)
  assert len(np.unique(whole)) == whole.size


def test_files_are_written_once(two, alone):
  rows = [
    results.read_rows(folder / 'run' / 'results.csv') for folder in (two, alone)
  ]
  for row in (*rows[0], *rows[1]):
    # The last bits of the weights differ, and with them how they compress.
    assert int(row.pop('gzip_bytes')) > 1000
  assert rows[0] == rows[1]
  assert [row['suite'] for row in rows[0]] == ['clean', 'corrupted']
  writes = [(two / f'{i}.writes').read_text() for i in range(2)]
  assert writes == ['[2, 2]', '[0, 0]']
  lines = (two / 'run' / 'metrics.jsonl').read_text().splitlines()
  assert len(lines) == 3
  (shared,) = (p for p in (two / 'shared').iterdir() if p.is_dir())
  assert [p.name for p in shared.iterdir()] == ['40000000']
  said = [(two / f'{i}.log').read_text() for i in range(2)]
  assert 'KD, clean: error' in said[0]
  assert 'error' not in said[1]
  assert 'artifact/network.rcj' in said[0]
  assert 'artifact' not in said[1]
  files = [f / 'run' / 'artifact' / 'network.rcj' for f in (two, alone)]
  first, second = map(export.load, files)
  assert first.model == second.model


def test_run_py_finds_its_cluster_under_slurm(tmp_path):
  command = (
    'launch/run.py',
    '--config=tests/hosts.py:init',
    f'--workdir={tmp_path}/run',
  )
  codes, said = finish(tmp_path, launch(tmp_path, *command))
  assert codes == [0, 0], said
  assert said[0].count('results: ') == 1
  assert 'results: ' not in said[1]
  rows = results.read_rows(tmp_path / 'run' / 'results.csv')
  assert [row['n'] for row in rows] == ['13', '13']


def test_an_error_of_process_0_ends_all(tmp_path):
  (tmp_path / 'run').mkdir()
  (tmp_path / 'run' / 'thesis.tex').touch()
  command = (
    'launch/run.py',
    '--config=tests/hosts.py:init',
    f'--workdir={tmp_path}/run',
  )
  codes, said = finish(tmp_path, launch(tmp_path, *command))
  assert codes == [1, 1], said
  for text in said:
    assert 'ValueError' in text
    assert 'is no run directory' in text
    assert 'Traceback' not in text


def test_a_sigterm_between_training_phases_is_not_lost(tmp_path):
  command = (
    'launch/run.py',
    '--config=tests/hosts.py:terminated',
    f'--workdir={tmp_path}/run',
    f'--coordinator=localhost:{port()}',
    '--num_processes=1',
    '--process_id=0',
  )
  codes, (said,) = finish(tmp_path, launch(tmp_path, *command, tasks=1))
  assert codes == [1], said
  assert 'stopped by SIGTERM after step 0 of phase' in said
  assert 'Traceback' not in said
  codes, (said,) = finish(tmp_path, launch(tmp_path, *command, tasks=1))
  assert codes == [0], said
  assert 'continuing at phase' in said


@pytest.mark.slow
def test_sigterm_of_one_stops_both_and_the_command_continues(tmp_path):
  """The end is that of a run that was not stopped, bit for bit."""
  ends = []
  for name, stop in (('stopped', True), ('undisturbed', False)):
    folder = tmp_path / name
    command = ('tests/hosts.py', folder, '200')
    tasks = launch(folder, *command)
    if stop:
      log = folder / 'run' / 'metrics.jsonl'
      while not log.exists() or len(log.read_text().splitlines()) < 10:
        time.sleep(0.05)
      tasks[1].send_signal(signal.SIGTERM)
      codes, said = finish(folder, tasks)
      assert codes == [1, 1], said
      for text in said:
        assert 'stopped by SIGTERM after step' in text
      tasks = launch(folder, *command)
    codes, said = finish(folder, tasks)
    assert codes == [0, 0], said
    ends.append(read(folder / '0.npz'))
  for name, want in ends[1].items():
    np.testing.assert_array_equal(ends[0][name], want, err_msg=name)
