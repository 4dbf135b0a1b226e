r"""Runs one experiment, or continues it where it was stopped.

  python launch/run.py --config=configs/digits.py:hydra --workdir=runs/hydra
  python launch/run.py --config=configs/digits.py:hydra --workdir=runs/hydra5 \
    --config.density=0.05

Every field of the config is a flag. The run directory gets config.json,
metrics.jsonl, checkpoints/, results.csv and predictions.npz; the same command
continues a run, another config in the same directory is refused.
"""

import dataclasses
import pathlib
import sys

from absl import app, flags, logging
from ml_collections import config_flags

from rcj import experiment

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
flags.mark_flags_as_required(['config', 'workdir'])


def main(argv: list[str]) -> None:
  """Executes the config in the run directory."""
  logging.set_verbosity(logging.WARNING)  # orbax reports every file it writes
  if len(argv) > 1:
    raise app.UsageError(f'unknown arguments: {argv[1:]}')
  config, workdir = _CONFIG.value, pathlib.Path(_WORKDIR.value)
  try:
    config.recipe()
    data = config.load_data()
    suites = config.suites(data)
    experiment.claim(workdir, config)
  except (ValueError, OSError, ImportError) as e:
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
  except (FloatingPointError, BlockingIOError) as e:
    sys.exit(f'{type(e).__name__}: {e}')
  print(f'results: {workdir / "results.csv"}')


def parse(argv: list[str]) -> list[str]:
  """Parses flags; a mistyped field is answered with the fields that exist."""
  try:
    return app.parse_flags_with_usage(argv)
  except (KeyError, AttributeError) as e:
    fields = dataclasses.asdict(_without_overrides(argv))
    shown = '\n'.join(f'  --config.{name}={x}' for name, x in fields.items())
    sys.exit(f'{e.args[0]}; its fields and their defaults:\n{shown}')
  except OSError as e:
    sys.exit(f'{type(e).__name__}: {e}')


def _without_overrides(argv: list[str]) -> experiment.Config:
  """The config as its file gives it: a flag that failed has no value."""
  alone = flags.FlagValues()
  holder = config_flags.DEFINE_config_file(
    'config', flag_values=alone, sys_argv=[]
  )
  alone(argv, known_only=True)
  return holder.value


if __name__ == '__main__':
  app.run(main, flags_parser=parse)
