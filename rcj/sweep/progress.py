"""What people see of a sweep: live, at its end, and before it."""

from __future__ import annotations

import collections
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import rich.box
import rich.live
import rich.table
from rich.console import Console, Group
from rich.text import Text

from rcj.sweep.board import Board
from rcj.sweep.devices import Slot
from rcj.sweep.plan import Run
from rcj.sweep.state import state
from rcj.sweep.worker import LOG
from rcj.sweep.workers import ERROR


class Display:
  """A line for every run that ends and, on a terminal, a live table."""

  def __init__(self, board: Board, slots: Sequence[Slot], console: Console):
    """Shows nothing yet."""
    self._board, self._slots, self._console = board, slots, console
    self._shown: set[str] = set()
    self._total = board.waiting
    self._live = rich.live.Live(
      console=console, auto_refresh=False, transient=True
    )

  def __enter__(self) -> Self:
    if self._console.is_terminal:
      self._live.start()
    return self

  def __exit__(self, *_: object) -> None:
    self._live.stop()

  def update(self) -> None:
    """Shows how things stand."""
    for name, outcome in self._board.outcomes.items():
      if name not in self._shown:
        self._shown.add(name)
        text = f'[{len(self._shown)}/{self._total}] {name}: {outcome.state}'
        took = f' in {_clock(outcome.seconds)}'
        error = f': {outcome.error.splitlines()[0]}' if outcome.error else took
        _print(self._console, text + error)
    if self._console.is_terminal:
      shown = Group(self._table(), Text(self._counts()))
      self._live.update(shown, refresh=True)

  def _table(self) -> rich.table.Table:
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    for column in ('worker', 'run', 'does', 'since'):
      table.add_column(column, overflow='fold')
    for i, slot in enumerate(self._slots):
      run, began = self._board.running.get(i, (None, 0.0))
      if run is None:
        table.add_row(slot.name, '', 'idle')
      else:
        does = activity(self._board.folder / run.name, run.phases)
        since = _clock(time.monotonic() - began)
        table.add_row(slot.name, Text(run.name), Text(does), since)
    return table

  def _counts(self) -> str:
    board = self._board
    ended = collections.Counter(o.state for o in board.outcomes.values())
    done = len(board.before) + ended['done']
    text = (
      f'{done} done, {len(board.running)} running, {ended["failed"]} failed, '
      f'{board.waiting} waiting, {_clock(time.monotonic() - board.began)}'
    )
    left = self._left()
    return text if left is None else f'{text}, about {_clock(left)} left'

  def _left(self) -> float | None:
    """Seconds, if the other runs take as long as those that were done."""
    took = [
      o.seconds for o in self._board.outcomes.values() if o.state == 'done'
    ]
    if not took:
      return None
    now = time.monotonic()
    spent = sum(now - began for _, began in self._board.running.values())
    open_runs = self._board.waiting + len(self._board.running)
    work = open_runs * sum(took) / len(took) - spent
    return max(work, 0.0) / len(self._slots)


def activity(folder: Path, phases: int) -> str:
  """What a run does: the newest line of its metrics or of its log."""
  files = [folder / 'metrics.jsonl', folder / LOG]
  newest = max(files, key=lambda f: f.stat().st_mtime if f.exists() else 0)
  lines = newest.read_text().splitlines() if newest.exists() else []
  if not lines or newest.name == LOG:
    return lines[-1] if lines else 'begins'
  try:
    row = json.loads(lines[-1])
  except json.JSONDecodeError:  # it is being written
    return 'trains'
  return (
    f'phase {row["phase"] + 1} of {phases}, step {row["step"]}, '
    f'{row["images_per_second"]:,.0f} images/s'
  )


def list_runs(runs: Sequence[Run], folder: Path, console: Console) -> None:
  """Prints every run with its state, and totals."""
  counts: collections.Counter[str] = collections.Counter()
  for run in runs:
    word = 'cannot' if run.problem else state(run, folder)
    counts[word] += 1
    _print(console, f'{word:8} {run.name}')
  totals = ', '.join(f'{n} {word}' for word, n in sorted(counts.items()))
  _print(console, f'{len(runs)} runs: {totals}')
  print_problems(runs, console)


def print_problems(runs: Sequence[Run], console: Console) -> None:
  """Prints why some runs cannot be run, with how many."""
  problems = collections.Counter(run.problem for run in runs if run.problem)
  for problem, n in problems.most_common():
    _print(console, f'{n} runs cannot be run: {problem}')


def summarize(board: Board, runs: Sequence[Run], console: Console) -> bool:
  """Prints how the sweep ended; True if no run failed."""
  states = collections.Counter(state(run, board.folder) for run in runs)
  took = _clock(time.monotonic() - board.began)
  _print(
    console,
    f'{len(runs)} runs: {states["done"]} done, {states["partial"]} begun, '
    f'{states["missing"]} missing; {took}',
  )
  if board.waiting:
    _print(console, f'{board.waiting} runs not started: the time was over')
  print_problems(runs, console)
  failed = [n for n, o in board.outcomes.items() if o.state == 'failed']
  for name in failed:
    error = board.outcomes[name].error
    _print(console, f'failed: {board.folder / name / ERROR}\n  {error}')
  return not failed


def _clock(seconds: float) -> str:
  minutes, rest = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  if hours:
    return f'{hours} h {minutes:02} min'
  return f'{minutes} min {rest:02} s' if minutes else f'{rest} s'


def _print(console: Console, text: str) -> None:
  console.print(text, markup=False, highlight=False, soft_wrap=True)
