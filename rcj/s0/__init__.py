"""Paper S0 as recipes: distil, prune, learn masks, with and without AugMix.

S0 is "Towards improving robustness of compressed CNNs", Hoffmann et al. 2021,
https://openreview.net/forum?id=z_p2SaYS9d. It compresses networks for
ImageNet100 and measures them on clean, corrupted (-C) and rendered (-R)
images. A family of configs is a subclass of `S0` with its own numbers;
`VARIANTS` names starting points, `views` the paper's tables and figures.
"""

from rcj.s0.cifar import Cifar
from rcj.s0.config import S0
from rcj.s0.imagenet import ImageNet
from rcj.s0.suites import suites
from rcj.s0.variants import VARIANTS, begun, configure
from rcj.s0.views import Network, views

__all__ = [
  'S0',
  'VARIANTS',
  'Cifar',
  'ImageNet',
  'Network',
  'begun',
  'configure',
  'suites',
  'views',
]
