"""Augmentations: uint8 images to normalised views, on the device."""

from rcj.augment.augmix import apply_plan, augmix
from rcj.augment.crop_flip import crop_flip
from rcj.augment.noise2net import Noise2Net
from rcj.augment.normalisation import normalise
from rcj.augment.plan import Plan, augmix_plan
from rcj.augment.views import AugMix, Views

__all__ = [
  'AugMix',
  'Noise2Net',
  'Plan',
  'Views',
  'apply_plan',
  'augmix',
  'augmix_plan',
  'crop_flip',
  'normalise',
]
