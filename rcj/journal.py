"""What a run says while it goes: metrics on disk, progress on the terminal.

`metrics.jsonl` holds one JSON object per logged step; TensorBoard event files
are written beside it where tensorboardX is installed and the folder is local.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import rich.console
import rich.progress
from etils import epath

from rcj import files


class Journal:
  """The log of one run directory.

  Attributes:
    console: rich console for people.
    enabled: whether anything is said at all.
  """

  def __init__(
    self,
    workdir: epath.PathLike,
    *,
    console: rich.console.Console | None = None,
    enabled: bool = True,
  ):
    """Opens the log; with `enabled` False (other hosts) it stays silent."""
    self.enabled = enabled
    self.console = rich.console.Console(quiet=True)
    if enabled:
      self.console = console or rich.console.Console()
    workdir = epath.Path(workdir)
    self._path = workdir / 'metrics.jsonl' if enabled else None
    self._board = _tensorboard(workdir) if enabled else None

  def rewind(self, phase: int, step: int) -> None:
    """Drops rows that a killed run wrote after the checkpoint (phase, step)."""
    if self._path is None or not self._path.exists():
      return
    kept = [
      r for r in _rows(self._path) if (r['phase'], r['step']) <= (phase, step)
    ]
    text = ''.join(json.dumps(r) + '\n' for r in kept)
    files.write_whole(self._path, text.encode())

  def metrics(self, phase: int, step: int, **values: Any) -> None:
    """Records scalars or strings of a step (steps count within the phase)."""
    if self._path is None:
      return
    row = {'phase': phase, 'step': step, 'time': time.time(), **values}
    files.append(self._path, json.dumps(row) + '\n')
    if self._board is not None:
      for name, x in values.items():
        if isinstance(x, float):
          self._board.add_scalar(f'phase{phase}/{name}', x, step)

  def close(self) -> None:
    """Writes what TensorBoard still holds back."""
    if self._board is not None:
      self._board.close()

  def say(self, text: str) -> None:
    """Prints a line for people."""
    self.console.print(text, highlight=False)

  @contextlib.contextmanager
  def progress(self, title: str, total: int, done: int) -> Iterator[Progress]:
    """A progress bar on a terminal; nothing where output goes to a file."""
    columns = (
      rich.progress.TextColumn('{task.description}'),
      rich.progress.BarColumn(),
      rich.progress.MofNCompleteColumn(),
      rich.progress.TextColumn('{task.fields[note]}'),
      rich.progress.TimeRemainingColumn(),
    )
    with rich.progress.Progress(
      *columns,
      console=self.console,
      transient=True,
      disable=not self.console.is_terminal,
    ) as bar:
      task = bar.add_task(title, total=total, completed=done, note='')
      yield Progress(bar, task)


class Progress:
  """One bar of `Journal.progress`."""

  def __init__(self, bar: rich.progress.Progress, task: rich.progress.TaskID):
    """Wraps a task of a rich progress display."""
    self._bar, self._task = bar, task

  def advance(self, note: str) -> None:
    """One step further, with `note` shown beside the bar."""
    self._bar.update(self._task, advance=1, note=note)


def _rows(path: epath.Path) -> Iterator[dict[str, Any]]:
  for line in path.read_text().splitlines():
    try:
      yield json.loads(line)
    except json.JSONDecodeError:
      return  # a kill in the middle of a line leaves a torn last one


def _tensorboard(workdir: epath.Path) -> Any:
  if not files.is_local(workdir):
    return None
  try:
    import tensorboardX
  except ImportError:
    return None
  return tensorboardX.SummaryWriter(str(workdir))
