"""Paper S0's methods on Tiny-ImageNet, 64 px, which one machine can train.

`data_root` is a .npz of the 30 classes that Tiny-ImageNet shares with
ImageNet100, the nearest to the paper's setting
(https://openreview.net/forum?id=z_p2SaYS9d) that is small, and what the views
of a sweep are for; or the usual folder of all 200 classes. Networks keep the
resolution of 64 px with the stem of CIFAR networks.
Expected: ResNet-18 has a clean error of 35 to 40 % on all 200 classes; on the
30 classes nothing is published.
Cost: 100,000 images of 64 px (10,200 with the 30 classes) for 100 epochs per
network; not measured yet, a job for a GPU. `scale` shortens every phase.

  python launch/run.py --config=configs/tiny_imagenet.py:augmix \
    --workdir=runs/a --config.data_root=tiny_imagenet_30.npz

Variants: std augmix kd at crd kd_augmix at_augmix crd_augmix teacher gw lw
random l1 random_filter hydra hydra_kd.
Each also as VARIANT-smoke, a run of seconds.
"""

import dataclasses

from rcj import data as data_sets
from rcj import evaluate, grid, models, s0, schedules
from rcj.types import Preprocessing


@dataclasses.dataclass
class TinyImageNet(s0.S0):
  """See `s0.S0` for the fields.

  Attributes:
    corrupted_root: folder of the official Tiny-ImageNet-C or of one that
      launch/corrupt.py wrote, '' corrupts images while measuring.
    severities: digits of the severities to measure, '12345' for all.
  """

  data: str = 'tiny_imagenet'
  stem: str = 'cifar'
  teacher_model: str = 'resnet50'
  teacher_stem: str = 'cifar'
  epochs: float = 100.0
  mask_epochs: float = 100.0
  finetune_epochs: float = 200.0
  crop: int = 8
  autoaugment_policy: str = 'imagenet'
  negatives: int = 4096
  corrupted_root: str = ''
  severities: str = '12345'

  def schedule(self) -> schedules.MultiStep:
    return dataclasses.replace(schedules.CIFAR, peak=self.learning_rate)

  def preprocessing(self) -> Preprocessing:
    shown = models.preprocessing('resnet18')
    return dataclasses.replace(shown, size=64, resize=None)

  def load_data(self) -> data_sets.DataSets:
    return data_sets.load(
      self.data,
      root=self.data_root,
      train_size=self.train_size,
      corrupted_root=self.corrupted_root,
    )

  def suites(self, sets: data_sets.DataSets) -> tuple[evaluate.Suite, ...]:
    return s0.suites(sets, severities=self.severities, table=64)


def views() -> tuple[grid.View, ...]:
  """The tables and figures of S0 for the 30 classes."""
  students = (
    s0.Network('ResNet-18', 'resnet18', 30, stem='cifar'),
    s0.Network('MobileNetV2', 'mobilenet_v2', 30, stem='cifar', prune='lw'),
    s0.Network('MnasNet', 'mnasnet1_0', 30, stem='cifar', prune='lw'),
  )
  large = s0.Network('ResNet-50', 'resnet50', 30, stem='cifar')
  return s0.views(students, large, augment='amda')


def get_config(arg: str = 'std') -> TinyImageNet:
  """The experiment; `arg` comes after the colon of --config."""
  return s0.configure(
    TinyImageNet,
    arg,
    model='resnet8',
    stem='',
    teacher_model='resnet8',
    teacher_stem='',
    train_size=300,
    severities='3',
    negatives=64,
    epochs=1.0,
    mask_epochs=1.0,
    finetune_epochs=2.0,
  )
