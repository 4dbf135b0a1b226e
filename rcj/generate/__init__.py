"""Folders of images that are made here, file by file.

`imagenet_c` and `cifar10_c` corrupt a test set in the layouts of the published
benchmarks, `deepaugment` distorts training images. What was stopped continues
and comes out the same; `rcj.data` reads all of them.
"""

from rcj.generate.cells import Cells
from rcj.generate.cifar10_c import cifar10_c
from rcj.generate.deepaugment import deepaugment
from rcj.generate.imagenet_c import imagenet_c
from rcj.generate.networks import CAE, EDSR, Network

__all__ = [
  'CAE',
  'EDSR',
  'Cells',
  'Network',
  'cifar10_c',
  'deepaugment',
  'imagenet_c',
]
