r"""Paper S1 itself: ResNet-18 to -152 on Office-31.

https://arxiv.org/abs/2401.12014. `data_root` is Office-31's folder
(https://faculty.cc.gatech.edu/~judy/domainadapt/), amazon, webcam and dslr,
each with images/CLASS/*; `pretrained_root` has torchvision's ImageNet networks:
resnet18.pth, resnet34.pth, resnet50.pth, resnet101.pth, resnet152.pth.
Expected: not measured here; webcam and dslr are close to each other, and amazon
far from both.
Cost: not measured; a job for a GPU.

  python launch/run.py --config=configs/office31.py:l1_int8 --workdir=runs/a \
    --config.data_root=office31 --config.pretrained_root=imagenet_networks
  python launch/sweep.py --config=configs/office31.py --views=all \
    --seeds=0,1,2 --workdir=runs/office31 --config.data_root=office31 \
    --config.pretrained_root=imagenet_networks

Variants: base int8 l1 l1_int8 kd kd_int8.
Each also as VARIANT-smoke, a short run.
"""

import dataclasses

from rcj import grid, s0, s1


@dataclasses.dataclass
class Office31(s1.S1):
  """See `s1.S1` for the fields."""

  data: str = 'office31'
  source: str = 'amazon'
  model: str = 'resnet18'
  teacher_model: str = 'resnet50'
  crop: int = 0
  flip: bool = False  # random crops of files are mirrored where they are read


def views() -> tuple[grid.View, ...]:
  """S1's tables, figures and claims, for five depths and three sources."""
  networks = [
    s0.Network(f'ResNet-{depth}', f'resnet{depth}', 31)
    for depth in (18, 34, 50, 101, 152)
  ]
  return s1.views(networks, ('amazon', 'webcam', 'dslr'))


def get_config(arg: str = 'base') -> Office31:
  """The experiment; `arg` comes after the colon of --config."""
  return s1.configure(
    Office31,
    arg,
    train_size=62,
    target='webcam',
    epochs=1.0,
    finetune_epochs=1.0,
    attack_images=8,
    check_images=4,
  )
