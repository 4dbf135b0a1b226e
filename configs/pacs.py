r"""Paper S1's methods on PACS at 64 px, which one machine can train.

PACS (https://arxiv.org/abs/1710.03077) has photos, art paintings, cartoons and
sketches of seven classes: domains farther apart than Office-31's cameras.
`data_root` is a .npz of 64 px images; its folder, DOMAIN/CLASS/*, works too,
but images of files are cropped at random as ImageNet's.
Networks begin with those of `pretrained_root`; bash launch/s1.sh trains them on
Tiny-ImageNet, runs everything and writes the report.
Expected: nothing is published for 64 px. With these few epochs a ResNet-18 is
wrong on 28 % of photos, on 73 to 84 % of other domains, and on half of the
lightly attacked photos; see results/pacs.
Cost: two to eight minutes of one CPU core per network, more than half of it
attacks; the views are 58 networks per seed.

  python launch/run.py --config=configs/pacs.py:l1_int8 --workdir=runs/a \
    --config.data_root=pacs_64.npz --config.source=photo

Variants: base int8 l1 l1_int8 kd kd_int8.
Each also as VARIANT-smoke, a run of seconds.
"""

import dataclasses

from rcj import grid, s0, s1


@dataclasses.dataclass
class PACS(s1.S1):
  """See `s1.S1` for the fields; the numbers are for two CPU cores."""

  data: str = 'pacs'
  source: str = 'photo'
  model: str = 'resnet18'
  width: float = 0.25
  teacher_model: str = 'resnet34'
  teacher_width: float = 0.25
  epochs: float = 12.0
  finetune_epochs: float = 12.0
  learning_rate: float = 0.03
  attack_images: int = 100
  check_images: int = 32
  crop: int = 8
  size: int = 64
  resize: int = 64


def views() -> tuple[grid.View, ...]:
  """S1's tables, figures and claims, for three depths and two sources."""
  networks = (
    s0.Network('ResNet-18', 'resnet18', 7, width=0.25),
    s0.Network('ResNet-34', 'resnet34', 7, width=0.25),
    s0.Network('ResNet-50', 'resnet50', 7, width=0.25),
  )
  return s1.views(
    networks, ('photo', 'art_painting'), densities=(0.7, 0.4, 0.1)
  )


def get_config(arg: str = 'base') -> PACS:
  """The experiment; `arg` comes after the colon of --config."""
  return s1.configure(
    PACS,
    arg,
    model='resnet8',
    teacher_model='resnet8',
    train_size=128,
    target='sketch',
    epochs=1.0,
    finetune_epochs=1.0,
    attack_images=16,
    check_images=8,
  )
