"""The methods of S2 as tuples of phases."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from rcj import train
from rcj.phases import (
  FreezeMask,
  Gradual,
  Init,
  InitScores,
  ModelInfo,
  Prune,
  RandomWeights,
  Rewind,
  Save,
  Train,
)
from rcj.recipe import Phase
from rcj.s0.recipes import check_finish, finish, init, rounded
from rcj.s0.training import AUGMENTS
from rcj.schedules import Cosine, MultiStep

if TYPE_CHECKING:
  from rcj.s2.config import CARDs

METHODS = {
  'dense': 'dense',
  'ft': 'FT',
  'gmp': 'GMP',
  'lth': 'LTH',
  'lrr': 'LRR',
  'ep': 'EP',
  'bp': 'BP',
}
VARIANTS = {name: {'method': name} for name in METHODS}
LEARNED, COMPRESSED = ('ep', 'bp'), ('ft', 'lth', 'lrr')
_EARLY, _DENSE = 'early', 'dense'
_OF_S0 = (
  *('ratio', 'nonzero', 'groups', 'shrink', 'recalibrate', 'mask_augment'),
  *('teacher', 'teacher_model', 'teacher_width', 'teacher_stem'),
  *('teacher_root', 'kd', 'kd_augmented', 'at', 'at_pairs', 'crd'),
)
_HALF = 0.5


def recipe(config: CARDs) -> tuple[Phase, ...]:
  """The phases of `config.method`.

  Raises:
    ValueError: for unknown names and fractions out of range; says what exists.
  """
  check(config)
  made = {
    'dense': _dense,
    'ft': _fine_tuned,
    'gmp': _gradual,
    'lth': _tickets,
    'lrr': _tickets,
    'ep': _learned,
    'bp': _learned,
  }[config.method](config)
  attacked = config.attack_images and config.method in COMPRESSED
  parent = _DENSE if attacked else None
  return (*made, *finish(config, label(config), parent=parent), ModelInfo())


def label(config: CARDs) -> str:
  """Name of the method in tables: 'AugMix + LRR'."""
  method = METHODS[config.method]
  if config.augment != 'none':
    method = f'{AUGMENTS[config.augment]} + {method}'
  return rounded(config, method)


def levels(density: float, rate: float) -> tuple[float, ...]:
  """Densities of the levels of iterative pruning.

  Each level removes about the fraction `rate` of the rest: as many levels as
  come nearest to the density, of which the last one reaches it.
  """
  count = max(1, round(math.log(density) / math.log(1 - rate)))
  return (*((1 - rate) ** i for i in range(1, count)), density)


def check(config: CARDs) -> None:
  """Finds fields that cannot be, or would do nothing.

  Raises:
    ValueError: says what exists, or which fields are S0's alone.
  """
  for field, known in (
    ('method', METHODS),
    ('augment', AUGMENTS),
    ('mask_norm', ('', 'plain', 'batch')),
  ):
    value = getattr(config, field)
    if value not in known:
      raise ValueError(f'no {field} {value!r}; there are {", ".join(known)}')
  check_finish(config)
  defaults = {f.name: f.default for f in dataclasses.fields(config)}
  if changed := [n for n in _OF_S0 if getattr(config, n) != defaults[n]]:
    raise ValueError(
      f'{", ".join(changed)} are fields of S0 that S2 has no use for; the size '
      'of its networks is `density`'
    )
  if config.pretrained_root and config.method in LEARNED:
    raise ValueError(
      f'{config.method} learns masks on random weights: pretrained_root is for '
      f'{", ".join(n for n in METHODS if n not in LEARNED)}'
    )
  for field in ('density', 'rate', 'rewind', 'gradual_end'):
    value = getattr(config, field)
    if not 0 < value < 1:
      raise ValueError(f'{field} is a fraction between 0 and 1, not {value}')


def _dense(config: CARDs) -> tuple[Phase, ...]:
  """Trained as every other method begins, so that runs can share it."""
  learn = dataclasses.replace(
    config.training(config.augment), snapshots=((config.rewind, _EARLY),)
  )
  kept = config.attack_images and config.method in COMPRESSED
  return (init(config), learn, *((Save(_DENSE),) if kept else ()))


def _fine_tuned(config: CARDs) -> tuple[Phase, ...]:
  """Han et al. 2015, https://arxiv.org/abs/1506.02626, in one shot."""
  constant = MultiStep(config.finetune_learning_rate, drops=())
  tune = _scheduled(
    config.training(config.augment, epochs=config.finetune_epochs), constant
  )
  prune = Prune('magnitude', density=config.density)
  return (*_dense(config), prune, tune)


def _gradual(config: CARDs) -> tuple[Phase, ...]:
  """Zhu and Gupta 2017, https://arxiv.org/abs/1710.01878."""
  falling = Gradual(config.density, end=config.gradual_end)
  learn = config.training(config.augment)
  return init(config), dataclasses.replace(learn, gradual=falling)


def _tickets(config: CARDs) -> tuple[Phase, ...]:
  """Iterative pruning; lth rewinds the weights, lrr the learning rate alone.

  Frankle et al. 2020, https://arxiv.org/abs/1912.05671, and Renda et al. 2020,
  https://arxiv.org/abs/2003.02389.
  """
  rewind = (Rewind(_EARLY),) if config.method == 'lth' else ()
  phases = [*_dense(config)]
  for density in levels(config.density, config.rate):
    phases += [
      Prune('magnitude', density=density),
      *rewind,
      config.training(config.augment),
    ]
  return tuple(phases)


def _learned(config: CARDs) -> tuple[Phase, ...]:
  """Masks on random weights: edge-popup, and biprop, which keeps their signs.

  Ramanujan et al. 2020, https://arxiv.org/abs/1911.13299, and Diffenderfer and
  Kailkhura 2021, https://arxiv.org/abs/2103.09377. The schedule is their
  codes' cosine.
  """
  learn = _scheduled(
    config.training(
      config.augment, epochs=config.mask_epochs, trainable=train.SCORES
    ),
    Cosine(config.learning_rate),
  )
  if config.progressive and config.density < _HALF:
    falling = Gradual(
      config.density, initial=_HALF, end=config.progressive, updates=10
    )
    learn = dataclasses.replace(learn, gradual=falling)
  return (
    Init(
      config.model,
      config.preprocessing(),
      width=config.width,
      stem=config.stem or None,
      dtype=config.dtype,
      norm=config.mask_norm or None,
    ),
    RandomWeights(
      config.mask_init, config.density if config.mask_scaled else 1.0
    ),
    InitScores(
      density=config.density,
      scope=config.mask_scope,
      init='uniform',
      binary=config.method == 'bp',
    ),
    learn,
    FreezeMask(),
  )


def _scheduled(learn: Train, schedule: MultiStep | Cosine) -> Train:
  optimizer = dataclasses.replace(learn.optimizer, schedule=schedule)
  return dataclasses.replace(learn, optimizer=optimizer)
