"""launch/tpu_pod.sh, with a gcloud whose only worker is a folder."""

import subprocess

import pytest
import stubs
from stubs import BASH, RUN, write_program

copy = stubs.copy

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
