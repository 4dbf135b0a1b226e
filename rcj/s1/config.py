"""The numbers of an experiment of S1."""

# No postponed annotations here: the flags read the fields' types.
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from rcj import data as data_sets
from rcj import evaluate, models, s0, schedules
from rcj.types import Preprocessing


@dataclasses.dataclass
class S1(s0.S0):
  """Pre-trained networks, fine-tuned on one domain; see `S0` for the rest.

  The paper's text does not tell its fine-tuning; these are usual numbers.

  Attributes:
    source: the domain to train on.
    target: the one domain to be measured beside it, '' for all others.
    size: side of the network's input in pixels.
    resize: shorter side of images before the centre crop.
  """

  source: str = ''
  target: str = ''
  teacher: str = 'none'
  epochs: float = 30.0
  finetune_epochs: float = 30.0
  batch_size: int = 64
  learning_rate: float = 0.01
  attack_images: int = 200
  check_images: int = 100
  size: int = 224
  resize: int = 256

  def schedule(self) -> schedules.Cosine:
    return schedules.Cosine(self.learning_rate)

  def preprocessing(self) -> Preprocessing:
    return dataclasses.replace(
      models.preprocessing('resnet18'), size=self.size, resize=self.resize
    )

  def identity(self) -> Mapping[str, Any]:
    return {**super().identity(), 'source': self.source}

  def load_data(self) -> data_sets.DataSets:
    return data_sets.load(
      self.data,
      root=self.data_root,
      source=self.source,
      target=self.target,
      train_size=self.train_size,
    )

  def suites(self, sets: data_sets.DataSets) -> tuple[evaluate.Suite, ...]:
    rule = f'resized to {self.resize}, centre {self.size}'
    crop = functools.partial(
      data_sets.resize_center_crop, resize_to=self.resize, size=self.size
    )
    test = f'{sets.protocol["test"]}, {rule}'
    shifts = (
      evaluate.plain(
        f'to {name}',
        images,
        protocol=f'all images of {name}, trained on {self.source}, {rule}',
        transform=crop,
      )
      for name, images in sets.shifts.items()
    )
    clean = evaluate.plain('clean', sets.test, protocol=test, transform=crop)
    return (clean, *shifts)
