"""Augmentations: uint8 images to normalised views, on the device."""

from rcj.augment.augmix import apply_plan, augmix
from rcj.augment.crop_flip import crop_flip
from rcj.augment.normalisation import normalise
from rcj.augment.plan import Plan, augmix_plan
from rcj.augment.views import AugMix, Views

__all__ = [
  'AugMix',
  'Plan',
  'Views',
  'apply_plan',
  'augmix',
  'augmix_plan',
  'crop_flip',
  'normalise',
]
