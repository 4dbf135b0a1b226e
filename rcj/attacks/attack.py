"""Attacks as values: which one, and how strong."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

from jaxtyping import Array, Key

from rcj.attacks.apgd import apgd
from rcj.attacks.deepfool import deepfool
from rcj.attacks.door import Images, Labels, Norm, Predict
from rcj.attacks.fgsm import fgsm
from rcj.attacks.pgd import pgd
from rcj.attacks.salt_and_pepper import salt_and_pepper
from rcj.attacks.search import salt_and_pepper_search
from rcj.attacks.square import square

Kind = Literal[
  'fgsm',
  'pgd',
  'apgd',
  'square',
  'salt_and_pepper',
  'deepfool',
  'salt_and_pepper_search',
]


@dataclasses.dataclass(frozen=True)
class Attack:
  """One attack at one strength.

  Attributes:
    kind: the function of this package.
    eps: radius of its ball, in units of images in 0..1; of salt and pepper the
      rate of pixels; None for 'deepfool' and 'salt_and_pepper_search', which
      look for the smallest perturbation.
    norm: of the ball, and of the perturbation that is measured.
    steps: gradients, or queries of 'square' and of the search; None is the
      attack's own number. Steps of 'pgd' are of size 2.5 eps / steps (Madry et
      al. 2018, section 5), so that any number of them crosses the ball.

  Raises:
    ValueError: for an unknown kind, or a strength that it does not have.
  """

  kind: Kind
  eps: float | None = None
  norm: Norm = 'linf'
  steps: int | None = None

  def __post_init__(self):
    if self.kind not in get_args(Kind):
      raise ValueError(
        f'no attack {self.kind!r}; there are {", ".join(get_args(Kind))}'
      )
    if (self.eps is None) != (self.kind in _SMALLEST):
      raise ValueError(
        f'{self.kind} with eps={self.eps}: {" and ".join(_SMALLEST)} look for '
        'the smallest perturbation and have no eps; all others need one'
      )
    if self.kind in _L2 and self.norm != 'l2':
      raise ValueError(
        f"the perturbation of {self.kind} is measured by norm='l2'"
      )
    if self.steps is not None and self.kind in _ONE_STEP:
      raise ValueError(f'{self.kind} has no steps')

  def __call__(
    self, key: Key[Array, ''], predict: Predict, images: Images, labels: Labels
  ) -> Images:
    """Adversarial images; arguments and errors are those of the function."""
    case = (predict, images, labels)
    steps = {} if self.steps is None else {'steps': self.steps}
    ball = {'eps': self.eps, 'norm': self.norm}
    match self.kind:
      case 'fgsm':
        return fgsm(*case, **ball)
      case 'pgd':
        if self.steps is not None:
          steps['step_size'] = 2.5 * self.eps / self.steps
        return pgd(key, *case, **ball, **steps)
      case 'apgd':
        return apgd(key, *case, **ball, **steps)
      case 'square':
        queries = {} if self.steps is None else {'queries': self.steps}
        return square(key, *case, **ball, **queries)
      case 'salt_and_pepper':
        return salt_and_pepper(key, images, rate=self.eps)
      case 'deepfool':
        return deepfool(*case, **steps)
      case 'salt_and_pepper_search':
        return salt_and_pepper_search(key, *case, **steps)

  @property
  def name(self) -> str:
    """Such as 'pgd', 'pgd_l2', 'deepfool'."""
    bounded = self.kind not in _L2
    return f'{self.kind}_l2' if bounded and self.norm == 'l2' else self.kind

  @property
  def needs_gradients(self) -> bool:
    """Whether it differentiates the network."""
    return self.kind in ('fgsm', 'pgd', 'apgd', 'deepfool')

  @property
  def radius(self) -> float | None:
    """Of the ball that perturbations must not leave; None where any counts."""
    return None if self.kind == 'salt_and_pepper' else self.eps

  def __str__(self) -> str:
    if self.kind == 'salt_and_pepper':
      return f'salt and pepper {100 * self.eps:g} %'
    eps = ''
    if self.eps is not None:
      linf = f' {255 * self.eps:g}/255'
      eps = linf if self.norm == 'linf' else f' L2 {self.eps:g}'
    unit = 'queries' if self.kind == 'square' else 'steps'
    steps = f', {self.steps} {unit}' if self.steps is not None else ''
    return f'{self.kind.replace("_", " ")}{eps}{steps}'


_SMALLEST = ('deepfool', 'salt_and_pepper_search')
_ONE_STEP = ('fgsm', 'salt_and_pepper')
_L2 = ('salt_and_pepper', *_SMALLEST)

# S1's two strengths, and the distances that it asks for (decision 15).
LIGHT = (
  Attack('fgsm', 2 / 255),
  Attack('pgd', 2 / 255, steps=10),
  Attack('pgd', 0.5, 'l2', steps=10),
  Attack('salt_and_pepper', 0.005, 'l2'),
)
HEAVY = (
  Attack('fgsm', 8 / 255),
  Attack('pgd', 8 / 255, steps=40),
  Attack('pgd', 2.0, 'l2', steps=40),
  Attack('salt_and_pepper', 0.05, 'l2'),
)
SMALLEST = (
  Attack('deepfool', norm='l2', steps=50),
  Attack('salt_and_pepper_search', norm='l2', steps=200),
)
