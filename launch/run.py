r"""Runs one experiment, or continues it where it was stopped.

  python launch/run.py --config=configs/digits.py:hydra --workdir=runs/hydra
  python launch/run.py --config=configs/digits.py:hydra --workdir=runs/hydra5 \
    --config.density=0.05

Every field of the config is a flag. The run directory gets config.json,
metrics.jsonl, checkpoints/, results.csv, predictions.npz and artifact/; the
same command continues a run, another config in the same directory is refused.

One process uses all devices of its machine. Started once per process by srun,
mpirun or on a TPU pod (launch/slurm.sbatch, launch/tpu_pod.sh), or with
--coordinator, --num_processes and --process_id, the processes are one run; they
need the same run directory, on a shared file system or gs://.
"""

import os
import sys

import jax
from absl import app, flags, logging
from etils import epath
from ml_collections import config_flags
from parsing import parse

from rcj import cluster, experiment, recipe
from rcj.checkpoint import PreemptedError

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'Experiment file, and after a colon its variant.'
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Run directory.')
_SHARED = flags.DEFINE_string(
  'shared', None, 'Folder in which runs share the networks they begin with.'
)
_WORKERS = flags.DEFINE_integer(
  'workers', 0, 'Processes that decode images which are not held in memory.'
)
_COORDINATOR = flags.DEFINE_string(
  'coordinator',
  None,
  'HOST:PORT of process 0 where nothing else tells; auto lets jax find it.',
)
_NUM_PROCESSES = flags.DEFINE_integer(
  'num_processes', None, 'Processes of the run, with --coordinator.'
)
_PROCESS_ID = flags.DEFINE_integer(
  'process_id', None, 'Which of them this is, from 0, with --coordinator.'
)
flags.mark_flags_as_required(['config', 'workdir'])


def join() -> None:
  """Becomes one of several processes, where there are several."""
  found = cluster.detect(
    os.environ,
    coordinator=_COORDINATOR.value,
    num_processes=_NUM_PROCESSES.value,
    process_id=_PROCESS_ID.value,
  )
  if found is not None:
    jax.distributed.initialize(**found)


def main(argv: list[str]) -> None:
  """Executes the config in the run directory."""
  logging.set_verbosity(logging.WARNING)  # orbax reports every file it writes
  if len(argv) > 1:
    raise app.UsageError(f'unknown arguments: {argv[1:]}')
  config, workdir = _CONFIG.value, epath.Path(_WORKDIR.value)
  try:
    recipe.check(config.recipe())
    join()
    data = config.load_data()
    suites = config.suites(data)
    experiment.claim(workdir, config)
  except (ValueError, KeyError, OSError, ImportError) as e:
    sys.exit(f'{type(e).__name__}: {e}')
  try:
    experiment.execute(
      config,
      workdir,
      load_data=lambda: data,
      make_suites=lambda _: suites,
      prefixes=_SHARED.value,
      workers=_WORKERS.value,
    )
  except (
    ValueError,
    FloatingPointError,
    BlockingIOError,
    PreemptedError,
  ) as e:
    sys.exit(f'{type(e).__name__}: {e}')
  if jax.process_index() == 0:
    print(f'results: {workdir / "results.csv"}')


if __name__ == '__main__':
  app.run(main, flags_parser=parse)
