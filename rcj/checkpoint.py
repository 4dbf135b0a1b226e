"""Checkpoints of named arrays and a JSON record; the only user of orbax.

A checkpoint is a set of items, each a flat {name: array}, and a record that
describes them, so that it can be read back on any number of devices without
the program that wrote it. Writing is asynchronous and atomic: a killed process
leaves the last finished checkpoint intact.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from etils import epath
from jaxtyping import Array

from rcj import files

Items = Mapping[str, Mapping[str, Array]]

_RECORD = 'record'
# How often this process asked jax's preemption service, of which it has one.
_ASKED = itertools.count(1)


class PreemptedError(Exception):
  """The program was told to stop, and left a checkpoint."""


class Checkpoints:
  """The numbered checkpoints of one directory, of which the last are kept."""

  def __init__(self, directory: str | epath.Path, *, keep: int = 2):
    """Opens, or makes, the directory (local or any path that etils knows)."""
    path = epath.Path(directory)
    self._manager = _Manager(
      path.resolve() if files.is_local(path) else path,
      options=ocp.CheckpointManagerOptions(max_to_keep=keep),
    )

  def latest(self) -> int | None:
    """Number of the newest finished checkpoint, None if there is none."""
    return self._manager.latest_step()

  def save(self, number: int, items: Items, record: Mapping[str, Any]) -> None:
    """Starts writing; arrays may be donated or changed once it returns."""
    if number == self.latest():
      return
    shapes = {
      item: {n: [list(x.shape), str(x.dtype)] for n, x in arrays.items()}
      for item, arrays in items.items()
    }
    args = {
      item: ocp.args.StandardSave(dict(arrays))
      for item, arrays in items.items()
      if arrays
    }
    args[_RECORD] = ocp.args.JsonSave({'items': shapes, **record})
    self._manager.save(number, args=ocp.args.Composite(**args))

  def record(self, number: int) -> dict[str, Any]:
    """The JSON record of a checkpoint."""
    args = {_RECORD: ocp.args.JsonRestore()}
    read = self._manager.restore(number, args=ocp.args.Composite(**args))
    return read[_RECORD]

  def restore(
    self, number: int, sharding: jax.sharding.Sharding
  ) -> tuple[dict[str, dict[str, Array]], dict[str, Any]]:
    """Reads every item, each array placed by `sharding`, and the record."""
    record = self.record(number)
    abstract = {
      item: {
        n: jax.ShapeDtypeStruct(shape, jnp.dtype(dtype), sharding=sharding)
        for n, (shape, dtype) in arrays.items()
      }
      for item, arrays in record['items'].items()
    }
    args = {
      item: ocp.args.StandardRestore(arrays)
      for item, arrays in abstract.items()
      if arrays
    }
    read = self._manager.restore(number, args=ocp.args.Composite(**args))
    items = {
      item: dict(read[item]) if item in args else {} for item in abstract
    }
    return items, record

  def preempted(self) -> bool:
    """Whether all processes shall save and stop at this moment.

    True once, on all processes at the same moment, after any of them got
    SIGTERM; all have to ask equally often. Only where `jax.distributed` runs;
    elsewhere a SIGTERM ends the process, and the last checkpoint stays.
    """
    # The answer is yes at the number that follows the highest one asked before
    # the signal, and at no other: so there must be no gaps.
    return ocp.multihost.reached_preemption(next(_ASKED))

  def wait(self) -> None:
    """Returns when everything that was saved is on disk."""
    self._manager.wait_until_finished()

  def close(self) -> None:
    """Finishes writing and frees the background threads."""
    self._manager.close()


class _Manager(ocp.CheckpointManager):
  """Leaves the preemption service, which counts, to `preempted`."""

  def reached_preemption(self, step: int) -> bool:
    return False


@contextlib.contextmanager
def opened(
  directory: str | epath.Path, **options: Any
) -> Iterator[Checkpoints]:
  """`Checkpoints` that are closed at the end, also after an error."""
  checkpoints = Checkpoints(directory, **options)
  try:
    yield checkpoints
  finally:
    checkpoints.close()
