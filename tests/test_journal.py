"""The log of a run directory."""

import contextlib
import io
import json
import sys
import time

import pytest
from rich.console import Console

from rcj.journal import Journal


@pytest.fixture
def alone(monkeypatch):
  """Without TensorBoard."""
  monkeypatch.setitem(sys.modules, 'tensorboardX', None)


def rows(folder):
  lines = (folder / 'metrics.jsonl').read_text().splitlines()
  return [json.loads(line) for line in lines]


def moments(folder):
  return [(row['phase'], row['step']) for row in rows(folder)]


def test_a_row_holds_phase_step_time_and_values(tmp_path, alone):
  journal, begin = Journal(tmp_path), time.time()
  journal.metrics(1, 10, loss=0.25, note='begun')
  journal.metrics(1, 20, loss=0.125)
  first, second = rows(tmp_path)
  assert begin <= first.pop('time') <= second.pop('time') <= time.time()
  assert first == {'phase': 1, 'step': 10, 'loss': 0.25, 'note': 'begun'}
  assert second == {'phase': 1, 'step': 20, 'loss': 0.125}


def test_without_tensorboard_there_is_nothing_but_the_rows(
  tmp_path, alone, capfd, recwarn
):
  Journal(tmp_path).metrics(0, 1, loss=1.0)
  assert [p.name for p in tmp_path.iterdir()] == ['metrics.jsonl']
  assert capfd.readouterr() == ('', '')
  assert not recwarn


def test_with_tensorboard_there_are_event_files(tmp_path):
  pytest.importorskip('tensorboardX')
  # Else its thread would wake up in a test that hides TensorBoard.
  with contextlib.closing(Journal(tmp_path)) as journal:
    journal.metrics(3, 1, loss=1.0, note='text is not plotted')
  assert len(list(tmp_path.glob('events.out.tfevents.*'))) == 1
  assert moments(tmp_path) == [(3, 1)]


MOMENTS = [(0, 5), (0, 90), (1, 5), (1, 10), (1, 15), (2, 1)]


@pytest.mark.parametrize(
  ('phase', 'step', 'kept'),
  [
    (0, 0, 0),
    (0, 90, 2),
    (1, 0, 2),  # whole phases before stay, however many steps they had
    (1, 10, 4),
    (1, 12, 4),
    (2, 0, 5),
    (9, 0, 6),
  ],
)
def test_rewind_drops_the_rows_after_the_checkpoint(
  tmp_path, alone, phase, step, kept
):
  journal = Journal(tmp_path)
  for moment in MOMENTS:
    journal.metrics(*moment, loss=0.1)
  before = rows(tmp_path)
  journal.rewind(phase, step)
  assert rows(tmp_path) == before[:kept]
  assert [p.name for p in tmp_path.iterdir()] == ['metrics.jsonl']
  journal.metrics(phase, step + 1, loss=0.2)
  assert moments(tmp_path) == [*MOMENTS[:kept], (phase, step + 1)]


@pytest.mark.parametrize('torn', ['{"phase": 1, "st', '{', '{"phase": 1}x'])
def test_rewind_drops_a_torn_last_line(tmp_path, alone, torn):
  journal = Journal(tmp_path)
  journal.metrics(1, 5, loss=0.1)
  with (tmp_path / 'metrics.jsonl').open('a') as f:
    f.write(torn)
  journal = Journal(tmp_path)
  journal.rewind(1, 5)
  journal.metrics(1, 6, loss=0.1)
  assert moments(tmp_path) == [(1, 5), (1, 6)]


def test_rewind_of_a_run_without_rows(tmp_path, alone):
  Journal(tmp_path).rewind(1, 5)
  assert not list(tmp_path.iterdir())


def test_other_hosts_write_and_say_nothing(tmp_path, capfd):
  (tmp_path / 'metrics.jsonl').write_text('of the first host\n')
  out = io.StringIO()
  console = Console(file=out, force_terminal=True)
  journal = Journal(tmp_path, console=console, enabled=False)
  journal.metrics(0, 1, loss=1.0)
  journal.rewind(0, 0)
  journal.say('hello')
  with journal.progress('phase 0', 10, 0) as bar:
    bar.advance('fast')
  assert [p.name for p in tmp_path.iterdir()] == ['metrics.jsonl']
  assert (tmp_path / 'metrics.jsonl').read_text() == 'of the first host\n'
  assert capfd.readouterr() == ('', '')
  assert out.getvalue() == ''


def output(tmp_path, *, terminal):
  out = io.StringIO()
  console = Console(file=out, force_terminal=terminal, width=120)
  journal = Journal(tmp_path, console=console)
  with journal.progress('phase 7', total=12, done=8) as bar:
    for _ in range(3):
      bar.advance('50 images/s')
  shown = out.getvalue()
  journal.say('phase 7 is over')
  return shown, out.getvalue().removeprefix(shown)


def test_progress_is_for_terminals(tmp_path, alone):
  assert output(tmp_path, terminal=False) == ('', 'phase 7 is over\n')
  shown, said = output(tmp_path, terminal=True)
  assert 'phase 7' in shown
  assert '11/12' in shown
  assert '50 images/s' in shown
  assert said == 'phase 7 is over\n'
