"""From a config to a finished run directory.

A config is a plain dataclass of scalars with three methods: `recipe()` gives
the phases, `load_data()` the data sets, `suites(data)` what is measured. The
same config in the same directory continues; another config is refused.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import jax
import rich.console

from rcj.carry import Carry, Env
from rcj.checkpoint import opened
from rcj.data import DataSets
from rcj.evaluate import Suite
from rcj.journal import Journal
from rcj.recipe import Phase, run


class Config(Protocol):
  """What a file under configs/ returns; any scalar field is a flag."""

  variant: str
  seed: int
  checkpoint_every: int

  def recipe(self) -> tuple[Phase, ...]:
    """The phases, from the fields as they are after all overrides."""

  def load_data(self) -> DataSets:
    """The data sets; raises named errors for missing or broken files."""

  def suites(self, data: DataSets) -> tuple[Suite, ...]:
    """What `Evaluate` measures."""

  def identity(self) -> Mapping[str, Any]:
    """The fields that, beside the phases, decide the result."""


def data_mesh() -> jax.sharding.Mesh:
  """All devices along one axis, 'data'."""
  return jax.make_mesh(
    (jax.device_count(),), ('data',), (jax.sharding.AxisType.Auto,)
  )


def execute(
  config: Config,
  workdir: str | Path,
  *,
  load_data: Callable[[], DataSets] | None = None,
  make_suites: Callable[[DataSets], tuple[Suite, ...]] | None = None,
  prefixes: str | Path | None = None,
  workers: int = 0,
  console: rich.console.Console | None = None,
) -> Carry:
  """Runs, or continues, an experiment in its run directory.

  Args:
    config: the experiment.
    workdir: run directory; made if absent.
    load_data: instead of the config's, when several runs share the data.
    make_suites: likewise.
    prefixes: folder in which runs share the networks they begin with.
    workers: processes that decode images that are not in memory.
    console: where people read.

  Raises:
    ValueError: if the directory belongs to another config; shows the
      difference.
    BlockingIOError: if another process runs in the directory.
  """
  recipe, workdir = config.recipe(), Path(workdir)
  data = (load_data or config.load_data)()
  claim(workdir, config)
  journal = Journal(workdir, console=console, enabled=jax.process_index() == 0)
  own = alone(workdir) if journal.enabled else contextlib.nullcontext()
  with (
    own,
    contextlib.closing(journal),
    opened(workdir / 'checkpoints') as checkpoints,
  ):
    env = Env(
      data=data,
      suites=(make_suites or config.suites)(data),
      mesh=data_mesh(),
      journal=journal,
      key=jax.random.key(config.seed),
      workdir=workdir,
      checkpoints=checkpoints,
      checkpoint_every=config.checkpoint_every,
      workers=workers,
      identity=config.identity(),
      labels={'variant': config.variant, 'seed': config.seed},
    )
    return run(recipe, env, prefixes=prefixes and Path(prefixes))


@contextlib.contextmanager
def alone(workdir: Path) -> Iterator[None]:
  """Keeps other processes of this machine out of a run directory.

  Raises:
    BlockingIOError: if there is one already.
  """
  with (workdir / 'lock').open('a') as lock:
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise BlockingIOError(
        f'another process runs in {workdir}; wait for it, stop it, or choose '
        'another --workdir'
      ) from None
    yield


# Fields that cannot change a result: a run may be continued with another.
_FREE = {'checkpoint_every'}


def claim(workdir: Path, config: Config) -> None:
  """Makes the run directory, or checks that it belongs to this config.

  A run that never took a step, usually because of a mistake in its config, may
  be started again with another.

  Raises:
    ValueError: if the directory was made by another config, naming each
      field that differs, or holds something that is no run.
  """
  path, partial = workdir / 'config.json', workdir / 'config.partial'
  fields = json.loads(json.dumps(dataclasses.asdict(config)))
  begun = (workdir / 'metrics.jsonl').exists() or any(
    (workdir / 'checkpoints').glob('[0-9]*')
  )
  if path.exists() and begun:
    _compare(workdir, json.loads(path.read_text()), fields)
    return
  if not path.exists() and _others(workdir, partial):
    raise ValueError(
      f'{workdir} is not empty and holds no config.json: it is no run '
      'directory; choose another --workdir'
    )
  if jax.process_index() == 0:
    workdir.mkdir(parents=True, exist_ok=True)
    partial.write_text(json.dumps(fields, indent=2) + '\n')
    partial.rename(path)


def _others(workdir: Path, partial: Path) -> bool:
  return workdir.is_dir() and any(p != partial for p in workdir.iterdir())


def _compare(
  workdir: Path, theirs: Mapping[str, Any], fields: Mapping[str, Any]
) -> None:
  lines = [
    f'  {name}: {theirs.get(name, "absent")!r} there, '
    f'{fields.get(name, "absent")!r} now'
    for name in sorted((theirs.keys() | fields.keys()) - _FREE)
    if theirs.get(name) != fields.get(name)
  ]
  if lines:
    raise ValueError(
      f'{workdir} belongs to a run with another config:\n'
      + '\n'.join(lines)
      + '\nContinue it with its own config, or choose another --workdir'
    )
