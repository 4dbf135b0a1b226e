"""A config file for tests of sweeps: digits, a tiny network, steps in ms."""

import dataclasses

from rcj import data as data_sets
from rcj import evaluate, grid, losses
from rcj.augment import Views
from rcj.optimizer import SGD
from rcj.phases import Evaluate, Init, Prune, Train
from rcj.schedules import Cosine
from rcj.types import Preprocessing


@dataclasses.dataclass
class Small:
  variant: str = 'small'
  seed: int = 0
  method: str = 'train'
  ratio: float = 4.0
  epochs: float = 2.0
  tuning: int = 2
  learning_rate: float = 0.1
  nesterov: bool = True
  checkpoint_every: int = 10

  def recipe(self):
    if self.method == 'amda':
      raise ValueError('this family knows no AMDA')
    if self.method not in ('train', 'gw', 'lw'):
      raise ValueError(f'no method {self.method!r}; there are train, gw, lw')
    init = Init(
      'resnet8', Preprocessing((0.5,) * 3, (0.5,) * 3, size=32), width=0.25
    )
    learn = (init, self._train(self.epochs))
    if self.method == 'train':
      return (*learn, Evaluate('standard'))
    scope = {'gw': 'global', 'lw': 'layer'}[self.method]
    prune = Prune(score='magnitude', scope=scope, ratio=self.ratio)
    return (*learn, prune, self._train(self.tuning), Evaluate(self.method))

  def _train(self, epochs):
    return Train(
      terms={'ce': losses.Weighted(1.0, losses.CrossEntropy())},
      optimizer=SGD(Cosine(self.learning_rate), nesterov=self.nesterov),
      epochs=epochs,
      batch_size=16,
      augment=Views(padding=0, flip=False),
    )

  def load_data(self):
    return data_sets.load('digits', train_size=64)

  def suites(self, sets):
    return (evaluate.plain('clean', sets.test, protocol='test split'),)

  def identity(self):
    return {'seed': self.seed}


def views():
  dense = grid.Cell({'method': 'train'}, 'standard')
  pruned = [
    grid.Cell({'method': m, 'ratio': 4}, m, 'pruned') for m in ('gw', 'lw')
  ]
  late = grid.Cell({'method': 'amda'}, 'AMDA')
  return (
    grid.View('table1', 'Pruning', 'table', (dense, *pruned)),
    grid.View('figure1', 'Ratios', 'lines', tuple(pruned), axis='ratio'),
    grid.View('table2', 'Not yet', 'table', (dense, late)),
  )


def get_config(arg=''):
  return Small(**({'method': arg} if arg else {}))
