"""Times of functions that are called in turns."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax


def medians(
  runs: Mapping[str, Callable[[], Any]], repeats: int, *, calls: int = 1
) -> dict[str, float]:
  """Median seconds of each, by name; a first turn, which compiles, is apart.

  Args:
    runs: what is called.
    repeats: turns.
    calls: calls in a turn, which a device may queue.
  """
  times: dict[str, list[float]] = {name: [] for name in runs}
  for turn in range(repeats + 1):
    for name, run in runs.items():
      begin = time.perf_counter()
      for _ in range(calls):
        result = run()
      jax.block_until_ready(result)
      if turn:
        times[name].append((time.perf_counter() - begin) / calls)
  return {name: statistics.median(taken) for name, taken in times.items()}
