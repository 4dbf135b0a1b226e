"""A recipe is a tuple of phases; this runs it, takes it up, and shares it.

Two recipes that begin with the same phases under the same identity (data,
seed, batch order) get the same network there. With a folder for shared
prefixes, the first run leaves its checkpoint and the next ones begin with it;
those that come meanwhile wait, so that no network is trained twice.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from collections.abc import Callable, Sequence

import numpy as np
from etils import epath

from rcj import cluster, locks
from rcj.carry import Carry, Env, decode, encode
from rcj.checkpoint import opened
from rcj.phases import Attack, Evaluate, Export, Save, Train
from rcj.phases.loop import number, preempted, save, stop

Phase = Callable[[Carry, Env], Carry]

# Fields of phases that name a saved network.
_NAMING = ('teacher', 'to', 'parent')


def run(
  recipe: Sequence[Phase], env: Env, *, prefixes: epath.Path | None = None
) -> Carry:
  """Runs the phases, from the last checkpoint of the run directory if any.

  Args:
    recipe: phases in order.
    env: with `checkpoints`, the run survives a kill at any moment.
    prefixes: folder of networks shared between runs; None shares nothing.

  Raises:
    KeyError: if a phase wants a network that no phase before it saves.
    ValueError: if two phases evaluate, attack or export under the same label.
    PreemptedError: after SIGTERM, on a cluster; a checkpoint is left.
  """
  check(recipe)
  carry = _resumed(env) or _longest(recipe, env, prefixes) or Carry()
  env.journal.rewind(carry.phase, carry.step)
  while carry.phase < len(recipe):
    if isinstance(recipe[carry.phase], Train):
      carry = _train(recipe, carry, env, prefixes)
      save(carry, env)
    else:
      carry = _step(recipe, carry, env)
    if carry.phase < len(recipe) and preempted(env):
      stop(carry, env)
  if env.checkpoints is not None:
    save(carry, env)
    env.checkpoints.wait()
  return carry


def _step(recipe: Sequence[Phase], carry: Carry, env: Env) -> Carry:
  carry = recipe[carry.phase](carry, env)
  return dataclasses.replace(carry, phase=carry.phase + 1, step=0, stream=None)


def check(recipe: Sequence[Phase]) -> None:
  """Finds, before anything is trained, what would fail after hours.

  Raises:
    KeyError: if a phase wants a network that no phase before it saves.
    ValueError: if two phases evaluate, attack or export under the same label.
  """
  saved: set[str] = set()
  labels: set[tuple[str, str]] = set()
  for i, phase in enumerate(recipe):
    wanted = next(
      (getattr(phase, n) for n in _NAMING if getattr(phase, n, None)), None
    )
    if wanted is not None and wanted not in saved:
      raise KeyError(
        f'phase {i}, {type(phase).__name__}, wants the network {wanted!r}, '
        f'but the phases before it save {sorted(saved) or "none"}'
      )
    if isinstance(phase, Save):
      saved.add(phase.name)
    if isinstance(phase, Train):
      saved.update(name for _, name in phase.snapshots)
    if isinstance(phase, (Attack, Evaluate, Export)):
      label = type(phase).__name__, phase.network
      if label in labels:
        raise ValueError(
          f'phase {i}, {label[0]}, has the label {label[1]!r} a second time; '
          'give each its own network=...'
        )
      labels.add(label)


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
  if env.checkpoints is None:
    return None
  latest = cluster.agreed(env.checkpoints.latest)
  if latest is None:
    return None
  carry = decode(*env.checkpoints.restore(latest, env.replicated), env)
  env.journal.say(f'continuing at phase {carry.phase}, step {carry.step}')
  return carry


def _longest(
  recipe: Sequence[Phase], env: Env, prefixes: epath.Path | None
) -> Carry | None:
  """The longest shared prefix that there is."""
  if prefixes is None:
    return None
  for length in range(_shareable(recipe), 0, -1):
    carry = _read(prefixes / fingerprint(recipe[:length], env), env)
    if carry is not None:
      return carry
  return None


def _train(
  recipe: Sequence[Phase], carry: Carry, env: Env, prefixes: epath.Path | None
) -> Carry:
  """Trains, or takes the network of the run that trains just that."""
  length = carry.phase + 1
  if prefixes is None or length > _shareable(recipe):
    return _step(recipe, carry, env)
  name = fingerprint(recipe[:length], env)

  def when_busy() -> None:
    env.journal.say(f'another run trains phase {carry.phase}: waiting for it')

  with locks.in_turn(prefixes / f'{name}.lock', when_busy=when_busy):
    found = _read(prefixes / name, env)
    if found is None:
      found = _step(recipe, carry, env)
      with opened(prefixes / name) as checkpoints:
        checkpoints.save(number(found), *encode(found, env))
  return found


def _shareable(recipe: Sequence[Phase]) -> int:
  """Number of phases before the first that leaves results."""
  kinds = [isinstance(phase, (Attack, Evaluate, Export)) for phase in recipe]
  return kinds.index(True) if any(kinds) else len(recipe)


def _read(folder: epath.Path, env: Env) -> Carry | None:
  """A shared network, if it is there as a whole."""
  if not cluster.agreed(folder.is_dir):
    return None
  with opened(folder) as checkpoints:
    latest = cluster.agreed(checkpoints.latest)
    if latest is None:  # being written, or left by a kill
      return None
    carry = decode(*checkpoints.restore(latest, env.replicated), env)
  env.journal.say(f'sharing the first {carry.phase} phases with another run')
  return carry
