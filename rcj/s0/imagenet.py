"""S0's own numbers, for sets of image files in ImageNet's layout."""

# No postponed annotations here: the flags read the fields' types.
import dataclasses
import functools

from rcj import data as data_sets
from rcj import evaluate, models, schedules
from rcj.s0.config import S0
from rcj.s0.suites import suites
from rcj.types import Preprocessing


@dataclasses.dataclass
class ImageNet(S0):
  """ResNet-18 students, ResNet-50 teachers, 90 epochs; see `S0`.

  What is pruned is trained on for 180 epochs, as long as both of Hydra's phases
  of 90 together.

  Attributes:
    size: side of the network's input in pixels.
    resize: shorter side of test images before the centre crop.
    severities: digits of the severities to measure, '12345' for all.
  """

  teacher_model: str = 'resnet50'
  epochs: float = 90.0
  mask_epochs: float = 90.0
  finetune_epochs: float = 180.0
  batch_size: int = 256
  nesterov: bool = False
  weight_decay: float = 1e-4
  crop: int = 0
  flip: bool = False  # random crops of files are mirrored where they are read
  augmix_severity: float = 1.0
  autoaugment_policy: str = 'imagenet'
  cutmix_prob: float = 1.0
  negatives: int = 4096
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
    return self.read()

  def read(self, **roots: str) -> data_sets.DataSets:
    """The data sets; folders beside `data_root` are passed on if given."""
    roots['deepaugment_root'] = self.deepaugment_root
    given = {name: root for name, root in roots.items() if root}
    return data_sets.load(
      self.data, root=self.data_root, train_size=self.train_size, **given
    )

  def suites(self, sets: data_sets.DataSets) -> tuple[evaluate.Suite, ...]:
    def crop(resize):
      return functools.partial(
        data_sets.resize_center_crop, resize_to=resize, size=self.size
      )

    # ImageNet-C was cropped before it was corrupted; at its own 224 px its
    # files are taken as they are, as robustness/test.py does.
    return suites(
      sets,
      severities=self.severities,
      transform=crop(self.resize),
      rule=f'resized to {self.resize}, centre {self.size}',
      stored=(crop(self.size), f'resized to {self.size}'),
    )
