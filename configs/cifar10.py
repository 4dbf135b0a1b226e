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

from rcj import grid, s0


@dataclasses.dataclass
class Cifar10(s0.Cifar):
  """See `s0.S0` and `s0.Cifar` for the fields."""

  teacher_model: str = 'resnet56'
  teacher_stem: str = 'cifar'


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
