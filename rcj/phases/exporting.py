"""The phase that writes a finished network to a file."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import jax
import numpy as np
from etils import epath

from rcj import cluster, export, results
from rcj.carry import Carry, Env, frozen
from rcj.types import Frozen

FOLDER = 'artifact'


@dataclasses.dataclass(frozen=True)
class Export:
  """Writes the network to artifact/<network>.rcj of the run directory.

  The file knows the run's config and the rows that were measured of this
  network before; see `export.save`. A network whose training diverged is not
  written.

  Attributes:
    network: label within the run, as `Evaluate` has it.
  """

  network: str = 'network'

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry unchanged."""
    network = frozen(carry, tuple(env.data.train.classes))
    cluster.agreed(lambda: self._write(jax.device_get(network), env))
    return carry

  def _write(self, network: Frozen, env: Env) -> None:
    if not _is_finite(network):
      env.journal.say('not exported: weights hold NaN or infinity')
      return
    path = epath.Path(env.workdir) / FOLDER / f'{self.network}.rcj'
    path.parent.mkdir(parents=True, exist_ok=True)
    export.save(network, path, provenance=self._provenance(env))
    size = path.stat().length
    env.journal.say(f'{FOLDER}/{path.name}: {size:,} bytes')

  def _provenance(self, env: Env) -> dict[str, Any]:
    path = env.workdir / 'config.json'
    config = json.loads(path.read_text()) if path.exists() else {}
    rows = results.read_rows(env.workdir / 'results.csv')
    return {
      'run': env.workdir.name,
      'labels': dict(env.labels),
      # Where the files lay is nobody else's business.
      'config': {n: x for n, x in config.items() if not n.endswith('_root')},
      'jax': jax.__version__,
      'results': [row for row in rows if row['network'] == self.network],
    }


def _is_finite(network: Frozen) -> bool:
  arrays = jax.tree.leaves((network.params, network.batch_stats))
  return all(np.isfinite(x).all() for x in arrays)
