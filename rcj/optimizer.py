"""Optimisers as frozen values, built for a phase of known length.

The learning rate is applied by the training step from `TrainState.step`, not
by the transformation, so that a rewound network resumes its schedule where
its snapshot was taken.
"""

from __future__ import annotations

import dataclasses
import re

import optax

from rcj import tree
from rcj.schedules import Cosine, MultiStep
from rcj.types import PyTree


@dataclasses.dataclass(frozen=True)
class SGD:
  """Stochastic gradient descent with momentum and coupled weight decay.

  The update is torch's: g + weight_decay * w enters the momentum buffer, which
  starts at the first gradient; the learning rate multiplies at the end.

  Attributes:
    schedule: learning rate as a value of `rcj.schedules`.
    momentum: decay of the buffer.
    nesterov: look-ahead form.
    weight_decay: coefficient of the L2 term.
    decay: leaves that decay, a pattern on names such as
      'params/stage1_block1/conv1/kernel', 'scores/...', 'heads/...'.
  """

  schedule: MultiStep | Cosine
  momentum: float = 0.9
  nesterov: bool = False
  weight_decay: float = 1e-4
  decay: str = '.*'

  def build(self) -> optax.GradientTransformation:
    """The transformation without learning rate; updates point uphill."""
    return optax.chain(
      optax.add_decayed_weights(self.weight_decay, mask=self._decays),
      optax.trace(self.momentum, nesterov=self.nesterov),
    )

  def _decays(self, trainable: PyTree) -> PyTree:
    tree.check_pattern(trainable, self.decay)
    return tree.map_named(
      lambda n, _: re.fullmatch(self.decay, n) is not None, trainable
    )
