"""Paper S0's methods on CIFAR-10, with corruptions generated from its test set.

The set of the paper (https://openreview.net/forum?id=z_p2SaYS9d) is
ImageNet100; CIFAR-10 is where its claims can be checked on one machine.
Compared are its Figure 1 and Tables 1 and 3 (distillation), Figure 2 (Hydra,
Hydra + KD, global weight) and Figure 4 (pruning criteria). Orders of magnitude
from the AugMix paper (https://arxiv.org/abs/1912.02781, table 1; WideResNet,
official CIFAR-10-C): mean corruption error 26.9 % standard, 11.2 % AugMix.
Cost: at scale=1 (160 epochs of ResNet-18) a job for a GPU, not measured yet;
small runs and their times are in BUILD_NOTES.md. `scale` shortens every phase,
`train_size` the set.

  python launch/run.py --config=configs/cifar10.py:hydra --workdir=runs/h \
    --config.data_root=cifar-10-batches-py --config.scale=0.05

`data_root` is the folder of the original python batches, or a .npz of arrays.
Variants: std augmix kd at kd_augmix teacher gw lw l1 random hydra hydra_kd.
Each also as VARIANT-smoke, a run of seconds.
"""

import dataclasses

from rcj import data as data_sets
from rcj import evaluate, models, s0, schedules
from rcj.types import Preprocessing


@dataclasses.dataclass
class Cifar10(s0.S0):
  """See `s0.S0` for the fields.

  Attributes:
    test_size: test images to measure on, 0 for all 10,000.
    severities: digits of the severities to measure, '12345' for all.
  """

  data: str = 'cifar10'
  student: str = 'resnet18'
  student_width: float = 0.5
  student_stem: str = 'cifar'
  large_stem: str = 'cifar'
  test_size: int = 0
  severities: str = '12345'

  def schedule(self) -> schedules.MultiStep:
    return dataclasses.replace(schedules.CIFAR, peak=self.learning_rate)

  def preprocessing(self) -> Preprocessing:
    return models.preprocessing('resnet20')  # of every network on CIFAR

  def load_data(self) -> data_sets.DataSets:
    return data_sets.load(
      self.data, root=self.data_root, train_size=self.train_size
    )

  def suites(self, sets: data_sets.DataSets) -> tuple[evaluate.Suite, ...]:
    n = self.test_size or len(sets.test)
    images, labels = sets.test.images[:n], sets.test.labels[:n]
    return (
      evaluate.plain('clean', images, labels, protocol='test split'),
      evaluate.corrupted(
        images, labels, severities=tuple(map(int, self.severities)), table=32
      ),
    )


def get_config(arg: str = 'std') -> Cifar10:
  """The experiment; `arg` comes after the colon of --config."""
  return s0.configure(
    Cifar10,
    arg,
    train_size=256,
    test_size=100,
    severities='3',
    student='resnet8',
    student_stem='',
    large='resnet8',
    large_stem='',
    epochs=1.0,
    mask_epochs=1.0,
    finetune_epochs=2.0,
  )
