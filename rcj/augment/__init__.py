"""Augmentations: uint8 images to normalised views, on the device."""

from rcj.augment.augmix import apply_plan, augmix, mixed_views
from rcj.augment.autoaugment import (
  AutoAugment,
  apply_autoaugment,
  autoaugment,
  autoaugment_plan,
)
from rcj.augment.crop_flip import crop_flip
from rcj.augment.cutmix import CutMix, apply_cutmix, cutmix, cutmix_plan
from rcj.augment.gaussian_noise import GaussianNoise
from rcj.augment.noise2net import Noise2Net
from rcj.augment.normalisation import normalise
from rcj.augment.plan import Plan, augmix_plan
from rcj.augment.views import AugMix, Views

__all__ = [
  'AugMix',
  'AutoAugment',
  'CutMix',
  'GaussianNoise',
  'Noise2Net',
  'Plan',
  'Views',
  'apply_autoaugment',
  'apply_cutmix',
  'apply_plan',
  'augmix',
  'augmix_plan',
  'autoaugment',
  'autoaugment_plan',
  'crop_flip',
  'cutmix',
  'cutmix_plan',
  'mixed_views',
  'normalise',
]
