"""Who runs what: the list from which workers take their runs."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rcj.sweep.order import next_run
from rcj.sweep.plan import Run
from rcj.sweep.state import state


@dataclasses.dataclass(frozen=True)
class Outcome:
  """How a run ended.

  Attributes:
    state: 'busy' where another process has the run.
    error: what went wrong, in a line.
    seconds: from its start in this sweep to its end.
  """

  state: Literal['done', 'failed', 'busy']
  error: str = ''
  seconds: float = 0.0


class Board:
  """Runs that wait, are under way, and are over; safe for threads.

  Attributes:
    folder: the sweep's folder.
    before: names of the runs that were done before.
    began: when, by the monotonic clock.
    stopped: whether the sweep was stopped.
  """

  def __init__(
    self,
    runs: Sequence[Run],
    folder: Path,
    *,
    seconds: float | None = None,
  ):
    """Takes up the runs that are not done.

    Args:
      runs: all of them, in order.
      folder: the sweep's folder.
      seconds: after this time no run is given out any more.
    """
    done = [run for run in runs if state(run, folder) == 'done']
    self.folder = folder
    self.before = frozenset(run.name for run in done)
    self.began = time.monotonic()
    self.stopped = False
    self._running: dict[int, tuple[Run, float]] = {}
    self._outcomes: dict[str, Outcome] = {}
    self._end = None if seconds is None else self.began + seconds
    self._made = {prefix for run in done for prefix in run.prefixes}
    self._waiting = [
      run for run in runs if run.name not in self.before and not run.problem
    ]
    self._lock = threading.Lock()

  @property
  def waiting(self) -> int:
    """How many runs nobody has taken."""
    return len(self._waiting)

  @property
  def running(self) -> dict[int, tuple[Run, float]]:
    """By worker, its run and when it took it."""
    with self._lock:
      return dict(self._running)

  @property
  def outcomes(self) -> dict[str, Outcome]:
    """By name of the run, in the order of their end."""
    with self._lock:
      return dict(self._outcomes)

  def stop(self) -> None:
    """Gives out no run any more; those under way do not end any more."""
    self.stopped = True

  def take(self, worker: int) -> Run | None:
    """The next run for a worker; None if there is nothing left for it."""
    with self._lock:
      late = self._end is not None and time.monotonic() >= self._end
      if self.stopped or late or not self._waiting:
        return None
      under_way = [run for run, _ in self._running.values()]
      run = next_run(self._waiting, under_way, self._made)
      self._waiting.remove(run)
      self._running[worker] = (run, time.monotonic())
      return run

  def finish(self, worker: int, outcome: Outcome) -> None:
    """Records how the run of a worker ended."""
    with self._lock:
      run, began = self._running.pop(worker)
      seconds = time.monotonic() - began
      self._outcomes[run.name] = dataclasses.replace(outcome, seconds=seconds)
      if outcome.state == 'done':
        self._made.update(run.prefixes)
