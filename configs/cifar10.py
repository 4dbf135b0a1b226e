"""Paper S0's methods on CIFAR-10, with corruptions generated from its test set.

The set of the paper (https://openreview.net/forum?id=z_p2SaYS9d) is
ImageNet100; CIFAR-10 is where its claims can be checked on one machine.
Its students are ResNet-20 and a MobileNetV2 of a quarter of the width,
which has nearly as many parameters; its teacher is
ResNet-56; all of S0's tables and figures are views of a sweep. Expected, from
the AugMix paper (https://arxiv.org/abs/1912.02781, table 1; WideResNet, all 15
corruptions of the official CIFAR-10-C): mean corruption error 26.9 % standard,
11.2 % AugMix. Without `corrupted_root` the corruptions are made here.
Cost: at scale=1 (160 epochs of ResNet-20 for each network) a job for a GPU, not
measured yet; the sweep of results/cifar10 took 65 minutes of CPU at the scale
that it states. `scale` shortens every phase, `train_size` the set.

  python launch/run.py --config=configs/cifar10.py:hydra --workdir=runs/h \
    --config.data_root=cifar-10-batches-py --config.scale=0.05

  python launch/sweep.py --config=configs/cifar10.py --views=all --seeds=0,1 \
    --workdir=runs/cifar10 --config.data_root=cifar-10-batches-py

`data_root` is the folder of the original python batches, or a .npz of arrays.
Variants: std augmix kd at crd kd_augmix at_augmix crd_augmix teacher gw lw
random l1 random_filter hydra hydra_kd.
Each also as VARIANT-smoke, a run of seconds.
"""

import dataclasses

import numpy as np

from rcj import data as data_sets
from rcj import evaluate, grid, models, s0, schedules
from rcj.types import Preprocessing


@dataclasses.dataclass
class Cifar10(s0.S0):
  """See `s0.S0` for the fields.

  Attributes:
    test_size: test images to measure on, 0 for all 10,000.
    corrupted_root: folder of the official CIFAR-10-C or of one that
      launch/corrupt.py wrote, '' corrupts images while measuring.
    severities: digits of the severities to measure, '12345' for all.
  """

  data: str = 'cifar10'
  model: str = 'resnet20'
  stem: str = 'cifar'
  teacher_model: str = 'resnet56'
  teacher_stem: str = 'cifar'
  test_size: int = 0
  corrupted_root: str = ''
  severities: str = '12345'

  def schedule(self) -> schedules.MultiStep:
    return dataclasses.replace(schedules.CIFAR, peak=self.learning_rate)

  def preprocessing(self) -> Preprocessing:
    return models.preprocessing('resnet20')  # of every network on CIFAR

  def load_data(self) -> data_sets.DataSets:
    sets = data_sets.load(
      self.data,
      root=self.data_root,
      train_size=self.train_size,
      corrupted_root=self.corrupted_root,
    )
    if isinstance(sets.train, data_sets.ArraySource):
      return sets
    # TFDS reads on demand, and would crop as for ImageNet.
    train = data_sets.in_memory(sets.train)
    return dataclasses.replace(sets, train=train)

  def suites(self, sets: data_sets.DataSets) -> tuple[evaluate.Suite, ...]:
    if self.test_size:
      sets = self._shortened(sets)
    return s0.suites(sets, severities=self.severities, table=32)

  def _shortened(self, sets: data_sets.DataSets) -> data_sets.DataSets:
    if self.corrupted_root or not 0 < self.test_size <= len(sets.test):
      raise ValueError(
        f'test_size measures the first 1..{len(sets.test)} test images, on '
        'corruptions that are made here: got '
        f'test_size={self.test_size}, corrupted_root={self.corrupted_root!r}'
      )
    test = data_sets.subset(sets.test, np.arange(self.test_size))
    words = {**sets.protocol, 'test': f'first {len(test)} test images'}
    return dataclasses.replace(sets, test=test, protocol=words)


def views() -> tuple[grid.View, ...]:
  """The tables and figures of S0 for CIFAR's networks."""
  students = (
    s0.Network('ResNet-20', 'resnet20', 10, stem='cifar'),
    s0.Network(
      'MobileNetV2 x0.25',
      'mobilenet_v2',
      10,
      width=0.25,
      stem='cifar',
      at_pairs='2-1,3-2,4-3',
      prune='lw',
    ),
  )
  large = s0.Network('ResNet-56', 'resnet56', 10, stem='cifar')
  return s0.views(students, large, augment='augmix')


def get_config(arg: str = 'std') -> Cifar10:
  """The experiment; `arg` comes after the colon of --config."""
  return s0.configure(
    Cifar10,
    arg,
    train_size=256,
    test_size=100,
    severities='3',
    model='resnet8',
    stem='',
    teacher_model='resnet8',
    teacher_stem='',
    negatives=64,
    epochs=1.0,
    mask_epochs=1.0,
    finetune_epochs=2.0,
  )
