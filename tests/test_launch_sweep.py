"""launch/sweep.py as a user meets it: as a program that is killed."""

import contextlib
import signal
import subprocess
import sys
import time

import children
import pytest
from children import ROOT
from etils import epath

from rcj import grid, locks, results
from rcj.carry import Carry
from rcj.phases.loop import number

CONFIG = '--config=tests/sweep_config.py'
# One quick run, one of seconds, with checkpoints between.
GRID = ('--grid=epochs=1,120', '--config.checkpoint_every=40')
QUICK, SLOW = 'epochs=1-seed=0', 'epochs=120-seed=0'


@contextlib.contextmanager
def started(folder, *args):
  """A sweep under way; killed at the end if it still runs."""
  with subprocess.Popen(
    [sys.executable, 'launch/sweep.py', f'--workdir={folder}', *args],
    cwd=ROOT,
    env=children.environment(),
    stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  ) as program:
    try:
      yield program
    finally:
      program.kill()


def launch(folder, *args):
  """(exit status, output) of a sweep that ends by itself."""
  with started(folder, *args) as program:
    output, _ = program.communicate(timeout=300)
    return program.returncode, output


def reached(folder):
  """Number of the newest checkpoint of a run, -1 for none."""
  names = (p.name for p in (folder / 'checkpoints').glob('*'))
  return max((int(name) for name in names if name.isdigit()), default=-1)


def wait_until(condition, program):
  while not condition():
    assert program.poll() is None, program.stdout.read()
    time.sleep(0.02)


def check_stopped(folder):
  """The run is begun, not finished, and nobody is at work in it."""
  for _ in range(100):
    with locks.exclusive(epath.Path(folder / 'lock')) as free:
      if free:
        break
    time.sleep(0.1)
  assert free
  assert (folder / 'metrics.jsonl').exists()
  assert not (folder / 'results.csv').exists()


def test_killed_sweeps_continue_and_fill_only_what_is_missing(tmp_path):
  quick, slow = tmp_path / QUICK, tmp_path / SLOW
  args = (tmp_path, CONFIG, *GRID, '--jobs=2')
  with started(*args) as first:
    end = number(Carry(phase=3))
    wait_until(lambda: reached(quick) == end, first)
    wait_until((slow / 'metrics.jsonl').exists, first)
    first.send_signal(signal.SIGTERM)
    output, _ = first.communicate(timeout=60)
  assert first.returncode == 128 + signal.SIGTERM, output
  check_stopped(slow)
  before = (quick / 'results.csv').stat().st_mtime_ns

  with started(*args) as second:
    stopped = max(reached(slow), 0)
    wait_until(lambda: reached(slow) > stopped, second)
    second.kill()
  check_stopped(slow)

  status, output = launch(*args)
  assert status == 0, output
  assert f'[1/1] {SLOW}: done in' in output
  assert QUICK not in output
  assert '2 runs: 2 done, 0 begun, 0 missing' in output
  assert 'continuing at phase 1, step' in (slow / 'log.txt').read_text()
  assert (quick / 'results.csv').stat().st_mtime_ns == before
  assert len(results.read_rows(slow / 'results.csv')) == 1
  (view,) = grid.read(tmp_path)
  assert [cell.runs for cell in view.cells] == [(QUICK,), (SLOW,)]


def test_a_failing_cell_is_named_and_the_others_share_and_finish(tmp_path):
  """One of two pruned networks asks for more than there is to prune."""
  args = (CONFIG, '--config.method=gw', '--config.epochs=1')
  status, output = launch(tmp_path, *args, '--grid=ratio=4.5,1e9')
  good = tmp_path / 'ratio=4.5-seed=0'
  bad = tmp_path / 'ratio=1000000000-seed=0'
  assert status == 1
  assert f'failed: {bad}/error.txt' in output
  assert 'Traceback' in (bad / 'error.txt').read_text()
  assert '2 runs: 1 done, 0 begun, 1 missing' in output
  assert results.read_rows(good / 'results.csv')
  assert 'sharing the first 2 phases' in (bad / 'log.txt').read_text()

  # A view is added; one of its cells cannot be run, one is not reached.
  status, output = launch(
    *(tmp_path, *args, '--views=table2', '--budget_minutes=0')
  )
  assert status == 0, output
  assert 'knows no AMDA' in output
  assert '1 runs not started: the time was over' in output
  assert [v.name for v in grid.read(tmp_path)] == ['grid-ratio', 'table2']

  status, output = launch(
    *(tmp_path, *args, '--grid=ratio=4.5', '--config.learning_rate=0.2')
  )
  assert status == 1
  assert 'learning_rate: 0.1 there, 0.2 now' in output
  assert 'Traceback' not in output


@pytest.mark.parametrize(
  ('args', 'words'),
  [
    ([], ['--views=NAME', 'table1, figure1, table2']),
    (['--grid=method=gw,hidra'], ['method=hidra', 'there are train, gw, lw']),
    (['--grid=ratio=5', '--seeds=a'], ['whole numbers', "'a'"]),
  ],
)
def test_mistakes_are_one_message_and_leave_nothing(tmp_path, args, words):
  status, output = launch(tmp_path / 'new', CONFIG, *args)
  assert status == 1
  for word in words:
    assert word in output
  assert 'Traceback' not in output
  assert not (tmp_path / 'new').exists()


def test_a_sweep_is_in_a_local_folder():
  status, output = launch('gs://bucket/sweep', CONFIG, '--views=all')
  assert status == 1
  assert 'a folder of this machine' in output
  assert 'Traceback' not in output
  assert not (ROOT / 'gs:').exists()


def test_a_dry_run_lists_the_runs_and_leaves_nothing(tmp_path):
  args = ('--views=all', '--seeds=0,1', '--dry_run')
  status, output = launch(tmp_path / 'new', CONFIG, *args)
  assert status == 0, output
  assert 'missing  method=gw-seed=1\n' in output
  assert 'cannot   method=amda-seed=0\n' in output
  assert '8 runs: 2 cannot, 6 missing' in output
  assert not (tmp_path / 'new').exists()
