"""Locks between programs on one machine; paths elsewhere are never locked.

A lock goes with its process, however that ends, and binds only those who ask.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator

from etils import epath

from rcj import cluster, files

_POLL_SECONDS = 1.0


@contextlib.contextmanager
def exclusive(path: epath.Path) -> Iterator[bool]:
  """Tries to lock a file, and yields whether it did; never waits.

  Process 0 locks for all processes of the program.
  """
  with contextlib.ExitStack() as held:
    yield cluster.agreed(lambda: _flock(path, held))


@contextlib.contextmanager
def in_turn(
  path: epath.Path, *, when_busy: Callable[[], None]
) -> Iterator[None]:
  """Holds the lock, after waiting for the process that has it.

  Args:
    path: file to lock.
    when_busy: called once if there is something to wait for.
  """
  waiting = False
  while True:
    with exclusive(path) as free:
      if free:
        yield
        return
    if not waiting:
      when_busy()
    waiting = True
    time.sleep(_POLL_SECONDS)


def _flock(path: epath.Path, held: contextlib.ExitStack) -> bool:
  if not files.is_local(path):
    return True
  path.parent.mkdir(parents=True, exist_ok=True)
  file = held.enter_context(path.open('a'))
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    return False
  return True
