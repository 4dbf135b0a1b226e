"""How long calls take, compared with each other."""

from __future__ import annotations

import contextlib
import os
import pathlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_WARM_UPS = 3


def cores() -> int:
  """How many this process may use."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


@contextlib.contextmanager
def on_cores(count: int | None) -> Iterator[None]:
  """Binds all threads of this process to so many cores, and frees them again.

  The pool of threads of jax keeps its size, but shares these cores.

  Args:
    count: of cores; None binds nothing.

  Raises:
    OSError: where threads cannot be bound, which only Linux can.
    ValueError: if the process may not use as many.
  """
  if count is None:
    yield
    return
  if not hasattr(os, 'sched_setaffinity'):
    raise OSError(
      'latencies on a number of cores can be measured on Linux only'
    )
  before = os.sched_getaffinity(0)
  if not 1 <= count <= len(before):
    raise ValueError(f'expected 1 to {len(before)} cores, got {count}')
  _bind(set(sorted(before)[:count]))
  try:
    yield
  finally:
    _bind(before)


def _bind(cores: set[int]) -> None:
  for task in pathlib.Path('/proc/self/task').iterdir():
    with contextlib.suppress(ProcessLookupError):  # it has ended
      os.sched_setaffinity(int(task.name), cores)


def measure(
  calls: Mapping[str, Callable[[], Any]],
  *,
  repeats: int = 20,
  seconds: float = 10.0,
) -> dict[str, float]:
  """Median milliseconds of each call, measured in turns.

  In turns, so that a machine that slows down slows all of them. Each is called
  three times before.

  Args:
    calls: what is timed, by name; each returns when its work is done.
    repeats: times that each is timed.
    seconds: no new turn begins after these, once all were timed thrice.
  """
  for call in calls.values():
    for _ in range(_WARM_UPS):
      call()
  times = {name: [] for name in calls}
  begin = time.perf_counter()
  for turn in range(repeats):
    if turn >= _WARM_UPS and time.perf_counter() - begin > seconds:
      break
    for name, call in calls.items():
      start = time.perf_counter()
      call()
      times[name].append(time.perf_counter() - start)
  return {name: 1e3 * statistics.median(x) for name, x in times.items()}
