"""What a network of S0 sees while it learns, and what it is taught."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rcj import crd, losses
from rcj.augment import (
  AugMix,
  AutoAugment,
  CutMix,
  GaussianNoise,
  Noise2Net,
  Views,
)

if TYPE_CHECKING:
  from rcj.s0.config import S0

AUGMENTS = {
  'none': 'standard',
  'augmix': 'AugMix',
  'deepaugment': 'DeepAugment',
  'amda': 'AMDA',
  'autoaugment': 'AutoAugment',
  'cutmix': 'CutMix',
  'gaussian': 'Gaussian noise',
}
_DEEP = ('deepaugment', 'amda')
DISTIL = {'kd': 'KD', 'at': 'AT', 'crd': 'CRD'}


def views(config: S0, augment: str) -> Views:
  """The views of each training image.

  DeepAugment's distorted images are made by Noise2Net while training, unless
  they are read from files.

  Raises:
    ValueError: for options out of range.
  """
  added = {}
  if augment in ('augmix', 'amda'):
    added['augmix'] = AugMix(
      severity=config.augmix_severity, jsd=config.jsd > 0
    )
  if augment in _DEEP and not from_files(config, augment):
    added['deepaugment'] = Noise2Net()
  if augment == 'autoaugment':
    added['autoaugment'] = AutoAugment(config.autoaugment_policy)
  if augment == 'cutmix':
    added['cutmix'] = CutMix(prob=config.cutmix_prob)
  if augment == 'gaussian':
    added['gaussian'] = GaussianNoise()
  return Views(
    padding=config.crop, flip=config.flip, dtype=config.dtype, **added
  )


def from_files(config: S0, augment: str) -> bool:
  """Whether the data set has DeepAugment's images for this augmentation."""
  return augment in _DEEP and bool(config.deepaugment_root)


def terms(config: S0, augment: str, distil: str) -> dict[str, losses.Weighted]:
  """The loss terms with S0's weights (decision 23).

  Args:
    config: the numbers.
    augment: one of `AUGMENTS`; with AugMix, and so with AMDA, there is the
      Jensen-Shannon term, unless `config.jsd` is 0.
    distil: one of `DISTIL`, or '' for no teacher.
  """
  mixture = config.kd if augment == 'none' else config.kd_augmented
  share = 1 - mixture if distil == 'kd' else 1.0
  made = {'ce': losses.Weighted(share, losses.CrossEntropy())}
  if distil == 'kd':
    term = losses.KD(temperature=config.temperature)
    made['kd'] = losses.Weighted(mixture, term)
  if distil == 'at':
    term = losses.AttentionTransfer(pairs=_pairs(config.at_pairs))
    made['at'] = losses.Weighted(config.at, term)
  if distil == 'crd':
    term = crd.CRD(negatives=config.negatives)
    made['crd'] = losses.Weighted(config.crd, term)
  if augment in ('augmix', 'amda') and config.jsd:
    weight = config.jsd_distilled if distil else config.jsd
    made['jsd'] = losses.Weighted(weight, losses.JSD())
  return made


def _pairs(text: str) -> tuple[tuple[int, int], ...] | None:
  if not text:
    return None
  try:
    pairs = [tuple(map(int, pair.split('-'))) for pair in text.split(',')]
    return tuple((s - 1, t - 1) for s, t in pairs)
  except ValueError:
    raise ValueError(
      f"at_pairs is a list of student-teacher stages such as '1-1,2-3', not "
      f'{text!r}'
    ) from None
