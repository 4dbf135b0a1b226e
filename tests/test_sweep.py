"""Sweeps under way: states of runs, workers, what they show and share."""

import dataclasses
import io
import json
import os
import pathlib
import subprocess
import sys
import time
from typing import ClassVar

import jax
import pytest
from rich.console import Console
from sweep_config import Small
from sweep_plans import BASE, planned

from rcj import grid, sweep
from rcj.carry import Carry
from rcj.phases.loop import number
from rcj.sweep.board import Outcome
from rcj.sweep.devices import slots
from rcj.sweep.progress import activity
from rcj.sweep.reuse import Reuse
from rcj.sweep.worker import forget_programs

# States


def make(folder, run, *, phases=None):
  """A run directory as `experiment` leaves it, up to a phase."""
  inside = folder / run.name
  reached = run.phases if phases is None else phases
  checkpoint = str(number(Carry(phase=reached)))
  (inside / 'checkpoints' / checkpoint).mkdir(parents=True)
  text = json.dumps(dataclasses.asdict(run.config))
  (inside / 'config.json').write_text(text)


def test_a_run_is_done_with_the_checkpoint_behind_its_last_phase(tmp_path):
  done, partial, missing = planned({}, {'method': 'gw'}, {'method': 'lw'})
  make(tmp_path, done)
  make(tmp_path, partial, phases=partial.phases - 1)
  (tmp_path / missing.name).mkdir()
  states = [sweep.state(run, tmp_path) for run in (done, partial, missing)]
  assert states == ['done', 'partial', 'missing']


def test_a_directory_of_another_config_is_a_conflict(tmp_path):
  runs = planned({}, {'method': 'gw'}, {'method': 'lw'})
  for run in runs[:2]:
    make(tmp_path, run)
  assert sweep.conflicts(runs, tmp_path) == []
  assert not (tmp_path / runs[2].name).exists()
  # A worker that begins a run just now must not find it busy.
  assert not list(tmp_path.glob('*/lock'))
  base = dataclasses.replace(BASE, learning_rate=0.3)
  changed = planned({}, {'method': 'gw'}, {'method': 'lw'}, base=base)
  found = sweep.conflicts(changed, tmp_path)
  assert len(found) == 2
  assert 'learning_rate: 0.1 there, 0.3 now' in found[0]


def test_the_list_counts_states(tmp_path):
  runs = planned({}, {'method': 'gw'}, {'method': 'amda'}, {'method': 'hidra'})
  make(tmp_path, runs[0])
  console = Console(record=True, width=40, file=io.StringIO())
  sweep.list_runs(runs, tmp_path, console)
  text = console.export_text()
  assert 'done     default-seed=0\n' in text
  assert 'missing  method=gw-seed=0\n' in text
  assert '4 runs: 2 cannot, 1 done, 1 missing' in text
  assert 'knows no AMDA' in text


# Board


def test_a_board_gives_out_what_is_not_done(tmp_path):
  runs = planned({}, {'method': 'gw'}, {'method': 'amda'})
  make(tmp_path, runs[0])
  board = sweep.Board(runs, tmp_path)
  assert board.before == {runs[0].name}
  assert board.take(0) is runs[1]
  assert board.take(1) is None
  board.finish(0, Outcome('done'))
  assert list(board.outcomes) == [runs[1].name]
  assert (board.waiting, board.running) == (0, {})


def test_nothing_is_given_out_after_the_time(tmp_path):
  board = sweep.Board(planned({}), tmp_path, seconds=0.0)
  assert board.take(0) is None
  assert board.waiting == 1


def test_nothing_is_given_out_after_a_stop(tmp_path):
  board = sweep.Board(planned({}), tmp_path)
  board.stop()
  assert board.take(0) is None


# Slots


def test_every_gpu_has_one_worker(monkeypatch):
  monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
  found = slots('gpu', 2, jobs=None)
  assert [dict(s.environment) for s in found] == [
    {'CUDA_VISIBLE_DEVICES': '0'},
    {'CUDA_VISIBLE_DEVICES': '1'},
  ]


