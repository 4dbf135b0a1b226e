"""A tiny experiment for tests: seconds of Hydra on a few digits.

Run as a program (`python tests/tiny.py WORKDIR`) it executes a shorter one, on
noise, in that run directory, or continues it.
"""

import dataclasses
import sys

import jax
import numpy as np

from rcj import carry as carry_lib
from rcj import data as data_sets
from rcj import evaluate, experiment, s0, schedules
from rcj.journal import Journal
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


def environment(folder, data, **fields):
  """What phases run in, without suites, journal or checkpoints."""
  return carry_lib.Env(
    data=data,
    suites=(),
    mesh=experiment.data_mesh(),
    journal=Journal(folder, enabled=False),
    key=jax.random.key(0),
    workdir=folder,
    **fields,
  )


def through(env, *steps):
  """What these phases make of nothing."""
  carry = carry_lib.Carry()
  for i, phase in enumerate(steps):
    carry = phase(dataclasses.replace(carry, phase=i), env)
  return carry


class Noise(Tiny):
  """Three training phases of 20, 15 and 15 steps that start at once."""

  def load_data(self):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (self.train_size, 32, 32, 3), np.uint8)
    labels = np.arange(self.train_size) % 10
    source = data_sets.ArraySource(images, labels, tuple('0123456789'))
    return data_sets.DataSets('noise', source, source)


if __name__ == '__main__':
  lengths = {'epochs': 4.0, 'mask_epochs': 3.0, 'finetune_epochs': 6.0}
  noise = dataclasses.replace(s0.configure(Noise, 'hydra'), **lengths)
  experiment.execute(dataclasses.replace(noise, augment='none'), sys.argv[1])
