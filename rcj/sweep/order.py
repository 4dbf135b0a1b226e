"""The order of runs that share the networks they begin with.

The first run of a group trains what the others take up. With one worker the
groups simply come one after the other; several workers begin with different
groups, because two runs of a group would train, or wait for, the same network.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rcj.phases import Attack, Evaluate, Export, Train

if TYPE_CHECKING:
  from rcj.recipe import Phase
  from rcj.sweep.plan import Run


def prefixes(
  recipe: Sequence[Phase], identity: Mapping[str, Any]
) -> tuple[str, ...]:
  """Names of the trained networks before the first evaluation.

  Two recipes share a network where the names are equal, as in
  `recipe.fingerprint`, but without looking at data or devices.
  """
  results = (Attack, Evaluate, Export)
  begin = itertools.takewhile(lambda p: not isinstance(p, results), recipe)
  digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
  names = []
  for phase in begin:
    digest.update(f'\n{phase!r}'.encode())
    if isinstance(phase, Train):
      names.append(digest.hexdigest()[:16])
  return tuple(names)


def ordered(runs: Sequence[Run]) -> tuple[Run, ...]:
  """Runs that begin alike come together, each group where its first was."""
  first: dict[str, int] = {}
  for i, run in enumerate(runs):
    for prefix in run.prefixes:
      first.setdefault(prefix, i)
  groups = [[first[prefix] for prefix in run.prefixes] for run in runs]
  places = sorted(range(len(runs)), key=lambda i: [*groups[i], i])
  return tuple(runs[i] for i in places)


def next_run(
  waiting: Sequence[Run], running: Collection[Run], made: Collection[str]
) -> Run:
  """The first run that needs no network that is being trained just now.

  Args:
    waiting: runs in order, at least one.
    running: runs under way.
    made: prefixes that are finished.

  Returns:
    The first run of all where each needs one: it waits for it.
  """
  under_way = {p for run in running for p in run.prefixes} - set(made)
  free = (run for run in waiting if under_way.isdisjoint(run.prefixes))
  return next(free, waiting[0])
