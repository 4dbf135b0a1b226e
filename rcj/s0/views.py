"""The tables and figures of S0 as cells to run."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from rcj import masks, models, size
from rcj.grid import Cell, Scalar, View
from rcj.s0.recipes import HYDRA, PRUNE, TEACHERS
from rcj.s0.training import AUGMENTS, DISTIL
from rcj.types import Params

RATIOS = (5.0, 10.0, 20.0, 40.0)
# Twice the weights of a convolution (decision 24).
_WIDER = 1.41
# Those of Figures 1 and 3.
_TEACHERS = {name: x for name, x in TEACHERS.items() if name != 'gaussian'}


@dataclasses.dataclass(frozen=True)
class Network:
  """A network of a family of experiments.

  Attributes:
    title: in words.
    model: name in the registry.
    num_classes: of the data.
    width: see `models.create`.
    stem: likewise, '' for the model's own; counts for `parameters` alone,
      a family's config has it for all networks.
    at_pairs: stages that attention transfer compares, see `S0`.
    prune: the weight pruning to compare Hydra with: 'gw', or 'lw' where
      global pruning empties whole layers (S0, appendix C).
  """

  title: str
  model: str
  num_classes: int
  width: float = 1.0
  stem: str = ''
  at_pairs: str = ''
  prune: str = 'gw'

  @property
  def fields(self) -> dict[str, Scalar]:
    """The config fields of the network."""
    return {'model': self.model, 'width': self.width}

  def distilled(
    self, method: str, augment: str, teacher: str
  ) -> dict[str, Scalar]:
    """The config fields of distillation into it."""
    fields = {'method': method, 'augment': augment, 'teacher': teacher}
    if method == 'at' and self.at_pairs:
      fields['at_pairs'] = self.at_pairs
    return {**self.fields, **fields}

  def parameters(self) -> int:
    """Number of parameters, BatchNorm and biases included."""
    return size.total(_shapes(self))

  def reaches(self, method: str, ratio: float) -> bool:
    """Whether pruning by `method` can leave so few parameters."""
    return _reaches(self, ratio, by_filter=method in ('l1', 'random_filter'))

  def module(self) -> Any:
    """The network without parameters."""
    return models.create(
      self.model,
      num_classes=self.num_classes,
      width=self.width,
      **({'stem': self.stem} if self.stem else {}),
    )


@functools.cache
def _shapes(network: Network) -> Params:
  """Parameters without content; tracing a network takes seconds."""
  init = functools.partial(models.init, module=network.module(), size=64)
  shapes = jax.eval_shape(init, jax.random.key(0))[0]
  return jax.tree.map(lambda x: np.broadcast_to(np.float32(0), x.shape), shapes)


@functools.cache
def _reaches(network: Network, ratio: float, *, by_filter: bool) -> bool:
  params = _shapes(network)
  alive = masks.eligible(params)
  try:
    if by_filter:
      groups = models.channel_groups(network.module())
      size.density_for_filter_ratio(params, alive, ratio, groups)
    else:
      size.density_for_ratio(params, alive, ratio)
  except ValueError:
    return False
  return True


def views(
  networks: Sequence[Network],
  large: Network,
  *,
  augment: str,
  ratios: Sequence[float] = RATIOS,
) -> tuple[View, ...]:
  """Every table and figure of the paper for a family's networks.

  Ratios that a network cannot reach are left out: its BatchNorm and biases
  stay, and so does one weight or filter of every layer.

  Args:
    networks: the students, which are also pruned; the first is the main one.
    large: the teacher, which Table 2 prunes to the first one's size.
    augment: the strong augmentation, 'amda' in the paper.
    ratios: compression ratios of the figures.

  Returns:
    Those that have cells: figures of the other students need some, and
    Table 3 another strong augmentation than its own, AugMix.
  """
  first, others = networks[:1], networks[1:]
  cells = {
    'figure1': _teachers(first),
    'figure3': _teachers(others),
    'table1': _distilled(networks, large, augment),
    'table3': []
    if augment == 'augmix'
    else _distilled(networks, large, 'augmix'),
    'table2': _against_large(networks[0], large, augment),
    'figure4': _criteria(networks[0], augment, ratios),
    'figure2': _masks(first, augment, ratios),
    'figure5': _masks(others, augment, ratios),
    'figure6': _sparse_or_small(networks, augment, ratios),
    'table4': _mask_data(first, augment, ratios),
  }
  made = [
    View(name, title, kind, tuple(cells[name]), axis)
    for name, (title, kind, axis) in _SHOWN.items()
  ]
  return tuple(view for view in made if view.cells)


_SHOWN = {
  'figure1': (
    'Students trained on clean images, by teacher (S0, Figure 1)',
    'bars',
    'training of the teacher',
  ),
  'table1': (
    'Students trained with the strong augmentation (S0, Table 1)',
    'table',
    '',
  ),
  'table2': (
    'The large network pruned to the size of the small one, against '
    'distillation (S0, Table 2)',
    'table',
    '',
  ),
  'figure2': (
    'Learned masks against magnitude pruning (S0, Figure 2)',
    'lines',
    'ratio',
  ),
  'figure3': (
    'Students trained on clean images, by teacher (S0, Figure 3)',
    'bars',
    'training of the teacher',
  ),
  'table3': ('Students trained with AugMix (S0, Table 3)', 'table', ''),
  'figure4': ('Pruning criteria (S0, Figure 4)', 'lines', 'nonzero'),
  'figure5': (
    'Learned masks against magnitude pruning (S0, Figure 5)',
    'lines',
    'ratio',
  ),
  'figure6': (
    'Sparse large networks against small ones (S0, Figure 6)',
    'lines',
    'nonzero',
  ),
  'table4': (
    'Masks learned with and without the augmentation (S0, Table 4)',
    'table',
    '',
  ),
}


def _teachers(networks: Sequence[Network]) -> Iterator[Cell]:
  for net in networks:
    plain = {**net.fields, 'method': 'train', 'augment': 'none'}
    yield Cell(plain, 'no teacher', net.title, 'none')
    for teacher, shown in _TEACHERS.items():
      for method, series in DISTIL.items():
        fields = net.distilled(method, 'none', teacher)
        yield Cell(fields, series, net.title, shown)


def _distilled(
  networks: Sequence[Network], large: Network, augment: str
) -> Iterator[Cell]:
  name = AUGMENTS[augment]
  for net in networks:
    alone = {**net.fields, 'method': 'train', 'augment': augment}
    yield Cell(alone, name, net.title)
    for method, series in DISTIL.items():
      fields = net.distilled(method, augment, augment)
      yield Cell(fields, f'{name} + {series}', net.title)
  teacher = {**large.fields, 'method': 'train', 'augment': augment}
  yield Cell(teacher, name, f'{large.title} (teacher)')


def _against_large(
  net: Network, large: Network, augment: str
) -> Iterator[Cell]:
  left = {**large.fields, 'augment': augment, 'nonzero': net.parameters()}
  pruned = f'{large.title}, pruned'
  for method in ('gw', 'lw', 'hydra'):
    series = {**HYDRA, **{m: name for m, (name, _) in PRUNE.items()}}[method]
    yield Cell({**left, 'method': method}, series, pruned)
  alone = {**net.fields, 'method': 'train', 'augment': augment}
  yield Cell(alone, 'no teacher', net.title)
  for method, series in DISTIL.items():
    yield Cell(net.distilled(method, augment, augment), series, net.title)


def _criteria(
  net: Network, augment: str, ratios: Sequence[float]
) -> Iterator[Cell]:
  for how in ('none', augment):
    panel = f'{net.title}, {AUGMENTS[how]}'
    dense = {**net.fields, 'augment': how}
    for ratio, (method, (series, _)) in itertools.product(
      ratios, PRUNE.items()
    ):
      if net.reaches(method, ratio):
        fields = {**dense, 'method': method, 'ratio': ratio}
        yield Cell(fields, series, panel)
    total = net.parameters()
    wide = {**dense, 'method': 'gw', 'width': round(net.width * _WIDER, 4)}
    for ratio in (1.0, *ratios):
      fields = {**wide, 'nonzero': round(total / ratio)}
      yield Cell(fields, 'global weight, twice as large', panel)


def _masks(
  networks: Sequence[Network], augment: str, ratios: Sequence[float]
) -> Iterator[Cell]:
  for net, how in itertools.product(networks, ('none', augment)):
    panel = f'{net.title}, {AUGMENTS[how]}'
    reached = [ratio for ratio in ratios if net.reaches(net.prune, ratio)]
    for ratio, method in itertools.product(reached, (*HYDRA, net.prune)):
      series = HYDRA.get(method) or PRUNE[method][0]
      fields = {'method': method, 'augment': how, 'ratio': ratio}
      if method == 'hydra_kd':
        fields['teacher'] = how
      yield Cell({**net.fields, **fields}, series, panel)


def _sparse_or_small(
  networks: Sequence[Network], augment: str, ratios: Sequence[float]
) -> Iterator[Cell]:
  """The main network goes twice as far, the others begin unpruned."""
  for i, net in enumerate(networks):
    own = (*ratios, 2 * ratios[-1]) if i == 0 else (1.0, *ratios[:2])
    for ratio in own:
      fields = {**net.fields, 'augment': augment}
      if ratio == 1:
        yield Cell({**fields, 'method': 'train'}, net.title)
      elif net.reaches('hydra', ratio):
        fields |= {'method': 'hydra_kd', 'teacher': augment, 'ratio': ratio}
        yield Cell(fields, net.title)


def _mask_data(
  networks: Sequence[Network], augment: str, ratios: Sequence[float]
) -> Iterator[Cell]:
  for net, ratio in itertools.product(networks, ratios):
    if not net.reaches('hydra', ratio):
      continue
    for data in ('none', augment):
      fields = {'method': 'hydra', 'augment': augment, 'ratio': ratio}
      if data != augment:
        fields['mask_augment'] = data
      yield Cell(
        {**net.fields, **fields},
        f'masks: {AUGMENTS[data]}',
        f'{net.title}, {ratio:g}×',
      )
