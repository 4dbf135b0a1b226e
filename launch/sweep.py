r"""Runs many experiments: the tables and figures of a paper, or a grid.

  python launch/sweep.py --config=configs/cifar10.py --views=figure2,table1 \
    --seeds=0,1 --workdir=runs/cifar --config.data_root=cifar-10-batches-py
  python launch/sweep.py --config=configs/digits.py:gw --workdir=runs/grid \
    --grid=ratio=5,10,20,40 --grid=method=gw,lw --seeds=0,1,2

Every cell and seed is a run directory in the workdir, named after the fields in
which it differs from the config with its --config.X=... overrides; fields of a
cell replace those. Runs that are finished are skipped, runs that were stopped
continue, and runs that begin alike train once. sweep.json says which runs fill
which table; views that are swept later into the same folder are added to it.

Each device has a process; on CPU --jobs=N divides the cores among N. A run that
fails leaves error.txt, the others go on, and the exit status is 1. What a run
says is in its log.txt, what a process says in workers/.
"""

import importlib.util
import pathlib
import signal
import sys
from collections.abc import Sequence

import jax
from absl import app, flags, logging
from ml_collections import config_flags
from parsing import parse
from rich.console import Console

from rcj import grid, sweep

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'Experiment file, and after a colon its variant.'
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of run directories.')
_VIEWS = flags.DEFINE_list(
  'views', [], 'Tables and figures of the config file, or all.'
)
_GRID = flags.DEFINE_multi_string(
  'grid', [], 'Axis of a grid, FIELD=VALUE,VALUE,...; may be repeated.'
)
_SEEDS = flags.DEFINE_list(
  'seeds', [], "Seeds of every cell; by default the config's."
)
_JOBS = flags.DEFINE_integer(
  'jobs', None, 'Processes; by default one per device, and one on CPU.'
)
_BUDGET = flags.DEFINE_float(
  'budget_minutes', None, 'No run is started after this time.'
)
_DRY_RUN = flags.DEFINE_bool(
  'dry_run', False, 'Lists the runs and their states, starts nothing.'
)
_WORKERS = flags.DEFINE_integer(
  'workers', 0, 'Processes per run that decode images not held in memory.'
)
_SERVE = flags.DEFINE_bool('serve', False, 'For the processes of a sweep.')
flags.register_validator(
  'workdir',
  lambda workdir: '://' not in (workdir or ''),
  'A sweep needs a folder of this machine; launch/run.py writes to buckets.',
)
flags.mark_flags_as_required(['config', 'workdir'])


def main(argv: list[str]) -> None:
  """Plans, runs what is missing, says how it went."""
  logging.set_verbosity(logging.WARNING)  # orbax reports every file it writes
  if len(argv) > 1:
    raise app.UsageError(f'unknown arguments: {argv[1:]}')
  folder = pathlib.Path(_WORKDIR.value)
  if _SERVE.value:
    sweep.serve(_CONFIG.value, folder, workers=_WORKERS.value)
  # This process plans; the devices are for the others.
  jax.config.update('jax_platforms', 'cpu')
  console = Console()
  try:
    views, runs = plan()
    check(runs, folder)
    if _DRY_RUN.value:
      sweep.list_runs(runs, folder, console)
      return
    slots = sweep.slots(*sweep.local(), jobs=_JOBS.value)
  except (ValueError, RuntimeError) as e:
    sys.exit(f'{type(e).__name__}: {e}')
  sweep.add(
    views, folder, when_busy=lambda: console.print('waiting for a sweep')
  )
  for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: sys.exit(128 + number))
  seconds = None if _BUDGET.value is None else 60 * _BUDGET.value
  board = sweep.Board(runs, folder, seconds=seconds)
  command = [sys.executable, sys.argv[0], '--serve', *sys.argv[1:]]
  with sweep.Display(board, slots, console) as display:
    sweep.work(board, slots, command, watch=display.update)
  good = sweep.summarize(board, runs, console)
  print(f'for tables and figures: python launch/report.py {folder}')
  sys.exit(0 if good else 1)


def plan() -> tuple[tuple[grid.View, ...], tuple[sweep.Run, ...]]:
  """Views and runs as the flags say.

  Raises:
    ValueError: for flags that name nothing, or what cannot be run.
  """
  views = ()
  if _VIEWS.value:
    views = sweep.chosen(file_views(), _VIEWS.value)
  if _GRID.value:
    views += (sweep.grid_view(sweep.axes(_GRID.value, _CONFIG.value)),)
  if not views:
    names = ', '.join(view.name for view in file_views()) or 'none'
    raise ValueError(
      'expected --views=NAME,... or --grid=FIELD=VALUE,...; the views of this '
      f'config file are: {names}'
    )
  _, _, label = _file().partition(':')
  views, runs = sweep.plan(views, _CONFIG.value, seeds(), label=label)
  return views, sweep.ordered(runs)


def seeds() -> list[int]:
  """The seeds that --seeds lists, or that of the config."""
  try:
    return [int(word) for word in _SEEDS.value] or [_CONFIG.value.seed]
  except ValueError:
    raise ValueError(
      f'seeds are whole numbers such as 0,1,2, not {",".join(_SEEDS.value)!r}'
    ) from None


def check(runs: Sequence[sweep.Run], folder: pathlib.Path) -> None:
  """Raises ValueError for what should stop a sweep before it begins."""
  conflicts = sweep.conflicts(runs, folder)
  if conflicts:
    raise ValueError(
      f'{len(conflicts)} of {len(runs)} run directories belong to other '
      f'configs, the first of them:\n{conflicts[0]}'
    )
  problems = [run for run in runs if run.problem]
  # A view of a paper may have cells that cannot be run here; a grid was typed.
  if problems and (len(problems) == len(runs) or not _VIEWS.value):
    raise ValueError(
      f'{len(problems)} of {len(runs)} runs cannot be run, the first of them, '
      f'{problems[0].name}: {problems[0].problem}'
    )


def file_views() -> tuple[grid.View, ...]:
  """What `views()` of the config file gives; () where it has none."""
  path, _, _ = _file().partition(':')
  spec = importlib.util.spec_from_file_location('config_of_sweep', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return tuple(module.views()) if hasattr(module, 'views') else ()


def _file() -> str:
  """What --config says: a path and, after a colon, a variant."""
  return config_flags.get_config_filename(flags.FLAGS['config'])


if __name__ == '__main__':
  app.run(main, flags_parser=parse)
