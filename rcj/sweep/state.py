"""What of a run is on disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from rcj import experiment
from rcj.carry import Carry
from rcj.phases.loop import number
from rcj.sweep.plan import Run

State = Literal['done', 'partial', 'missing']


def state(run: Run, folder: Path) -> State:
  """Whether a run is finished, begun, or neither.

  `recipe.run` writes the checkpoint behind the last phase when everything is
  evaluated, and a checkpoint appears as a whole: that one means 'done'.
  """
  checkpoints = folder / run.name / 'checkpoints'
  if (
    run.phases and (checkpoints / str(number(Carry(phase=run.phases)))).is_dir()
  ):
    return 'done'
  begun = (folder / run.name / 'metrics.jsonl').exists()
  return 'partial' if begun or any(checkpoints.glob('[0-9]*')) else 'missing'


def conflicts(runs: Iterable[Run], folder: Path) -> list[str]:
  """Why directories of these runs belong to other configs, if they do."""
  found = []
  for run in runs:
    if state(run, folder) != 'missing':
      try:
        experiment.compare(folder / run.name, run.config)
      except ValueError as e:
        found.append(str(e))
  return found
