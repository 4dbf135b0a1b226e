"""A worker: a process that runs what it is told, one run after the other.

It reads one JSON object per line from standard input, {"name", "fields"}, and
answers each with one, {"state", "error", "trace"}. It lives as long as its
input is open, so it never outlives the sweep, however that ends.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TextIO

import jax
import rich.console

from rcj import experiment
from rcj.sweep.fields import replaced
from rcj.sweep.reuse import Reuse

_MAPPINGS = 20_000  # a run with attacks makes some thousands
LOG = 'log.txt'  # of a run: what it would say on a terminal


def serve(
  base: experiment.Config, folder: Path, *, workers: int = 0
) -> NoReturn:
  """Runs what comes in, until there is nobody who sends.

  Args:
    base: config of the sweep's type.
    folder: the sweep's folder.
    workers: processes that decode images that are not in memory.
  """
  answers = _own_stdout()
  orders: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
  threading.Thread(target=_listen, args=(orders,), daemon=True).start()
  reuse = Reuse()
  while True:
    order = orders.get()
    config = replaced(base, order['fields'])
    answer = _execute(config, folder / order['name'], reuse, workers)
    print(json.dumps(answer), file=answers, flush=True)
    forget_programs()


def forget_programs(most: int = _MAPPINGS) -> None:
  """Drops compiled programs where they have come to many.

  Each takes a few mappings of memory, of which Linux grants a process 65,530
  (vm.max_map_count): beyond, XLA crashes. What is needed again is read from the
  compilation cache.

  Args:
    most: mappings that are no reason to drop anything.
  """
  maps = Path('/proc/self/maps')
  if maps.exists() and len(maps.read_bytes().splitlines()) > most:
    jax.clear_caches()


def _own_stdout() -> TextIO:
  """Standard output for answers alone: what is printed goes to stderr."""
  answers = os.fdopen(os.dup(sys.stdout.fileno()), 'w')
  os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
  return answers


def _listen(orders: queue.SimpleQueue[Mapping[str, Any]]) -> None:
  for line in sys.stdin:
    orders.put(json.loads(line))
  # The sweep is over, or was killed: checkpoints survive that. Processes that
  # decode images belong to the group of this one, which `Worker` made.
  if os.getpgrp() == os.getpid():
    os.killpg(0, signal.SIGKILL)
  os._exit(1)


def _execute(
  config: experiment.Config, folder: Path, reuse: Reuse, workers: int
) -> dict[str, str]:
  try:
    experiment.claim(folder, config)
    with (folder / LOG).open('a') as log:
      experiment.execute(
        config,
        folder,
        load_data=lambda: reuse.load_data(config),
        make_suites=lambda data: reuse.suites(config, data),
        prefixes=folder.parent / 'shared',
        workers=workers,
        console=rich.console.Console(file=log, width=100),
      )
  except BlockingIOError as e:
    return {'state': 'busy', 'error': str(e)}
  except Exception as e:
    return {
      'state': 'failed',
      'error': f'{type(e).__name__}: {e}',
      'trace': traceback.format_exc(),
    }
  return {'state': 'done'}
