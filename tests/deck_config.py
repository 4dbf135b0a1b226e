"""A config file for decks of digits, measured on a few clean images."""

import dataclasses

from rcj import data as data_sets
from rcj import evaluate, s0


@dataclasses.dataclass
class Few(s0.S0):
  data: str = 'digits'
  train_size: int = 64

  def load_data(self):
    return data_sets.load(self.data, train_size=self.train_size)

  def suites(self, sets):
    few = data_sets.shorten(sets.test, 40)
    return (evaluate.plain('clean', few, protocol='40 test images'),)


def get_config(arg='std'):
  return Few(variant=arg)
