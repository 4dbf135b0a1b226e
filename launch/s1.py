r"""Re-measures paper S1 on PACS: trains, compresses, attacks, answers claims.

  bash launch/s1.sh --pacs=pacs_64.npz --tiny_imagenet=tiny_imagenet_30.npz \
    [--workdir=runs/s1] [--seeds=0,1,2] [--jobs=2] [--budget_minutes=120]

Networks are pre-trained on Tiny-ImageNet, once as those of ImageNet are, then
a sweep runs the tables, figures and claims of configs/pacs.py, seed by seed,
and the report shows what has been run. Each step prints its command. What is
finished is skipped, what was stopped continues; --scale multiplies all numbers
of epochs, which are small enough for a CPU.
"""

import pathlib
import shlex
import subprocess
import sys

from absl import app, flags

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_PACS = flags.DEFINE_string('pacs', None, 'PACS: a folder or a .npz.')
_TINY_IMAGENET = flags.DEFINE_string(
  'tiny_imagenet', None, 'Tiny-ImageNet: a folder or a .npz.'
)
_WORKDIR = flags.DEFINE_string(
  'workdir', str(_ROOT / 'runs' / 's1'), 'Folder of everything.'
)
_SEEDS = flags.DEFINE_string('seeds', '0,1,2', 'Seeds after pre-training.')
_SCALE = flags.DEFINE_float('scale', 1.0, 'Multiplies all numbers of epochs.')
_JOBS = flags.DEFINE_integer(
  'jobs', None, 'Processes of the sweep; see launch/sweep.py.'
)
_BUDGET = flags.DEFINE_float(
  'budget_minutes', None, 'The sweep starts no run after this time.'
)
_DRY_RUN = flags.DEFINE_bool(
  'dry_run', False, 'Prints the commands, runs nothing.'
)
flags.mark_flags_as_required(['pacs', 'tiny_imagenet'])

_MODELS = ('resnet18', 'resnet34', 'resnet50')
# The numbers of epochs, here and in the config, are for two CPU cores.
_PRETRAINING = {'width': 0.25, 'stem': '', 'epochs': 10, 'severities': 3}


def _absolute(path: str) -> pathlib.Path:
  return pathlib.Path(path).resolve()


def pretrain(model: str, folder: pathlib.Path) -> list[str]:
  """The command that trains a network to begin with."""
  fields = {
    'model': model,
    'data_root': _absolute(_TINY_IMAGENET.value),
    'scale': _SCALE.value,
    **_PRETRAINING,
  }
  return [
    'launch/run.py',
    '--config=configs/tiny_imagenet.py:std',
    f'--workdir={folder / model}',
    *(f'--config.{name}={value}' for name, value in fields.items()),
  ]


def sweep(folder: pathlib.Path, pretrained: pathlib.Path) -> list[str]:
  """The command that fills the views of configs/pacs.py."""
  limits = {'jobs': _JOBS.value, 'budget_minutes': _BUDGET.value}
  return [
    'launch/sweep.py',
    '--config=configs/pacs.py',
    '--views=all',
    f'--seeds={_SEEDS.value}',
    f'--workdir={folder}',
    f'--config.data_root={_absolute(_PACS.value)}',
    f'--config.pretrained_root={pretrained}',
    f'--config.scale={_SCALE.value}',
    *(f'--{n}={x}' for n, x in limits.items() if x is not None),
  ]


def main(argv: list[str]) -> None:
  """Runs the steps; stops at the first that fails, the sweep aside."""
  if len(argv) > 1:
    raise app.UsageError(f'unknown arguments: {argv[1:]}')
  folder = _absolute(_WORKDIR.value)
  pretrained, swept = folder / 'pretrained', folder / 'pacs'
  for model in _MODELS:
    if status := _run(pretrain(model, pretrained)):
      sys.exit(status)
  status = _run(sweep(swept, pretrained))
  told = _run(
    [
      *('launch/report.py', str(swept), f'--out={folder / "report.html"}'),
      *(f'--figures={folder / "figures"}', '--title=Paper S1 on PACS'),
    ]
  )
  sys.exit(status or told)


def _run(command: list[str]) -> int:
  print(f'python {shlex.join(command)}', flush=True)
  if _DRY_RUN.value:
    return 0
  done = subprocess.run([sys.executable, *command], check=False, cwd=_ROOT)
  return done.returncode


if __name__ == '__main__':
  app.run(main)
