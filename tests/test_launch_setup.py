"""launch/setup.sh on stub Pythons."""

import shutil
import subprocess

import pytest
import stubs
from stubs import BASH, STUB_PYTHON, write_program

copy = stubs.copy

OLD_PYTHON = """#!/bin/bash
echo 3.9.18
echo noise >&2
"""

OFFLINE = """
for i in {1..40}; do
  echo "WARNING: Retrying after connection broken by NewConnectionError"
done
echo "ERROR: No matching distribution found for setuptools>=77"
exit 1
"""


def setup(root, *, pip='true', extras='demo,tb', system=True, **env):
  """Runs launch/setup.sh with the stub programs first on PATH."""
  path = str(root.parent / 'bin') + (':/usr/bin:/bin' if system else '')
  return subprocess.run(
    [BASH, str(root / 'launch' / 'setup.sh'), extras],
    env={'PATH': path, 'PIP_STUB': pip, **env},
    cwd='/',
    stdin=subprocess.DEVNULL,
    capture_output=True,
    text=True,
    timeout=60,
  )


def pip_calls(root) -> int:
  calls = root / 'pip calls'
  return len(calls.read_text().splitlines()) if calls.exists() else 0


@pytest.mark.parametrize('script', ['setup', 'demo', 'test'])
def test_old_python_is_one_line(copy, script):
  write_program(copy.parent / 'bin' / 'python3', OLD_PYTHON)
  result = subprocess.run(
    [BASH, f'launch/{script}.sh'],
    env={'PATH': str(copy.parent / 'bin')},
    cwd=copy,
    capture_output=True,
    text=True,
  )
  assert result.returncode == 1
  assert result.stdout == ''
  assert len(result.stderr.splitlines()) == 1, result.stderr
  assert 'needs Python 3.11 or newer; found 3.9.18' in result.stderr
  assert 'PYTHON=' in result.stderr
  assert not (copy / '.venv').exists()


def test_no_python_is_one_line(copy):
  result = setup(copy, system=False)
  assert result.returncode == 1
  assert len(result.stderr.splitlines()) == 1, result.stderr
  assert 'found none' in result.stderr


def test_explicit_python_is_never_passed_over(copy):
  write_program(copy.parent / 'bin' / 'python3.12', STUB_PYTHON)
  write_program(copy.parent / 'old', OLD_PYTHON)
  result = setup(copy, PYTHON=str(copy.parent / 'old'))
  assert result.returncode == 1
  assert 'found 3.9.18' in result.stderr
  assert len(result.stderr.splitlines()) == 1, result.stderr


def test_broken_shims_are_no_python(copy):
  write_program(copy.parent / 'bin' / 'python3.12', f'#!{BASH}\nexit 127\n')
  assert 'found none' in setup(copy, system=False).stderr
  asked = setup(copy, system=False, PYTHON='python3.12')
  assert 'python3.12, which does not run' in asked.stderr


@pytest.mark.parametrize('name', ['python3.12', 'python3.11', 'python'])
def test_a_python_that_works_is_preferred(copy, name):
  write_program(copy.parent / 'bin' / 'python3', OLD_PYTHON)
  write_program(copy.parent / 'bin' / name, STUB_PYTHON)
  # Only the stubs, so that a Python of this machine is not found first.
  for tool in ('rm', 'mkdir', 'touch', 'cp'):
    (copy.parent / 'bin' / tool).symlink_to(shutil.which(tool))
  result = setup(copy, system=False)
  assert result.returncode == 0, result.stderr
  assert result.stderr == ''
  assert (copy / '.venv' / 'bin' / 'python').exists()


def test_unreachable_registry_is_one_line(copy):
  write_program(copy.parent / 'bin' / 'python3.12', STUB_PYTHON)
  result = setup(copy, pip=OFFLINE)
  assert result.returncode == 1
  assert len(result.stderr.splitlines()) == 1, result.stderr
  assert 'cannot be reached' in result.stderr
  assert f'{copy}/.cache/install.log' in result.stderr
  log = (copy / '.cache' / 'install.log').read_text()
  assert log.count('Retrying') == 40
  assert setup(copy).returncode == 0, 'the next run, online, must work'


def test_other_pip_errors_are_quoted(copy):
  write_program(copy.parent / 'bin' / 'python3.12', STUB_PYTHON)
  result = setup(copy, pip='echo "ERROR: no space left on device"; exit 1')
  assert result.returncode == 1
  assert len(result.stderr.splitlines()) == 1, result.stderr
  assert 'no space left on device' in result.stderr


def test_second_run_is_skipped_until_something_changes(copy):
  write_program(copy.parent / 'bin' / 'python3.12', STUB_PYTHON)
  assert setup(copy).returncode == 0
  again = setup(copy, pip='exit 1')
  assert (again.returncode, again.stdout, again.stderr) == (0, '', '')
  assert setup(copy, extras='tb', pip='exit 1').returncode == 0
  assert pip_calls(copy) == 1
  assert setup(copy, extras='demo,dev').returncode == 0
  assert pip_calls(copy) == 2
  with (copy / 'constraints.txt').open('a') as f:
    f.write('# another pin\n')
  assert setup(copy).returncode == 0
  assert pip_calls(copy) == 3


def test_moved_repository_is_installed_again(copy):
  write_program(copy.parent / 'bin' / 'python3.12', STUB_PYTHON)
  assert setup(copy).returncode == 0
  moved = copy.rename(copy.parent / 'moved here')
  assert setup(moved).returncode == 0
  assert pip_calls(moved) == 2


def test_killed_installation_is_made_anew(copy):
  write_program(copy.parent / 'bin' / 'python3.12', STUB_PYTHON)
  killed = setup(copy, pip='touch .venv/half; kill -9 $PPID; exit 1')
  assert killed.returncode != 0
  assert (copy / '.venv' / 'half').exists()
  assert setup(copy).returncode == 0
  assert not (copy / '.venv' / 'half').exists()
  assert setup(copy, pip='exit 1').returncode == 0


def test_broken_venv_is_made_anew(copy):
  write_program(copy.parent / 'bin' / 'python3.12', STUB_PYTHON)
  assert setup(copy).returncode == 0
  (copy / '.venv' / 'bin' / 'python').unlink()
  assert setup(copy).returncode == 0
  assert pip_calls(copy) == 2


def test_a_working_venv_of_the_user_is_kept(copy):
  write_program(copy.parent / 'bin' / 'python3.12', STUB_PYTHON)
  (copy / '.venv' / 'bin').mkdir(parents=True)
  write_program(copy / '.venv' / 'bin' / 'python', STUB_PYTHON)
  (copy / '.venv' / 'mine').touch()
  assert setup(copy, pip=OFFLINE).returncode == 1
  assert setup(copy).returncode == 0
  assert (copy / '.venv' / 'mine').exists()