def test_hidden_gpus_stay_hidden(monkeypatch):
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5,7')
  found = slots('gpu', 2, jobs=2)
  assert [s.environment['CUDA_VISIBLE_DEVICES'] for s in found] == ['5', '7']


def test_workers_on_one_gpu_share_its_memory(monkeypatch):
  monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
  monkeypatch.delenv('XLA_PYTHON_CLIENT_MEM_FRACTION', raising=False)
  found = slots('gpu', 1, jobs=3)
  fractions = [s.environment['XLA_PYTHON_CLIENT_MEM_FRACTION'] for s in found]
  assert {s.environment['CUDA_VISIBLE_DEVICES'] for s in found} == {'0'}
  assert 0.8 < sum(map(float, fractions)) < 1


def test_every_tpu_chip_has_one_worker():
  found = slots('tpu', 4, jobs=None)
  for name in ('TPU_VISIBLE_CHIPS', 'TPU_PROCESS_PORT'):
    assert len({s.environment[name] for s in found}) == 4
  with pytest.raises(ValueError, match='5 jobs on 4 chips'):
    slots('tpu', 4, jobs=5)


def test_workers_on_cpu_share_the_cores(monkeypatch):
  monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0, 1, 2, 5}, False)
  assert [s.cores for s in slots('cpu', 4, jobs=None)] == [frozenset()]
  assert [set(s.cores) for s in slots('cpu', 4, jobs=2)] == [{0, 2}, {1, 5}]
  assert [set(s.cores) for s in slots('cpu', 1, jobs=6)] == [
    *({0}, {1}, {2}, {5}, {0}, {1}),
  ]
  with pytest.raises(ValueError, match='at least one'):
    slots('cpu', 1, jobs=0)


# Progress


def test_activity_is_the_newest_line(tmp_path):
  assert activity(tmp_path, 5) == 'begins'
  row = {'phase': 1, 'step': 20, 'images_per_second': 1234.5}
  metrics, log = tmp_path / 'metrics.jsonl', tmp_path / 'log.txt'
  metrics.write_text('{"phase": 0}\n' + json.dumps(row) + '\n')
  assert activity(tmp_path, 5) == 'phase 2 of 5, step 20, 1,234 images/s'
  log.write_text('phase 0\nanother run trains phase 1: waiting for it\n')
  os.utime(metrics, (0, 1))
  assert activity(tmp_path, 5) == 'another run trains phase 1: waiting for it'


def test_a_terminal_shows_workers_counts_and_the_time_left(tmp_path):
  runs = planned({}, {'method': 'gw'}, {'method': 'lw'})
  board = sweep.Board(runs, tmp_path)
  screen = io.StringIO()
  console = Console(file=screen, force_terminal=True, width=100)
  with sweep.Display(board, slots('cpu', 1, jobs=1), console) as display:
    board.take(0)
    board.finish(0, Outcome('done'))
    board.take(0)
    display.update()
  text = screen.getvalue()
  for words in ('[1/3]', 'done in 0 s', 'method=gw-seed=0', 'about 0 s left'):
    assert words in text
  assert '1 done, 1 running, 0 failed, 1 waiting' in text


# Workers

# Answers like a worker, without JAX; dies or is busy where the method says so.
FAKE = """
import json, sys
for line in sys.stdin:
  order = json.loads(line)
  method = order['fields']['method']
  if method == 'gw':
    sys.exit(3)
  answer = {'state': 'done'}
  if method == 'lw':
    answer = {'state': 'busy', 'error': 'another process'}
  if order['fields']['ratio'] == 8:
    answer = {'state': 'failed', 'error': 'E: no', 'trace': 'Traceback: no'}
  print(json.dumps(answer), flush=True)
"""


