"""Phases that start networks, keep them, and take up those that were kept."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rcj import models, weights
from rcj.carry import Carry, Env, frozen, place
from rcj.types import Params, Preprocessing, PyTree, Snapshot, TrainState


@dataclasses.dataclass(frozen=True)
class Init:
  """Starts a network with random weights; saved networks stay.

  Attributes:
    model: name in the registry.
    preprocessing: normalisation that the network is trained with.
    width: multiplier of all channel counts.
    stem: first layers, None for the model's own.
    dtype: compute type, 'float32' or 'bfloat16'; parameters are float32.
    norm: of its BatchNorm, None for the model's own; see `models.create`.
  """

  model: str
  preprocessing: Preprocessing
  width: float = 1.0
  stem: str | None = None
  dtype: str = 'float32'
  norm: str | None = None

  def __post_init__(self):
    self.module(1)  # an unknown name or option fails here

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry with a fresh state."""
    module = self.module(len(env.data.train.classes))
    params, batch_stats = models.init(
      env.phase_key(carry), module, size=self.preprocessing.size
    )
    state = place(dense_state(params, batch_stats), env.replicated)
    return dataclasses.replace(
      carry,
      state=state,
      model=module,
      effective=weights.Masked(),
      preprocessing=self.preprocessing,
      origin=None,
    )

  def module(self, num_classes: int) -> Any:
    """The module that the phase starts."""
    options = {'stem': self.stem, 'norm': self.norm}
    return models.create(
      self.model,
      num_classes=num_classes,
      width=self.width,
      dtype=jnp.dtype(self.dtype),
      **{n: x for n, x in options.items() if x is not None},
    )


def dense_state(params: Params, batch_stats: PyTree) -> TrainState:
  """A state before its first step, without masks or scores."""
  nowhere = jax.tree.map(lambda _: None, params)
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    batch_stats=batch_stats,
    opt_state=None,
    masks=nowhere,
    scores=nowhere,
    heads={},
    aux={},
  )


@dataclasses.dataclass(frozen=True)
class Save:
  """Keeps a copy of the network under a name, as teacher or to rewind to."""

  name: str

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry with one more saved network."""
    return snapshot(carry, env, self.name)


def snapshot(carry: Carry, env: Env, name: str) -> Carry:
  """The carry with a copy of its network, and its step, saved as `name`."""
  network = frozen(carry, tuple(env.data.train.classes))
  saved = Snapshot(network, carry.state.step)
  saved = place(saved, env.replicated)
  return dataclasses.replace(carry, saved={**carry.saved, name: saved})


@dataclasses.dataclass(frozen=True)
class Rewind:
  """Sets weights and BatchNorm back to a saved network; the masks stay.

  The next `Train` takes up its schedule at the step of the snapshot (weight
  rewinding, https://arxiv.org/abs/1912.05671).
  """

  to: str

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry with rewound weights.

    Raises:
      KeyError: if no network was saved under the name.
      ValueError: if it was another network than the current one.
    """
    then = saved_network(carry, self.to, 'Rewind')
    if then.network.model != carry.model:
      raise ValueError(
        f'Rewind cannot take weights of {self.to!r}, which is another network '
        'than the current one; a usual cause is a Shrink or Quantize after Save'
      )
    copy = place(
      (then.network.params, then.network.batch_stats, then.step),
      env.replicated,
    )
    state = dataclasses.replace(
      carry.state, params=copy[0], batch_stats=copy[1], step=copy[2]
    )
    return dataclasses.replace(carry, state=state)


@dataclasses.dataclass(frozen=True)
class Restore:
  """Makes a saved network the current one, masks and all.

  Unlike `Rewind` it may be of another architecture than the current network,
  and its schedule begins anew.
  """

  to: str

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry with a copy of it; raises KeyError for unknown names."""
    network = saved_network(carry, self.to, 'Restore').network
    state = dataclasses.replace(
      dense_state(network.params, network.batch_stats),
      masks=network.masks,
      scores=network.scores,
    )
    return dataclasses.replace(
      carry,
      state=place(state, env.replicated),
      model=network.model,
      effective=network.effective,
      preprocessing=network.preprocessing,
      origin=network.origin,
    )


def saved_network(carry: Carry, name: str, wanted_by: str) -> Snapshot:
  """A saved network; raises KeyError that lists what was saved."""
  if name not in carry.saved:
    raise KeyError(
      f'{wanted_by} wants the network {name!r}, but the phases before it '
      f'saved {sorted(carry.saved) or "none"}'
    )
  return carry.saved[name]
