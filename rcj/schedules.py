"""Learning-rate schedules as values; durations are fractions of a phase.

A recipe that is shortened as a whole thereby keeps its shape. `build` turns a
schedule into a function of the step within its phase.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Schedule = Callable[[Int[Array, '']], Float[Array, '']]


@dataclasses.dataclass(frozen=True)
class MultiStep:
  """Piecewise constant rate with drops and a linear warm-up.

  As in facebookresearch/open_lth: a drop takes effect at its milestone step,
  and the warm-up multiplies by min(1, step / warm-up steps), so that step 0 of
  a warm-up has a rate of 0.

  Attributes:
    peak: learning rate after the warm-up.
    drops: milestones as fractions of the phase, 0..1.
    factor: multiplies the rate at every milestone.
    warmup: length of the warm-up as a fraction of the phase.
  """

  peak: float
  drops: tuple[float, ...] = (1 / 3, 2 / 3)
  factor: float = 0.1
  warmup: float = 0.0

  def __post_init__(self):
    if not all(0 <= f <= 1 for f in (*self.drops, self.warmup)):
      raise ValueError(
        'drops and warmup are fractions of the phase, 0..1, not steps or '
        f'epochs: got {self.drops} and {self.warmup}'
      )

  def build(self, steps: int) -> Schedule:
    """Learning rate as a function of the step, for a phase of `steps`."""
    milestones = [round(f * steps) for f in self.drops]
    warmup = round(self.warmup * steps)

    def schedule(step):
      drops = sum(jnp.where(step >= m, 1, 0) for m in milestones)
      rate = self.peak * jnp.float32(self.factor) ** drops
      return rate * jnp.minimum(1.0, step / warmup) if warmup else rate

    return schedule


@dataclasses.dataclass(frozen=True)
class Cosine:
  """Half a cosine from `peak` at step 0 down to `floor` at the end.

  Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983, without
  restarts.

  Attributes:
    peak: learning rate at step 0.
    floor: learning rate from the last step on.
  """

  peak: float
  floor: float = 0.0

  def build(self, steps: int) -> Schedule:
    """Learning rate as a function of the step, for a phase of `steps`."""

    def schedule(step):
      progress = jnp.clip(step / steps, 0.0, 1.0)
      falling = (1 + jnp.cos(math.pi * progress)) / 2
      return self.floor + (self.peak - self.floor) * falling

    return schedule


# 90 epochs: x0.1 at 30, 60 and 80 after 5 epochs of warm-up; the peak is for a
# batch of 256 images.
IMAGENET = MultiStep(0.1, drops=(30 / 90, 60 / 90, 80 / 90), warmup=5 / 90)
# 160 epochs: x0.1 at 80 and 120; the peak is for a batch of 128 images.
CIFAR = MultiStep(0.1, drops=(80 / 160, 120 / 160))
