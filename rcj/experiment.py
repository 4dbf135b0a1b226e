"""From a config to a finished run directory.

A config is a plain dataclass of scalars with three methods: `recipe()` gives
the phases, `load_data()` the data sets, `suites(data)` what is measured. The
same config in the same directory continues; another config is refused.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import jax
import rich.console
from etils import epath

from rcj import cluster, files, locks, settings
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
  workdir: epath.PathLike,
  *,
  load_data: Callable[[], DataSets] | None = None,
  make_suites: Callable[[DataSets], tuple[Suite, ...]] | None = None,
  prefixes: epath.PathLike | None = None,
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
  recipe, workdir = config.recipe(), epath.Path(workdir)
  data = (load_data or config.load_data)()
  with contextlib.ExitStack() as held:
    held.enter_context(alone(workdir))
    cluster.agreed(lambda: _settle(workdir, config, change=True))
    journal = Journal(
      workdir, console=console, enabled=jax.process_index() == 0
    )
    held.enter_context(contextlib.closing(journal))
    env = Env(
      data=data,
      suites=(make_suites or config.suites)(data),
      mesh=data_mesh(),
      journal=journal,
      key=jax.random.key(config.seed),
      workdir=workdir,
      checkpoints=held.enter_context(opened(workdir / 'checkpoints')),
      checkpoint_every=config.checkpoint_every,
      workers=workers,
      identity=config.identity(),
      labels={'variant': config.variant, 'seed': config.seed},
    )
    return run(recipe, env, prefixes=prefixes and epath.Path(prefixes))


@contextlib.contextmanager
def alone(workdir: epath.PathLike) -> Iterator[None]:
  """Makes the run directory and keeps other processes of this machine out.

  Raises:
    BlockingIOError: if there is one already.
    ValueError: if the directory holds something that is no run.
  """
  workdir = epath.Path(workdir)
  cluster.agreed(lambda: _make(workdir))
  with locks.exclusive(workdir / _LOCK) as free:
    if not free:
      raise BlockingIOError(
        f'another process runs in {workdir}; wait for it, stop it, or choose '
        'another --workdir'
      )
    yield


def claim(workdir: epath.PathLike, config: Config) -> None:
  """Makes the run directory, or checks that it belongs to this config.

  A run that never took a step nor has results, usually because of a mistake in
  its config, may be started again with another. `execute` does the same;
  calling this before finds a mistake at the door.

  Raises:
    ValueError: if the directory was made by another config, naming each
      field that differs, or holds something that is no run.
  """
  workdir = epath.Path(workdir)
  cluster.agreed(lambda: _make(workdir))
  with locks.exclusive(workdir / _LOCK) as free:
    cluster.agreed(lambda: _settle(workdir, config, change=free))


def compare(workdir: epath.PathLike, config: Config) -> None:
  """`claim` of a directory that stays as it is, and is not locked either.

  A run that begins there meanwhile must not find it busy.

  Raises:
    ValueError: as `claim`.
  """
  workdir = epath.Path(workdir)
  _check_folder(workdir)
  _settle(workdir, config, change=False)


# Fields that cannot change a result: a run may be continued with another.
_FREE = {'checkpoint_every'}
_CONFIG, _LOCK = 'config.json', 'lock'
# What a run leaves, or the evaluation of an exported file.
_LEFT = ('metrics.jsonl', 'results.csv')


def _make(workdir: epath.Path) -> None:
  _check_folder(workdir)
  workdir.mkdir(parents=True, exist_ok=True)


def _check_folder(workdir: epath.Path) -> None:
  if not (workdir / _CONFIG).exists() and _others(workdir):
    raise ValueError(
      f'{workdir} is not empty and holds no {_CONFIG}: it is no run '
      'directory; choose another --workdir'
    )


def _others(workdir: epath.Path) -> bool:
  known = {f'{_CONFIG}.partial', _LOCK}
  return workdir.is_dir() and any(
    path.name not in known for path in workdir.iterdir()
  )


def _settle(workdir: epath.Path, config: Config, *, change: bool) -> None:
  """Compares config.json; writes it where no run began and it may change."""
  path = workdir / _CONFIG
  fields = settings.plain(dataclasses.asdict(config))
  begun = any((workdir / name).exists() for name in _LEFT) or any(
    (workdir / 'checkpoints').glob('[0-9]*')
  )
  if path.exists() and (begun or not change):
    _compare(workdir, json.loads(path.read_text()), fields)
  elif change:
    files.write_whole(path, (json.dumps(fields, indent=2) + '\n').encode())


def _compare(
  workdir: epath.Path, theirs: Mapping[str, Any], fields: Mapping[str, Any]
) -> None:
  lines = settings.differences(theirs, fields, free=_FREE)
  if lines:
    raise ValueError(
      f'{workdir} belongs to a run with another config:\n{lines}\nContinue it '
      'with its own config, or choose another --workdir'
    )
