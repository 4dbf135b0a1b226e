"""Whether gradients tell attacks the truth.

A network whose gradients vanish or mislead withstands attacks by gradients
without being robust: https://arxiv.org/abs/1802.00420 (Athalye et al. 2018,
section 3) and https://arxiv.org/abs/1902.06705 (Carlini et al. 2019, section 5)
list the signs that are looked for here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax
import numpy as np
from jaxtyping import Array, Bool, Key

from rcj import intervals
from rcj.attacks import Attack
from rcj.data import ArraySource
from rcj.evaluate.attacked import Attempt, attacked, zero_gradients
from rcj.types import Frozen

PGD = Attack('pgd', 8 / 255, steps=40)
FEW_STEPS = Attack('pgd', 8 / 255, steps=10)
HUGE = Attack('pgd', 128 / 255, steps=40)
SQUARE = Attack('square', 8 / 255, steps=300)
# Shares above which these are signs.
_NO_GRADIENT = 0.05
_SURVIVING = 0.05


@dataclasses.dataclass(frozen=True, eq=False)
class Checks:
  """What was measured, on the same images throughout.

  Attributes:
    no_gradient: bool [N], see `evaluate.zero_gradients`.
    labels: int32 [N].
    pgd: 40 steps at eps 8/255.
    others: Square, PGD of fewer steps and of huge eps at the network itself,
      and 'transfer', PGD at its dense parent, where there is one.
  """

  no_gradient: Bool[np.ndarray, ' N']
  labels: np.ndarray
  pgd: Attempt
  others: Mapping[str, Attempt]

  @property
  def zero_gradients(self) -> float:
    """Share of the images without a gradient."""
    return float(np.mean(self.no_gradient))

  @property
  def masked(self) -> str:
    """The signs of masked gradients, 'no' if there is none.

    'zero gradients' of more than 5 % of the images; 'Square' or 'transfer'
    that fool more images than PGD, though they know less; 'more steps' that
    fool fewer; 'growing eps' that leaves more than 5 % right in a ball that
    holds nearly any image. Each beyond its 95 % interval over images.
    """
    _, low, _ = intervals.bootstrap_mean(self.no_gradient)
    found = ['zero gradients'] if low > _NO_GRADIENT else []
    better = {
      'Square': 'square', 'transfer': 'transfer', 'more steps': 'few_steps'
    }  # fmt: skip
    pgd = self._wrong(self.pgd)
    for sign, name in better.items():
      if name in self.others:
        _, low, _ = intervals.paired_difference(
          self._wrong(self.others[name]), pgd
        )
        found += [sign] if low > 0 else []
    _, low, _ = intervals.bootstrap_mean(~self._wrong(self.others['huge']))
    found += ['growing eps'] if low > _SURVIVING else []
    return ', '.join(found) or 'no'

  def _wrong(self, attempt: Attempt) -> Bool[np.ndarray, ' N']:
    return attempt.predicted != self.labels


def checks(
  key: Key[Array, ''],
  network: Frozen,
  source: ArraySource,
  *,
  by: Frozen | None = None,
  parent: Frozen | None = None,
) -> Checks:
  """Runs the attacks whose order gives masked gradients away.

  Args:
    key: of their draws.
    network: what is to be fooled.
    source: images of its size.
    by: the network whose gradients are used, None for `network`.
    parent: a network that transfer begins from, None leaves that out.

  Raises:
    ValueError: as `attacked`.
  """
  own = network if by is None else by
  keys = jax.random.split(key, 5)
  given = {
    'few_steps': (FEW_STEPS, own),
    'huge': (HUGE, own),
    'square': (SQUARE, own),
    **({} if parent is None else {'transfer': (PGD, parent)}),
  }
  others = {
    name: attacked(k, network, source, attack, by=maker)
    for k, (name, (attack, maker)) in zip(keys, given.items(), strict=False)
  }
  return Checks(
    zero_gradients(own, source),
    source.labels,
    attacked(keys[-1], network, source, PGD, by=own),
    others,
  )
