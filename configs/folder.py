"""Paper S0's methods on any folder of images in ImageNet's layout.

`data_root` holds train/CLASS/* and val/CLASS/*; training takes random resized
crops of `size` pixels, evaluation the centre of images whose shorter side is
`resize`. The numbers are those of S0 for ImageNet100
(https://openreview.net/forum?id=z_p2SaYS9d, tables 1 and 3): ResNet-18
students, ResNet-50 teachers, 90 epochs with drops at 30, 60 and 80.
Cost: that of training on ImageNet100 for each network, a job for several GPUs,
not measured yet; `scale`, `size` and `student` make it small.

  python launch/run.py --config=configs/folder.py:augmix --workdir=runs/a \
    --config.data_root=photos --config.size=64 --workers=4

Variants: std augmix kd at kd_augmix teacher gw lw l1 random hydra hydra_kd.
Each also as VARIANT-smoke, a run of seconds.
"""

import dataclasses
import functools

from rcj import data as data_sets
from rcj import evaluate, models, s0, schedules
from rcj.types import Preprocessing


@dataclasses.dataclass
class Folder(s0.S0):
  """See `s0.S0` for the fields.

  Attributes:
    size: side of the network's input in pixels.
    resize: shorter side of test images before the centre crop.
    severities: digits of the severities to measure, '12345' for all.
  """

  data: str = 'folder'
  student: str = 'resnet18'
  large: str = 'resnet50'
  epochs: float = 90.0
  mask_epochs: float = 90.0
  finetune_epochs: float = 180.0
  batch_size: int = 256
  nesterov: bool = False
  weight_decay: float = 1e-4
  crop: int = 0
  flip: bool = False  # random crops of files are mirrored where they are read
  augmix_severity: float = 1.0
  size: int = 224
  resize: int = 256
  severities: str = '12345'

  def schedule(self) -> schedules.MultiStep:
    peak = self.learning_rate * self.batch_size / 256
    return dataclasses.replace(schedules.IMAGENET, peak=peak)

  def preprocessing(self) -> Preprocessing:
    return dataclasses.replace(
      models.preprocessing('resnet18'), size=self.size, resize=self.resize
    )

  def load_data(self) -> data_sets.DataSets:
    return data_sets.load(
      self.data, root=self.data_root, train_size=self.train_size
    )

  def suites(self, sets: data_sets.DataSets) -> tuple[evaluate.Suite, ...]:
    crop = functools.partial(
      data_sets.resize_center_crop, resize_to=self.resize, size=self.size
    )
    test = data_sets.in_memory(sets.test, transform=crop)
    shown = f'test folder, resized to {self.resize}, centre {self.size}'
    return (
      evaluate.plain('clean', test.images, test.labels, protocol=shown),
      evaluate.corrupted(
        test.images,
        test.labels,
        severities=tuple(map(int, self.severities)),
      ),
    )


def get_config(arg: str = 'std') -> Folder:
  """The experiment; `arg` comes after the colon of --config."""
  return s0.configure(
    Folder,
    arg,
    student='resnet8',
    large='resnet8',
    size=32,
    resize=36,
    severities='3',
    batch_size=16,
    epochs=1.0,
    mask_epochs=1.0,
    finetune_epochs=2.0,
  )
