"""Flags of the programs that take a --config."""

import dataclasses
import sys

from absl import app, flags
from ml_collections import config_flags

from rcj import experiment


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