def test_a_worker_that_dies_is_replaced_and_the_others_run_on(tmp_path):
  fields = [{}, {'method': 'gw'}, {'ratio': 8.0}, {'method': 'lw'}]
  runs = planned(*fields, {'ratio': 9.0})
  for run in runs:
    make(tmp_path, run, phases=1)
    (tmp_path / run.name / 'error.txt').write_text('of an earlier sweep')
  board, ticks = sweep.Board(runs, tmp_path), []
  command = [sys.executable, '-c', FAKE]
  places = slots('cpu', 1, jobs=1)
  sweep.work(board, places, command, watch=lambda: ticks.append(0))
  ended = [board.outcomes[run.name] for run in runs]
  assert [o.state for o in ended] == [
    'done',
    'failed',
    'failed',
    'busy',
    'done',
  ]
  assert 'died with status 3' in ended[1].error
  assert ended[2].error == 'E: no'
  reports = [tmp_path / run.name / 'error.txt' for run in runs]
  assert [r.exists() for r in reports] == [False, True, True, False, False]
  assert reports[2].read_text() == 'Traceback: no'
  assert ticks
  console = Console(record=True, width=40, file=io.StringIO())
  assert not sweep.summarize(board, runs, console)
  text = console.export_text()
  assert f'failed: {reports[1]}' in text
  assert '5 runs: 0 done, 5 begun, 0 missing' in text


def test_a_directory_of_somebody_else_gets_no_file(tmp_path):
  runs = planned({'ratio': 8.0})
  (tmp_path / runs[0].name).mkdir()
  board = sweep.Board(runs, tmp_path)
  command = [sys.executable, '-c', FAKE]
  sweep.work(board, slots('cpu', 1, jobs=1), command, watch=lambda: None)
  assert board.outcomes[runs[0].name].state == 'failed'
  assert not list((tmp_path / runs[0].name).iterdir())


def test_a_stop_reaches_a_process_that_is_just_starting(tmp_path, monkeypatch):
  board = sweep.Board(planned({}), tmp_path)
  start, began = subprocess.Popen, time.monotonic()

  def late(*args, **options):
    while not board.stopped:
      time.sleep(0.01)
    time.sleep(0.2)
    return start(*args, **options)

  def interrupt():
    raise KeyboardInterrupt

  monkeypatch.setattr(subprocess, 'Popen', late)
  command = [sys.executable, '-c', 'import time; time.sleep(30)']
  with pytest.raises(KeyboardInterrupt):
    sweep.work(board, slots('cpu', 1, jobs=1), command, watch=interrupt)
  assert time.monotonic() - began < 20


def test_a_worker_that_was_started_by_hand_ends_alone():
  listen = 'from rcj.sweep import worker; worker._listen(None)'
  shell = subprocess.run(
    ['bash', '-c', f'"{sys.executable}" -c "{listen}"; echo $?'],
    cwd=pathlib.Path(grid.__file__).parent.parent,
    stdin=subprocess.DEVNULL,
    capture_output=True,
    text=True,
    start_new_session=True,
  )
  assert shell.stdout == '1\n', shell.stderr


# Data


@dataclasses.dataclass
class Counting(Small):
  test_size: int = 32
  loads: ClassVar[int] = 0

  def load_data(self):
    Counting.loads += 1
    return [self.epochs]

  def suites(self, data):
    return (data, self.test_size)


def test_data_are_made_once_per_value_of_the_fields_that_are_read():
  Counting.loads, reuse = 0, Reuse()
  one, two = Counting(seed=0), Counting(seed=1, method='gw')
  longer = Counting(epochs=5.0)
  data = reuse.load_data(one)
  assert reuse.load_data(two) is data
  assert reuse.load_data(longer) is not data
  assert Counting.loads == 2


def test_suites_follow_their_own_fields_and_data():
  reuse = Reuse()
  one, two = Counting(seed=0), Counting(seed=1)
  data = reuse.load_data(one)
  suites = reuse.suites(one, data)
  assert reuse.suites(two, data) is suites
  assert reuse.suites(Counting(test_size=9), data) == (data, 9)
  longer = Counting(epochs=5.0)
  assert reuse.suites(longer, reuse.load_data(longer)) == ([5.0], 32)


def test_programs_are_dropped_where_they_have_come_to_many():
  calls = []
  double = jax.jit(lambda x: calls.append(x) or 2 * x)
  double(1.0)
  # Whoever runs these tests may have many already.
  forget_programs(most=10**9)
  double(1.0)
  assert len(calls) == 1  # traced once
  forget_programs(most=0)
  double(1.0)
  assert len(calls) == (2 if pathlib.Path('/proc/self/maps').exists() else 1)
