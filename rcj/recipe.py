"""A recipe is a tuple of phases; this runs it, takes it up, and shares it.

Two recipes that begin with the same phases under the same identity (data,
seed, batch order) get the same network there. With a folder for shared
prefixes, the first run leaves its checkpoint and the next ones begin with it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from rcj.carry import Carry, Env, decode, encode
from rcj.checkpoint import opened
from rcj.phases import Evaluate, Train
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
  """
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


def fingerprint(recipe: Sequence[Phase], env: Env) -> str:
  """Name of the network that these phases make in this environment."""
  identity = json.dumps(env.identity, sort_keys=True)
  text = '\n'.join([identity, *map(repr, recipe)])
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
      if checkpoints.latest() is None:
        continue
      read = checkpoints.restore(checkpoints.latest(), env.replicated)
    env.journal.say(f'sharing the first {length} phases with another run')
    return decode(*read, env)
  return None


def _share(
  recipe: Sequence[Phase], carry: Carry, env: Env, prefixes: Path | None
) -> None:
  if prefixes is None:
    return
  folder = prefixes / fingerprint(recipe[: carry.phase], env)
  if folder.is_dir():
    return
  with opened(folder) as checkpoints:
    checkpoints.save(number(carry), *encode(carry, env))
