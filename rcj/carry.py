"""What flows from phase to phase, and its form on disk."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from jaxtyping import Array, Key

from rcj import models, tree, weights
from rcj.checkpoint import Checkpoints, Items
from rcj.data import DataSets
from rcj.evaluate import Suite
from rcj.journal import Journal
from rcj.types import (
  Effective,
  Frozen,
  Preprocessing,
  Snapshot,
  TrainState,
)


@dataclasses.dataclass(frozen=True)
class Carry:
  """The state of a recipe between phases, or within a training phase.

  Attributes:
    state: None until an `Init` or `Load` phase made a network.
    saved: snapshots by name.
    model: module of the current network.
    effective: how its weights are made from params, masks and scores.
    preprocessing: normalisation of its input.
    origin: model that it was shrunk or quantized from, or None.
    phase: index of the phase to run next.
    step: steps already taken within it.
    stream: state of its data stream, None at its beginning.
  """

  state: TrainState | None = None
  saved: Mapping[str, Snapshot] = dataclasses.field(default_factory=dict)
  model: Any = None
  effective: Effective = dataclasses.field(default_factory=weights.Masked)
  preprocessing: Preprocessing | None = None
  origin: Any = None
  phase: int = 0
  step: int = 0
  stream: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class Env:
  """What phases may use but never change.

  Attributes:
    data: the data sets.
    suites: what `Evaluate` measures.
    mesh: devices, with the axis 'data'.
    journal: metrics and progress.
    key: root of all randomness.
    workdir: the run directory.
    checkpoints: where `Train` saves while it runs; None saves nothing.
    checkpoint_every: steps between two such saves.
    workers: processes that decode images; 0 decodes in threads.
    identity: what, beside phases, decides the result: shared prefixes are
      found by it and by the phases.
    labels: columns that name the run in its rows.
  """

  data: DataSets
  suites: tuple[Suite, ...]
  mesh: jax.sharding.Mesh
  journal: Journal
  key: Key[Array, '']
  workdir: epath.Path
  checkpoints: Checkpoints | None = None
  checkpoint_every: int = 1000
  workers: int = 0
  identity: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  labels: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  def key_data(self) -> list[int]:
    """The root key in numbers that JSON can hold."""
    return np.asarray(jax.random.key_data(self.key)).ravel().tolist()

  @property
  def replicated(self) -> jax.sharding.Sharding:
    """Placement of the training state: a copy on every device."""
    return jax.NamedSharding(self.mesh, jax.P())

  def phase_key(self, carry: Carry) -> Key[Array, '']:
    """Randomness of the phase that `carry` is about to run."""
    return jax.random.fold_in(self.key, carry.phase)


def frozen(carry: Carry, classes: tuple[str, ...]) -> Frozen:
  """The current network; shares its buffers with the training state."""
  s = carry.state
  return Frozen(
    params=s.params,
    batch_stats=s.batch_stats,
    masks=s.masks,
    scores=s.scores,
    model=carry.model,
    effective=carry.effective,
    preprocessing=carry.preprocessing,
    classes=classes,
    origin=carry.origin,
  )


def place(arrays: Any, sharding: jax.sharding.Sharding) -> Any:
  """A copy with `sharding`; shares no buffer, so either may be donated."""
  return jax.tree.map(lambda x: jax.device_put(jnp.copy(x), sharding), arrays)


_STATE = ('batch_stats', 'masks', 'scores', 'heads', 'aux', 'step')
_NETWORK = ('params', 'batch_stats', 'masks', 'scores')


def encode(carry: Carry, env: Env) -> tuple[Items, dict[str, Any]]:
  """Arrays and JSON record from which `decode` makes the same carry."""
  s = carry.state
  rest = {name: getattr(s, name) for name in _STATE}
  saved = {
    name: {'step': x.step, **{f: getattr(x.network, f) for f in _NETWORK}}
    for name, x in carry.saved.items()
  }
  items = {
    'params': tree.leaves(s.params),
    'state': tree.leaves(rest),
    'optimizer': tree.leaves(s.opt_state),
    'saved': tree.leaves(saved),
  }
  record = {
    'params': tree.describe(s.params),
    'state': tree.describe(rest),
    'saved': tree.describe(saved),
    'networks': {n: _statics(x.network) for n, x in carry.saved.items()},
    'network': _statics(frozen(carry, ())),
    'phase': carry.phase,
    'step': carry.step,
    'stream': carry.stream,
    'key': env.key_data(),
  }
  return items, record


def decode(items: Items, record: Mapping[str, Any], env: Env) -> Carry:
  """The carry that `encode` saw; `opt_state` as {name: array}, or None.

  Raises:
    ValueError: if the checkpoint was written under another seed.
  """
  if record['key'] != env.key_data():
    raise ValueError(
      'the checkpoint was written by a run with another seed; '
      'continue it with its own seed or use an empty run directory'
    )
  return decode_any(items, record)


def decode_any(items: Items, record: Mapping[str, Any]) -> Carry:
  """As `decode`, of a run with any seed."""
  rest = tree.rebuild(record['state'], items['state'])
  saved = tree.rebuild(record['saved'], items['saved'])
  state = TrainState(
    params=tree.rebuild(record['params'], items['params']),
    opt_state=dict(items['optimizer']) or None,
    **rest,
  )
  snapshots = {
    name: Snapshot(
      network=Frozen(
        **{f: x[f] for f in _NETWORK}, **_from_statics(record['networks'][name])
      ),
      step=x['step'],
    )
    for name, x in saved.items()
  }
  own = _from_statics(record['network'])
  del own['classes']
  return Carry(
    state=state,
    saved=snapshots,
    phase=record['phase'],
    step=record['step'],
    stream=record['stream'],
    **own,
  )


def _statics(network: Frozen) -> dict[str, Any]:
  effective, origin = network.effective, network.origin
  return {
    'model': models.spec(network.model),
    'origin': None if origin is None else models.spec(origin),
    'effective': {
      'type': type(effective).__name__,
      'fields': dataclasses.asdict(effective),
    },
    'preprocessing': dataclasses.asdict(network.preprocessing),
    'classes': list(network.classes),
  }


def _from_statics(record: Mapping[str, Any]) -> dict[str, Any]:
  effective, shown = record['effective'], dict(record['preprocessing'])
  origin = record['origin']
  for name in ('mean', 'std'):
    shown[name] = tuple(shown[name])
  return {
    'model': models.from_spec(record['model']),
    'origin': None if origin is None else models.from_spec(origin),
    'effective': getattr(weights, effective['type'])(**effective['fields']),
    'preprocessing': Preprocessing(**shown),
    'classes': tuple(record['classes']),
  }
