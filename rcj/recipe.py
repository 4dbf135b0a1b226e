"""A recipe is a tuple of phases; this runs it, takes it up, and shares it.

Two recipes that begin with the same phases under the same identity (data,
seed, batch order) get the same network there. With a folder for shared
prefixes, the first run leaves its checkpoint and the next ones begin with it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from rcj.carry import Carry, Env, decode, encode
from rcj.checkpoint import opened
from rcj.phases import Evaluate, Save, Train
from rcj.phases.loop import number, save

Phase = Callable[[Carry, Env], Carry]


def run(
  recipe: Sequence[Phase], env: Env, *, prefixes: Path | None = None
) -> Carry:
  """Runs the phases, from the last checkpoint of the run directory if any.

  Args:
    recipe: phases in order.
    env: with `checkpoints`, the run survives a kill at any moment.
    prefixes: folder of networks shared between runs; None shares nothing.

  Raises:
    KeyError: if a phase wants a network that no phase before it saves.
    ValueError: if two phases evaluate under the same label.
  """
  check(recipe)
  carry = _resumed(env) or _shared(recipe, env, prefixes) or Carry()
  env.journal.rewind(carry.phase, carry.step)
  for phase in recipe[carry.phase :]:
    carry = phase(carry, env)
    carry = dataclasses.replace(
      carry, phase=carry.phase + 1, step=0, stream=None
    )
    if isinstance(phase, Train):
      save(carry, env)
      _share(recipe, carry, env, prefixes)
  if env.checkpoints is not None:
    save(carry, env)
    env.checkpoints.wait()
  return carry


def check(recipe: Sequence[Phase]) -> None:
  """Finds, before anything is trained, what would fail after hours.

  Raises:
    KeyError: if a phase wants a network that no phase before it saves.
    ValueError: if two phases evaluate under the same label.
  """
  saved: set[str] = set()
  labels: set[str] = set()
  for i, phase in enumerate(recipe):
    wanted = getattr(phase, 'teacher', None) or getattr(phase, 'to', None)
    if wanted is not None and wanted not in saved:
      raise KeyError(
        f'phase {i}, {type(phase).__name__}, wants the network {wanted!r}, '
        f'but the phases before it save {sorted(saved) or "none"}'
      )
    if isinstance(phase, Save):
      saved.add(phase.name)
    if isinstance(phase, Train):
      saved.update(name for _, name in phase.snapshots)
    if isinstance(phase, Evaluate):
      if phase.network in labels:
        raise ValueError(
          f'phase {i} evaluates {phase.network!r} a second time; give each '
          'Evaluate its own network=...'
        )
      labels.add(phase.network)


def fingerprint(recipe: Sequence[Phase], env: Env) -> str:
  """Name of the network that these phases make in this environment.

  Everything that changes a bit of it counts: seed, training labels, number of
  devices, and what the config names as its identity.
  """
  identity = {
    **env.identity,
    'key': env.key_data(),
    'devices': env.mesh.size,
    'labels': zlib.crc32(np.asarray(env.data.train.labels).tobytes()),
  }
  text = '\n'.join([json.dumps(identity, sort_keys=True), *map(repr, recipe)])
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def _resumed(env: Env) -> Carry | None:
  if env.checkpoints is None or env.checkpoints.latest() is None:
    return None
  latest = env.checkpoints.latest()
  carry = decode(*env.checkpoints.restore(latest, env.replicated), env)
  env.journal.say(f'continuing at phase {carry.phase}, step {carry.step}')
  return carry


def _shared(
  recipe: Sequence[Phase], env: Env, prefixes: Path | None
) -> Carry | None:
  """The longest shared prefix that skips no evaluation."""
  if prefixes is None:
    return None
  kinds = [isinstance(phase, Evaluate) for phase in recipe]
  longest = kinds.index(True) if any(kinds) else len(recipe)
  for length in range(longest, 0, -1):
    folder = prefixes / fingerprint(recipe[:length], env)
    if not folder.is_dir():
      continue
    with opened(folder) as checkpoints:
      read = checkpoints.restore(checkpoints.latest(), env.replicated)
    env.journal.say(f'sharing the first {length} phases with another run')
    return decode(*read, env)
  return None


def _share(
  recipe: Sequence[Phase], carry: Carry, env: Env, prefixes: Path | None
) -> None:
  """Leaves the network to other runs; appears as a whole, or not at all."""
  if prefixes is None:
    return
  folder = prefixes / fingerprint(recipe[: carry.phase], env)
  if folder.is_dir():
    return
  partial = folder.with_name(f'{folder.name}.partial-{os.getpid()}')
  with opened(partial) as checkpoints:
    checkpoints.save(number(carry), *encode(carry, env))
  try:
    partial.rename(folder)
  except OSError:  # another run has shared the same network meanwhile
    shutil.rmtree(partial)
