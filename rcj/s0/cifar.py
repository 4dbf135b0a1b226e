"""S0's numbers for CIFAR-10 and CIFAR-100."""

# No postponed annotations here: the flags read the fields' types.
import dataclasses

import numpy as np

from rcj import data as data_sets
from rcj import evaluate, models, schedules
from rcj.s0.config import S0
from rcj.s0.suites import suites
from rcj.types import Preprocessing


@dataclasses.dataclass
class Cifar(S0):
  """ResNet-20, images of 32 px, decision 3's schedule; see `S0`.

  Attributes:
    test_size: test images to measure on, 0 for all 10,000.
    corrupted_root: folder of the official CIFAR-10-C (or CIFAR-100-C), or of
      one that launch/corrupt.py wrote; '' corrupts images while measuring.
    severities: digits of the severities to measure, '12345' for all.
  """

  data: str = 'cifar10'
  model: str = 'resnet20'
  stem: str = 'cifar'
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
    return suites(sets, severities=self.severities, table=32)

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
