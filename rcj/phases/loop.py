"""The loop around the training step: data, metrics, checkpoints, alarms."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any, NoReturn

import jax
import numpy as np

from rcj.carry import Carry, Env, encode
from rcj.checkpoint import PreemptedError
from rcj.data import TrainStream
from rcj.phases import memory
from rcj.phases.gradual import Sparsify
from rcj.phases.network import snapshot
from rcj.types import Batch, Frozen, Metrics, TrainState

# A checkpoint's number orders all moments of a run: phase, then step.
_STEPS_PER_PHASE = 10**7


def number(carry: Carry) -> int:
  """Number of the checkpoint of this moment."""
  return carry.phase * _STEPS_PER_PHASE + carry.step


def save(carry: Carry, env: Env) -> None:
  """Starts to write a checkpoint, where the run keeps any."""
  if env.checkpoints is not None:
    env.checkpoints.save(number(carry), *encode(carry, env))


def preempted(env: Env) -> bool:
  """Whether a SIGTERM asks to stop here; every process must ask."""
  return env.checkpoints is not None and env.checkpoints.preempted()


def stop(carry: Carry, env: Env) -> NoReturn:
  """Leaves a checkpoint and the run.

  Raises:
    PreemptedError: always.
  """
  save(carry, env)
  env.checkpoints.wait()
  raise PreemptedError(
    f'stopped by SIGTERM after step {carry.step} of phase {carry.phase}; the '
    'same command continues there'
  )


@dataclasses.dataclass(frozen=True)
class Loop:
  """One training phase under way.

  Attributes:
    env: devices, log, checkpoints.
    step: the compiled training step.
    stream: the training images, where the phase stands.
    key: randomness of the phase.
    teacher: network that the terms ask, or None.
    total: steps in the whole schedule.
    batch_size: images per step.
    snapshots: (step, name) pairs to save.
    sparsify: brings the network to the density of a step.
  """

  env: Env
  step: Callable[..., tuple[TrainState, Metrics]]
  stream: TrainStream
  key: Any
  teacher: Frozen | None
  total: int
  batch_size: int
  snapshots: tuple[tuple[int, str], ...]
  sparsify: Sparsify

  def run(self, carry: Carry) -> Carry:
    """Steps from where `carry` stands to the end of the schedule.

    Metrics are read one step late, so that the host prepares the next step
    while the devices work.

    Raises:
      FloatingPointError: at the first loss or gradient that is not finite.
      RuntimeError: if the second step was compiled again.
      PreemptedError: after SIGTERM, on a cluster; a checkpoint is left.
    """
    meter = _Meter(self, carry)
    state, begin = carry.state, int(carry.state.step)
    with self.env.journal.progress(
      f'phase {carry.phase}', self.total, begin
    ) as bar:
      for now in range(begin + 1, self.total + 1):
        batch = next(self.stream)
        state, k = self.sparsify(state, now - 1)
        arguments = state, batch, self.key, k, self.teacher
        if now == begin + 1:
          memory.announce_step(self.step, arguments, self.env, self.batch_size)
        state, metrics = self.step(*arguments)
        if now == begin + 2:
          _check_one_program(self.step)
        bar.advance(meter.note())
        meter.take(now, batch, metrics)
        carry = dataclasses.replace(
          carry, state=state, step=now, stream=self.stream.get_state()
        )
        carry = self._snapshots(carry, now)
        if now % self.env.checkpoint_every == 0 and now < self.total:
          meter.flush()
          save(carry, self.env)
        if preempted(self.env):
          meter.flush()
          stop(carry, self.env)
    meter.flush()
    self.env.journal.say(meter.summary())
    _check_one_program(self.step)
    state, _ = self.sparsify(state, self.total)
    return dataclasses.replace(carry, state=state)

  def _snapshots(self, carry: Carry, now: int) -> Carry:
    for at, name in self.snapshots:
      if at == now:
        carry = snapshot(carry, self.env, name)
    return carry


class _Meter:
  """Metrics one step late: finite or an alarm, and their log."""

  def __init__(self, loop: Loop, carry: Carry):
    self._loop, self._at = loop, carry.phase
    self._begin, self._done = time.perf_counter(), 0
    self._pending: tuple[int, Batch, Metrics] | None = None
    self._loss = math.nan

  def take(self, now: int, batch: Batch, metrics: Metrics) -> None:
    """Reads the step before, keeps this one for later."""
    self.flush()
    self._pending = (now, batch, metrics)
    self._done += 1

  def flush(self) -> None:
    """Checks and logs the step that is still pending."""
    if self._pending is None:
      return
    now, batch, metrics = self._pending
    self._pending = None
    values = {n: float(x) for n, x in jax.device_get(metrics).items()}
    self._loss = values['loss']
    if not math.isfinite(values['loss'] + values['gradient_norm']):
      raise FloatingPointError(self._alarm(now, batch, values))
    every = max(1, self._loop.total // 100)
    if now % every == 0 or now == self._loop.total:
      rates = {
        'images_per_second': self.images_per_second(),
        'data_wait': self.wait_share(),
      }
      self._loop.env.journal.metrics(self._at, now, **values, **rates)

  def _alarm(self, now: int, batch: Batch, values: dict[str, float]) -> str:
    shards = batch['index'].addressable_shards
    where = np.unique(np.concatenate([s.data for s in shards])).tolist()
    return (
      f'loss {values["loss"]} at step {now} of phase {self._at}; all terms: '
      f'{values}; training images of the batch: {where}. The last good '
      'checkpoint is kept. A usual cause is too high a learning rate'
    )

  def images_per_second(self) -> float:
    """Throughput since the phase began or was taken up."""
    seconds = time.perf_counter() - self._begin
    return self._done * self._loop.batch_size / max(seconds, 1e-9)

  def wait_share(self) -> float:
    """Fraction of the time in which a step waited for data."""
    return self._loop.stream.wait_seconds / max(
      time.perf_counter() - self._begin, 1e-9
    )

  def summary(self) -> str:
    """The phase in a line, with the metrics that were read last."""
    return (
      f'phase {self._at}: {self._loop.total} steps of '
      f'{self._loop.batch_size} images, loss {self._loss:.3f}, '
      f'{self.note()}'
    )

  def note(self) -> str:
    """Throughput and data wait in a few words."""
    return (
      f'{self.images_per_second():,.0f} images/s, '
      f'{100 * self.wait_share():.0f} % data wait'
    )


def _check_one_program(step: Any) -> None:
  programs = step._cache_size()
  if programs > 1:
    raise RuntimeError(
      f'the training step was compiled {programs} times in one phase; an '
      'argument changed its shape, type or placement between steps'
    )
