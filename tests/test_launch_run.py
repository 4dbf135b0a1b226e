"""launch/run.py and launch/report.py as a user meets them: as programs."""

import csv
import json
import subprocess
import sys

import children
import numpy as np
import pytest
from children import ROOT

STD = '--config=configs/digits.py:std'
TINY = (STD, '--config.epochs=1', '--config.train_size=64')


def launch(script, *args):
  """The finished program, on one device."""
  return subprocess.run(
    [sys.executable, f'launch/{script}.py', *args],
    cwd=ROOT,
    env=children.environment(),
    stdin=subprocess.DEVNULL,
    capture_output=True,
    text=True,
    timeout=300,
  )


def run(*args):
  return launch('run', *args)


def contents(workdir):
  """Every file of a run directory and its bytes."""
  return {
    path.relative_to(workdir).as_posix(): path.read_bytes()
    for path in sorted(workdir.rglob('*'))
    if path.is_file() and not path.name.startswith('events.out.tfevents')
  }


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
  """The run directory of a tiny run."""
  workdir = tmp_path_factory.mktemp('launch') / 'std'
  result = run(*TINY, f'--workdir={workdir}')
  assert result.returncode == 0, result.stderr
  assert f'results: {workdir}/results.csv' in result.stdout
  return workdir


def test_help_shows_the_commands():
  shown = run('--help').stdout
  assert 'python launch/run.py --config=configs/digits.py:hydra' in shown
  assert '--config.density=0.05' in shown
  for flag in (
    '--config',
    '--workdir',
    '--shared',
    '--workers',
    '--coordinator',
  ):
    assert f'\n  {flag}:' in shown


@pytest.mark.parametrize(
  ('args', 'words'),
  [
    (
      [STD, '--config.densty=0.1'],
      ['densty', '--config.density=0.0', '--config.model=resnet8'],
    ),
    ([STD, '--config.density=much'], ['config.density', "'much'"]),
    (['--config=configs/digit.py'], ['configs/digit.py', 'No such file']),
    (['--config=configs/cifar10.py:std'], ['cifar10', '--config.data_root']),
    ([STD, 'epochs=3'], ['unknown arguments', 'epochs=3']),
    (['--config=tests/sweep_config.py:amda'], ['knows no AMDA']),
  ],
)
def test_mistakes_are_one_message_and_leave_nothing(tmp_path, args, words):
  result = run(*args, f'--workdir={tmp_path}/run')
  assert result.returncode != 0
  for word in words:
    assert word in result.stdout + result.stderr
  assert 'Traceback' not in result.stdout + result.stderr
  assert not (tmp_path / 'run').exists()


def test_an_unknown_variant_is_answered_with_those_that_exist(tmp_path):
  result = run('--config=configs/digits.py:hidra', f'--workdir={tmp_path}/run')
  assert result.returncode != 0
  assert "no variant 'hidra'; there are std, augmix, kd" in result.stderr
  assert not (tmp_path / 'run').exists()


def test_what_a_phase_refuses_is_one_message(tmp_path):
  prune = ('--config=tests/sweep_config.py:gw', '--config.ratio=1e9')
  result = run(*prune, '--config.epochs=1', f'--workdir={tmp_path}/run')
  assert result.returncode == 1
  assert result.stderr.startswith('ValueError: ')
  assert 'Traceback' not in result.stderr


def test_a_missing_workdir_is_named():
  result = run(STD)
  assert result.returncode != 0
  assert '--workdir' in result.stderr
  assert 'Traceback' not in result.stderr


def test_a_run_leaves_its_files(finished):
  config = json.loads((finished / 'config.json').read_text())
  assert (config['variant'], config['epochs'], config['train_size']) == (
    *('std', 1.0),
    64,
  )
  lines = (finished / 'metrics.jsonl').read_text().splitlines()
  assert [json.loads(line)['step'] for line in lines] == [1, 2]
  with (finished / 'results.csv').open(newline='') as f:
    rows = list(csv.DictReader(f))
  assert {row['suite'] for row in rows} == {'clean', 'corrupted', 'rendition'}
  with np.load(finished / 'predictions.npz') as z:
    for row in rows:
      assert row['variant'] == 'std'
      if row['corruption'] != 'mean':
        wrong = (
          z[f'network|{row["suite"]}|{row["corruption"]}|{row["severity"]}']
          != z[f'labels|{row["suite"]}']
        )
        assert float(row['error']) == wrong.mean()


def test_the_same_command_again_changes_nothing(finished):
  before = contents(finished)
  result = run(*TINY, f'--workdir={finished}')
  assert result.returncode == 0, result.stderr
  assert 'continuing at' in result.stdout
  assert contents(finished) == before


def test_another_config_is_refused_with_the_difference(finished):
  before = contents(finished)
  result = run(*TINY, '--config.learning_rate=0.3', f'--workdir={finished}')
  assert result.returncode != 0
  assert 'learning_rate: 0.1 there, 0.3 now' in result.stderr
  assert result.stderr.count(' there, ') == 1
  assert 'Traceback' not in result.stderr
  assert contents(finished) == before


def test_the_report_is_one_page_of_it(finished, tmp_path):
  page = tmp_path / 'page.html'
  result = launch('report', str(finished), f'--out={page}')
  assert result.returncode == 0, result.stderr
  assert 'standard' in result.stdout
  assert str(page) in result.stdout
  assert '<svg' in page.read_text() or '<img' in page.read_text()


@pytest.mark.parametrize('args', [['gs://b/runs'], ['runs', '--out=gs://b/a']])
def test_a_report_is_of_local_folders(args):
  result = launch('report', *args)
  assert result.returncode == 1
  assert result.stderr == (
    f'error: {args[-1].removeprefix("--out=")} is no path of this machine; '
    'a report needs a local copy\n'
  )


def test_a_report_of_nothing_is_refused(tmp_path):
  result = launch('report', str(tmp_path), f'--out={tmp_path}/page.html')
  assert result.returncode != 0
  assert str(tmp_path) in result.stderr
  assert 'Traceback' not in result.stderr
