"""The phase that describes a network as RobustBench's leaderboard does."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from etils import epath

from rcj import cluster, files, results
from rcj.carry import Carry, Env

FILE = 'model_info.json'
_SUITES = {'clean': 'clean_acc', 'corrupted': 'corruptions_acc'}


@dataclasses.dataclass(frozen=True)
class ModelInfo:
  """Writes model_info.json of the run directory, from what was measured.

  The fields are those of model_info/*/corruptions of
  https://github.com/RobustBench/robustbench; accuracies in percent. Its
  leaderboard is about all 15 corruptions of the official CIFAR-10-C at five
  severities: the footnote says what these are about.

  Attributes:
    network: label within the run, as `Evaluate` has it.
  """

  network: str = 'network'

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry unchanged; nothing is written where nothing was measured."""
    cluster.agreed(lambda: write(env.workdir, self.network, env.data.name))
    return carry


def write(workdir: epath.PathLike, network: str, dataset: str) -> None:
  """Writes model_info.json beside the rows of a network.

  Args:
    workdir: run directory with results.csv.
    network: label within the run.
    dataset: name of the data.
  """
  workdir = epath.Path(workdir)
  rows = [
    row
    for row in results.read_rows(workdir / 'results.csv')
    if row['network'] == network and row['suite'] in _SUITES
  ]
  if rows:
    info = _info(workdir, rows, dataset)
    files.write_whole(
      workdir / FILE, (json.dumps(info, indent=2) + '\n').encode()
    )


def _info(
  workdir: epath.Path, rows: list[dict[str, str]], dataset: str
) -> dict[str, Any]:
  config = json.loads((workdir / 'config.json').read_text())
  means = {
    row['suite']: row for row in rows if row['corruption'] in ('', 'mean')
  }
  first = rows[0]
  return {
    'link': None,
    'name': first['method'],
    'authors': None,
    'additional_data': bool(config.get('pretrained_root')),
    'number_forward_passes': 1,
    'dataset': dataset,
    'venue': 'Unpublished',
    'architecture': f'{config["model"]}, width {config["width"]:g}',
    'eps': None,
    **{
      field: f'{100 * (1 - float(means[suite]["error"])):.2f}'
      for suite, field in _SUITES.items()
      if suite in means
    },
    'footnote': _footnote(rows, first),
  }


def _footnote(rows: list[dict[str, str]], first: dict[str, str]) -> str:
  """'1,300 of 20,338 parameters; 15 corruptions at severities 1, 3 of ...'."""
  left = f'{int(first["nonzero"]):,} of {int(first["parameters"]):,} parameters'
  cells = [row for row in rows if row['severity']]
  if not cells:
    return left
  names = {row['corruption'] for row in cells}
  severities = ', '.join(sorted({row['severity'] for row in cells}))
  return (
    f'{left}; {len(names)} corruptions at severities {severities} of '
    f'{int(cells[0]["n"]):,} images: {cells[0]["protocol"]}'
  )
