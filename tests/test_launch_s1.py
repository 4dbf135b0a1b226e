"""The program that re-measures S1: its commands fit the configs they name."""

import dataclasses
import importlib.util
import pathlib
import shlex
import subprocess
import sys

import pytest
from absl import flags
from ml_collections import config_flags

ROOT = pathlib.Path(__file__).resolve().parent.parent

# ml_collections loads config files by a method that Python has deprecated.
pytestmark = pytest.mark.filterwarnings(
  r'ignore:the load_module\(\) method:DeprecationWarning'
)


def module(path):
  spec = importlib.util.spec_from_file_location(path.stem, path)
  made = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(made)
  return made


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('s1')


@pytest.fixture(scope='module')
def commands(folder):
  """What it would run, in a folder of its own."""
  done = subprocess.run(
    [
      *(sys.executable, 'launch/s1.py', '--dry_run', '--jobs=2'),
      *('--seeds=0,1', f'--workdir={folder}', '--pacs=pacs.npz'),
      '--tiny_imagenet=tiny.npz',
    ],
    capture_output=True,
    text=True,
    check=True,
    cwd=ROOT,
  )
  return [shlex.split(line)[1:] for line in done.stdout.splitlines()]


def parsed(command):
  values = flags.FlagValues()
  words = [word for word in command if word.startswith('--config')]
  holder = config_flags.DEFINE_config_file(
    'config', flag_values=values, sys_argv=words
  )
  values(['run.py', *words.copy()])
  return holder.value


def test_runs_pretraining_then_the_sweep_then_the_report(commands):
  programs = [command[0] for command in commands]
  assert programs == [
    *['launch/run.py'] * 3,
    'launch/sweep.py',
    'launch/report.py',
  ]
  sweep = commands[3]
  assert '--seeds=0,1' in sweep
  assert '--jobs=2' in sweep


def test_every_cell_begins_with_a_network_that_was_trained(
  commands, monkeypatch
):
  monkeypatch.chdir(ROOT)
  for command in commands[:3]:
    config = parsed(command)
    (workdir,) = [w for w in command if w.startswith('--workdir=')]
    run = pathlib.Path(workdir.removeprefix('--workdir='))
    assert run.name == config.model
    (run / 'checkpoints').mkdir(parents=True)
    (run / 'config.json').write_text(f'{{"width": {config.width}}}')
  views = module(ROOT / 'configs' / 'pacs.py').views()
  fields = [cell.fields for view in views for cell in view.cells]
  base = parsed(commands[3])
  assert fields
  for changed in fields:
    recipe = dataclasses.replace(base, **changed).recipe()
    assert recipe[0].new_head
