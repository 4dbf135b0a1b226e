"""A tiny experiment for tests: seconds of Hydra on a few digits.

Run as a program (`python tests/tiny.py WORKDIR`) it executes the experiment in
that run directory, or continues it.
"""

import dataclasses
import sys

from rcj import data as data_sets
from rcj import evaluate, s0, schedules
from rcj.types import Preprocessing


@dataclasses.dataclass
class Tiny(s0.S0):
  data: str = 'digits'
  train_size: int = 80
  model: str = 'resnet8'
  width: float = 0.25
  teacher_model: str = 'resnet8'
  teacher_width: float = 0.25
  ratio: float = 4.0
  epochs: float = 8.0
  mask_epochs: float = 6.0
  finetune_epochs: float = 12.0
  batch_size: int = 16
  flip: bool = False
  checkpoint_every: int = 7

  def schedule(self):
    return schedules.Cosine(self.learning_rate)

  def preprocessing(self):
    return Preprocessing((0.5,) * 3, (0.5,) * 3, size=32)

  def load_data(self):
    return data_sets.load(self.data, train_size=self.train_size)

  def suites(self, sets):
    return (evaluate.plain('clean', sets.test, protocol='test split'),)


def config(variant, **fields):
  return dataclasses.replace(s0.configure(Tiny, variant), **fields)


if __name__ == '__main__':
  from rcj import experiment

  experiment.execute(config('hydra'), sys.argv[1])
