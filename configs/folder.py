"""Paper S0's methods on any folder of images in ImageNet's layout.

`data_root` holds train/CLASS/* and val/CLASS/*; training takes random resized
crops of `size` pixels, evaluation the centre of images whose shorter side is
`resize`. The numbers are those of S0 for ImageNet100
(https://openreview.net/forum?id=z_p2SaYS9d, tables 1 and 3): ResNet-18
students, ResNet-50 teachers, 90 epochs with drops at 30, 60 and 80.
Cost: that of training on ImageNet100 for each network, a job for several GPUs,
not measured yet; `scale`, `size` and `model` make it small.

  python launch/run.py --config=configs/folder.py:augmix --workdir=runs/a \
    --config.data_root=photos --config.size=64 --workers=4

Variants: std augmix kd at crd kd_augmix at_augmix crd_augmix teacher gw lw
random l1 random_filter hydra hydra_kd.
Each also as VARIANT-smoke, a run of seconds.
"""

import dataclasses

from rcj import s0


@dataclasses.dataclass
class Folder(s0.ImageNet):
  """See `s0.ImageNet` and `s0.S0` for the fields."""

  data: str = 'folder'


def get_config(arg: str = 'std') -> Folder:
  """The experiment; `arg` comes after the colon of --config."""
  return s0.configure(
    Folder,
    arg,
    model='resnet8',
    teacher_model='resnet8',
    negatives=64,
    size=32,
    resize=36,
    severities='3',
    batch_size=16,
    epochs=1.0,
    mask_epochs=1.0,
    finetune_epochs=2.0,
  )
