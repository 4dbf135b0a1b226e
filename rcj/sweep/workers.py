"""The worker processes of a sweep, seen from the process that starts them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from rcj.sweep.board import Board, Outcome
from rcj.sweep.devices import Slot
from rcj.sweep.plan import Run

ERROR = 'error.txt'  # of a run: how it failed


class Worker:
  """One process at a time in one slot; a process that died is replaced."""

  def __init__(self, command: Sequence[str], slot: Slot, log: Path):
    """Starts nothing yet.

    Args:
      command: starts a process that calls `serve`.
      slot: where.
      log: file to which its output is added.
    """
    self.slot = slot
    self._command, self._log = list(command), log
    self._process: subprocess.Popen[str] | None = None

  def run(self, run: Run) -> tuple[Outcome, str]:
    """(outcome, details of an error) of a run that the process does."""
    process = self._alive()
    order = {'name': run.name, 'fields': dataclasses.asdict(run.config)}
    with contextlib.suppress(BrokenPipeError):
      process.stdin.write(json.dumps(order) + '\n')
      process.stdin.flush()
    line = process.stdout.readline()
    if line:
      answer = json.loads(line)
      outcome = Outcome(answer['state'], answer.get('error', ''))
      return outcome, answer.get('trace', '')
    status = self.close()
    error = f'the worker died with status {status}; see {self._log}'
    return Outcome('failed', error), error

  def close(self) -> int:
    """Ends the process at the end of its input; gives its exit status."""
    process, self._process = self._process, None
    if process is None:
      return 0
    with contextlib.suppress(BrokenPipeError), process:
      pass
    return process.returncode

  def kill(self) -> None:
    """Ends the process at once, from another thread; `run` then returns."""
    process = self._process
    if process is not None and process.poll() is None:
      with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)

  def _alive(self) -> subprocess.Popen[str]:
    if self._process is None:
      self._log.parent.mkdir(parents=True, exist_ok=True)
      if self.slot.cores:
        # Affects this thread alone, and the process that it starts.
        os.sched_setaffinity(0, self.slot.cores)
      with self._log.open('a') as log:
        self._process = subprocess.Popen(
          self._command,
          env={**os.environ, **self.slot.environment},
          stdin=subprocess.PIPE,
          stdout=subprocess.PIPE,
          stderr=log,
          text=True,
          # Signals from the terminal are for the sweep, which ends the workers.
          start_new_session=True,
        )
    return self._process


def work(
  board: Board,
  slots: Sequence[Slot],
  command: Sequence[str],
  *,
  watch: Callable[[], None],
) -> None:
  """Runs what is on the board, until nothing is left or time is over.

  Args:
    board: the runs.
    slots: one worker each.
    command: starts a process that calls `serve`.
    watch: called twice a second, and at the end.
  """
  workers = [
    Worker(command, slot, board.folder / 'workers' / f'{i}.log')
    for i, slot in enumerate(slots)
  ]
  with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
    threads = [pool.submit(_drive, i, w, board) for i, w in enumerate(workers)]
    try:
      while concurrent.futures.wait(threads, timeout=0.5).not_done:
        watch()
    finally:
      board.stop()
      # A thread may be about to start its process: so not just once.
      while concurrent.futures.wait(threads, timeout=0.1).not_done:
        for worker in workers:
          worker.kill()
  for thread in threads:
    thread.result()
  watch()


def _drive(i: int, worker: Worker, board: Board) -> None:
  with contextlib.closing(worker):
    while (run := board.take(i)) is not None:
      report = board.folder / run.name / ERROR
      report.unlink(missing_ok=True)
      outcome, details = worker.run(run)
      if board.stopped:
        break
      # A directory that the worker could not claim is somebody else's.
      if details and (report.parent / 'config.json').exists():
        report.write_text(details)
      board.finish(i, outcome)
