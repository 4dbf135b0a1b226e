"""What a step needs, and what loss terms remember between steps.

A term may say two things of itself. `split` is a pattern on the names in its
aux: the rows of those arrays are shared out among the devices, everything else
is on each of them. `memory(images, batch_size, devices)` says in words what the
term will take.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from rcj import losses, models, program, tree
from rcj.carry import Carry, Env, place
from rcj.types import Frozen, Outputs

Terms = Mapping[str, losses.Weighted]


def announce(terms: Terms, env: Env, batch_size: int) -> None:
  """Says what the terms will take on each device, before it is taken."""
  images, devices = len(env.data.train), env.mesh.size
  for name in sorted(terms):
    if hasattr(terms[name].term, 'memory'):
      text = terms[name].term.memory(images, batch_size, devices)
      env.journal.say(f'{name}: {text}')


def announce_step(
  step: Callable[..., Any], arguments: tuple[Any, ...], env: Env, images: int
) -> None:
  """Says what a compiled step will take on each device, before it runs.

  A device that tells its memory is also told how many images would fit. What
  lives while a step runs is taken to grow with them, which overestimates small
  batches, whose gradients weigh as much as their activations. Training images
  that lie on the devices, and saved networks, are not counted.

  Args:
    step: as `train.compiled` gives it.
    arguments: state, batch and the rest; nothing is donated.
    env: devices and journal.
    images: in the batch, over all devices.
  """
  needs = program.memory(step.lower(*arguments).compile())
  if needs is None:
    return
  devices = env.mesh.size
  batch, share = _bytes(arguments[1]) // devices, images // devices
  fixed, growing = needs.held - batch, needs.working + batch
  text = (
    f'a device needs {_size(fixed)} for networks and optimizer, '
    f'{_size(growing)} for its {share} images'
  )
  stats = env.mesh.local_devices[0].memory_stats() or {}
  if 'bytes_limit' in stats:
    limit = stats['bytes_limit']
    fit = max(limit - fixed, 0) * share // growing * devices
    text += f'; its {_size(limit)} would do for a batch of about {fit:,}'
  env.journal.say(text)


def _bytes(arrays: Any) -> int:
  return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(arrays))


def _size(n: int) -> str:
  return f'{n / 2**20:,.0f} MiB'


def made(
  terms: Terms, carry: Carry, env: Env, key: Any, teacher: Frozen | None
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
  """Heads and aux of the terms that have them."""
  own = _shapes(carry.model, carry.preprocessing, carry.state)
  seen = teacher and _shapes(teacher.model, teacher.preprocessing, teacher)
  made = {
    name: w.term.init(
      jax.random.fold_in(key, i), (own, seen), env.data.train.labels
    )
    for i, (name, w) in enumerate(sorted(terms.items()))
  }
  return (
    {n: heads for n, (heads, _) in made.items() if heads},
    {n: aux for n, (_, aux) in made.items() if aux},
  )


def _shapes(model: Any, shown: Any, network: Any) -> Outputs:
  """Shapes of a network's outputs for one view of one image."""
  views = jax.ShapeDtypeStruct((1, 1, shown.size, shown.size, 3), np.float32)
  run = functools.partial(models.outputs, model, train=False)
  return jax.eval_shape(run, network.params, network.batch_stats, views)[0]


def placed(terms: Terms, aux: Mapping[str, Any], env: Env) -> Mapping[str, Any]:
  """Copies of aux on the mesh, with the rows split that terms want split."""
  rows = jax.NamedSharding(env.mesh, jax.P('data'))

  def put(name, x):
    term, leaf = name.split('/', 1)
    split = re.fullmatch(getattr(terms[term].term, 'split', ''), leaf)
    return place(x, rows if split else env.replicated)

  return tree.map_named(put, aux)
