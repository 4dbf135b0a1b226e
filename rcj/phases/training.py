"""The phase that trains."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from rcj import losses, train, tree
from rcj.augment import Views
from rcj.carry import Carry, Env, place
from rcj.data import TrainStream
from rcj.optimizer import SGD
from rcj.phases import memory
from rcj.phases.gradual import Gradual, begun, sparsify
from rcj.phases.loop import Loop
from rcj.phases.network import saved_network
from rcj.phases.sizes import warn_of_lost_layers
from rcj.phases.stream import open_stream
from rcj.types import Frozen, TrainState


@dataclasses.dataclass(frozen=True)
class Train:
  """Optimises the network for a number of epochs or steps.

  It begins at `TrainState.step` of its schedule, which is 0 unless `Rewind`
  took up a snapshot from within one, and leaves the step at 0.

  Attributes:
    terms: {name: weighted loss term}.
    optimizer: with its learning-rate schedule.
    epochs: length in passes over the training set; or
    steps: length in steps; or
    examples: length in images seen; exactly one of the three.
    batch_size: images per step, over all devices.
    augment: views of each image.
    variants: show, for each image and epoch, one of its versions in
      `DataSets.variants` or the image itself, with equal chance.
    teacher: name of a saved network that the terms ask.
    trainable: pattern on {params, scores, heads}; see `train.WEIGHTS`.
    snapshots: (when, name) pairs: the network is saved as `name` when it has
      taken that many steps, or a float that fraction of the phase, but one
      step at least.
    gradual: density that falls meanwhile, of the masks or of what scores
      select; None leaves it.
  """

  terms: Mapping[str, losses.Weighted]
  optimizer: SGD
  epochs: float | None = None
  steps: int | None = None
  examples: int | None = None
  batch_size: int = 128
  augment: Views = dataclasses.field(default_factory=Views)
  variants: bool = False
  teacher: str | None = None
  trainable: str = train.WEIGHTS
  snapshots: tuple[tuple[int | float, str], ...] = ()
  gradual: Gradual | None = None

  def __post_init__(self):
    lengths = (self.epochs, self.steps, self.examples)
    given = [x for x in lengths if x is not None]
    if len(given) != 1 or given[0] <= 0:
      raise ValueError(
        'Train wants exactly one of epochs, steps and examples, above 0, got '
        f'epochs={self.epochs}, steps={self.steps}, examples={self.examples}'
      )
    missing = [n for n, w in self.terms.items() if w.term.needs_teacher]
    if missing and self.teacher is None:
      raise ValueError(f'the terms {missing} need teacher=... in this Train')

  def length(self, images: int) -> int:
    """Number of steps on a training set of so many images."""
    if self.steps is not None:
      return self.steps
    if self.examples is not None:
      return max(1, self.examples // self.batch_size)
    return max(1, round(self.epochs * (images // self.batch_size)))

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry with the trained network."""
    total = self.length(len(env.data.train))
    at = int(carry.state.step)
    if at >= total and not carry.step:
      raise ValueError(
        f'nothing is left to train: the network was rewound to step {at} of '
        f'{total}; save it earlier'
      )
    snapshots = self._snapshots(total)
    teacher = self._teacher(carry)
    memory.announce(self.terms, env, self.batch_size)
    key = env.phase_key(carry)
    carry = dataclasses.replace(
      carry, state=self._start(carry, env, key, teacher)
    )
    with contextlib.closing(self._stream(carry, env, key)) as stream:
      loop = Loop(
        env=env,
        step=self._compiled(carry, env, total),
        stream=stream,
        key=key,
        teacher=teacher,
        total=total,
        batch_size=self.batch_size,
        snapshots=snapshots,
        sparsify=sparsify(self.gradual, carry.effective, carry.state, total),
      )
      carry = loop.run(carry)
    if self.gradual is not None:
      warn_of_lost_layers(env, carry.state.masks)
    state = dataclasses.replace(
      carry.state,
      opt_state=None,
      heads={},
      aux={},
      step=place(np.int32(0), env.replicated),
    )
    return dataclasses.replace(carry, state=state)

  def _snapshots(self, total: int) -> tuple[tuple[int, str], ...]:
    found = tuple(
      (max(1, round(x * total)) if isinstance(x, float) else x, name)
      for x, name in self.snapshots
    )
    beyond = [x for x in found if not 1 <= x[0] <= total]
    if beyond:
      raise ValueError(f'snapshots {beyond} lie outside the steps 1..{total}')
    return found

  def _compiled(self, carry: Carry, env: Env, total: int) -> Any:
    return train.compiled(
      train.train_step,
      env.mesh,
      placement=(
        jax.tree.map(lambda x: x.sharding, carry.state),
        env.replicated,
      ),
      model=carry.model,
      preprocessing=carry.preprocessing,
      tx=self.optimizer.build(),
      schedule=self.optimizer.schedule.build(total),
      augment=functools.partial(self.augment, mesh=env.mesh),
      terms=self.terms,
      effective=carry.effective,
      trainable=self.trainable,
    )

  def _stream(self, carry: Carry, env: Env, key: Any) -> TrainStream:
    stream = open_stream(
      env,
      key,
      batch_size=self.batch_size,
      size=carry.preprocessing.size,
      variants=self.variants,
    )
    # A rewound network begins at its place in the schedule, so the epochs of
    # the stream end where those of the schedule do.
    begin = {**stream.get_state(), 'step': int(carry.state.step)}
    stream.set_state(begin if carry.stream is None else carry.stream)
    return stream

  def _teacher(self, carry: Carry) -> Frozen | None:
    if self.teacher is None:
      return None
    teacher = saved_network(carry, self.teacher, 'Train').network
    wanted, shown = teacher.preprocessing.size, carry.preprocessing.size
    if wanted != shown:
      raise ValueError(
        f'the teacher {self.teacher!r} is a network for images of {wanted} px, '
        f'the training images have {shown} px; a usual cause is a public '
        'network as the teacher on smaller images'
      )
    return teacher

  def _start(
    self, carry: Carry, env: Env, key: Any, teacher: Frozen | None
  ) -> TrainState:
    """A state that owns its buffers and has all that the step updates."""
    state = carry.state
    if self.gradual is not None and not carry.step:
      state = begun(self.gradual, carry)
    state = place(dataclasses.replace(state, aux={}), env.replicated)
    tx = self.optimizer.build()
    if carry.step and state.opt_state is not None:
      moving, _ = tree.partition(train.trees(state), self.trainable)
      template = jax.eval_shape(tx.init, moving)
      opt_state = tree.replace_leaves(template, state.opt_state)
      aux = memory.placed(self.terms, carry.state.aux, env)
      return dataclasses.replace(state, opt_state=opt_state, aux=aux)
    heads, aux = memory.made(self.terms, carry, env, key, teacher)
    state = dataclasses.replace(
      state,
      heads=place(heads, env.replicated),
      aux=memory.placed(self.terms, aux, env),
    )
    moving, _ = tree.partition(train.trees(state), self.trainable)
    opt_state = jax.jit(tx.init, out_shardings=env.replicated)(moving)
    return dataclasses.replace(state, opt_state=opt_state)
