"""Paper S0 as it was: ImageNet100, -C and -R.

The first 100 classes of ImageNet-R, from ImageNet's own files; students
ResNet-18, MobileNetV2 and MnasNet, teacher ResNet-50, 90 epochs with drops at
30, 60 and 80 in every phase (https://openreview.net/forum?id=z_p2SaYS9d).
Expected, from the robustness README of ImageNet-C and for 1000 classes:
ResNet-50 has a clean error of 23.9 % standard, 22.5 % with AugMix and 24.2 %
with AMDA; on 100 classes every error is lower.
Cost: 126,000 training images, so that each network is 11 million images at
224 px; not measured yet, a job for several GPUs. `scale`, `size` and `model`
make it small.

  python launch/run.py --config=configs/imagenet100.py:hydra_kd \
    --workdir=runs/hydra_kd --workers=8 --config.data_root=imagenet \
    --config.corrupted_root=imagenet-c --config.rendition_root=imagenet-r

  python launch/sweep.py --config=configs/imagenet100.py --views=figure1 \
    --seeds=0,1,2 --workdir=runs/imagenet100 --config.data_root=imagenet

`data_root` holds train/WNID/* and val/WNID/*, `corrupted_root` the official
CORRUPTION/SEVERITY/WNID/*, `rendition_root` WNID/*; `deepaugment_root`, if
given, edsr/WNID/* and cae/WNID/* by launch/deepaugment.py, which AMDA and
DeepAugment then train on. Teachers of 1000 classes,
such as the public AugMix, AMDA and SWSL ResNet-50, are read from
`teacher_root` (augmix.pth, amda.pth, swsl.pth) and answer on the 100 classes.
Sets that TFDS prepared as ArrayRecord: --config.data=tfds:imagenet100, with
TFDS' data_dir as the roots.
Variants: std augmix kd at crd kd_augmix at_augmix crd_augmix teacher gw lw
random l1 random_filter hydra hydra_kd.
Each also as VARIANT-smoke, a run of seconds.
"""

import dataclasses

from rcj import data as data_sets
from rcj import grid, s0


@dataclasses.dataclass
class ImageNet100(s0.ImageNet):
  """See `s0.ImageNet` and `s0.S0` for the fields.

  Attributes:
    corrupted_root: folder of the official ImageNet-C or of one that
      launch/corrupt.py wrote, '' corrupts images while measuring.
    rendition_root: folder of the official ImageNet-R, '' for none.
  """

  data: str = 'imagenet100'
  corrupted_root: str = ''
  rendition_root: str = ''

  def load_data(self) -> data_sets.DataSets:
    return self.read(
      corrupted_root=self.corrupted_root, rendition_root=self.rendition_root
    )


def views() -> tuple[grid.View, ...]:
  """The tables and figures of S0."""
  students = (
    s0.Network('ResNet-18', 'resnet18', 100),
    s0.Network('MobileNetV2', 'mobilenet_v2', 100, prune='lw'),
    s0.Network('MnasNet', 'mnasnet1_0', 100, prune='lw'),
  )
  large = s0.Network('ResNet-50', 'resnet50', 100)
  return s0.views(students, large, augment='amda')


def get_config(arg: str = 'std') -> ImageNet100:
  """The experiment; `arg` comes after the colon of --config."""
  return s0.configure(
    ImageNet100,
    arg,
    model='resnet8',
    teacher_model='resnet8',
    size=32,
    resize=36,
    severities='3',
    batch_size=16,
    negatives=64,
    epochs=1.0,
    mask_epochs=1.0,
    finetune_epochs=2.0,
  )
