"""The tables, figures and claims of S1 as cells to run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from rcj.grid import Cell, Scalar, View
from rcj.s0 import Network

DENSITIES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
# Of the smallest network, which all are pruned to where they are compared.
_COMMON_SIZE = 0.5
_INT8 = {'quantize': 'int8'}


def views(
  networks: Sequence[Network],
  sources: Sequence[str],
  *,
  densities: Sequence[float] = DENSITIES,
  rounded: float = 0.4,
) -> tuple[View, ...]:
  """Tables, figures and claims of the paper, for a family's networks.

  Args:
    networks: smallest first; larger ones teach smaller ones.
    sources: domains to train on.
    densities: fractions of the filters that stay.
    rounded: the density at which pruned networks become int8, too; one of
      `densities`.
  """
  cases = list(itertools.product(sources, networks))
  cells = {
    'networks': (c for case in cases for c in _networks(*case)),
    'pruned': (c for case in cases for c in _pruned(*case, densities)),
    'distilled': _distilled(networks, sources),
    'int8': _rounded(networks, sources, rounded),
    'claim1': _int8_pairs(networks, sources, rounded),
    'claim2': _against_pruned(networks, sources),
    'claim3': _same_size(networks, sources),
    'claim4': _int8_pairs(networks, sources, rounded),
  }
  return tuple(
    View(name, title, kind, tuple(cells[name]), axis)
    for name, (title, kind, axis) in _SHOWN.items()
  )


_SHOWN = {
  'networks': ('Fine-tuned networks and their int8 versions', 'table', ''),
  'pruned': ('L1 filter pruning, shrunk and fine-tuned', 'lines', 'nonzero'),
  'distilled': ('Students of larger teachers', 'table', ''),
  'int8': ('int8 of pruned and of distilled networks', 'table', ''),
  'claim1': (
    'int8 keeps most of the robustness: errors under shift and light attacks '
    'rise by less than 2 points',
    'claim',
    'shifts, light within 2',
  ),
  'claim2': (
    'Distilled networks beat pruned ones of the same size',
    'claim',
    'shifts, light, heavy lower',
  ),
  'claim3': (
    'A smaller network pruned to a size beats a larger one pruned to it',
    'claim',
    'shifts, light, heavy lower',
  ),
  'claim4': (
    'What int8 gains under attacks by gradients (here straight-through) is '
    'more than what it gains under salt and pepper',
    'claim',
    'light:pgd minus light:salt_and_pepper, '
    'heavy:pgd minus heavy:salt_and_pepper lower',
  ),
}


def _base(network: Network, source: str) -> dict[str, Scalar]:
  return {'model': network.model, 'source': source, 'method': 'train'}


def _l1(network: Network, source: str, **size: Scalar) -> dict[str, Scalar]:
  return {**_base(network, source), 'method': 'l1', 'shrink': True, **size}


def _kd(student: Network, teacher: Network, source: str) -> dict[str, Scalar]:
  made = _base(student, source)
  return {**made, 'method': 'kd', 'teacher_model': teacher.model}


def _networks(source: str, network: Network) -> Iterator[Cell]:
  panel = f'from {source}'
  yield Cell(_base(network, source), network.title, panel)
  rounded = {**_base(network, source), **_INT8}
  yield Cell(rounded, f'{network.title}, int8', panel)


def _pruned(
  source: str, network: Network, densities: Sequence[float]
) -> Iterator[Cell]:
  panel = f'from {source}'
  yield Cell(_base(network, source), network.title, panel)
  for density in densities:
    fields = _l1(network, source, density=density)
    yield Cell(fields, network.title, panel)


def _pairs(networks: Sequence[Network]) -> Iterator[tuple[Network, Network]]:
  """Every (student, larger teacher)."""
  return itertools.combinations(networks, 2)


def _distilled(
  networks: Sequence[Network], sources: Sequence[str]
) -> Iterator[Cell]:
  for source in sources:
    for student in networks[:-1]:
      alone = _base(student, source)
      yield Cell(alone, f'{student.title}, no teacher', f'from {source}')
      for other, teacher in _pairs(networks):
        if other is student:
          series = f'{student.title}, taught by {teacher.title}'
          yield Cell(_kd(student, teacher, source), series, f'from {source}')


def _compressed(
  networks: Sequence[Network], source: str, density: float
) -> Iterator[tuple[str, Mapping[str, Scalar]]]:
  """Pruned and distilled networks, in words and fields."""
  for network in networks:
    shown = f'{network.title}, {1 - density:.0%} of the filters pruned'
    yield shown, _l1(network, source, density=density)
  for student, teacher in _pairs(networks):
    shown = f'{student.title}, taught by {teacher.title}'
    yield shown, _kd(student, teacher, source)


def _rounded(
  networks: Sequence[Network], sources: Sequence[str], density: float
) -> Iterator[Cell]:
  for source in sources:
    for shown, fields in _compressed(networks, source, density):
      yield Cell(fields, shown, f'from {source}')
      yield Cell({**fields, **_INT8}, f'{shown}, int8', f'from {source}')


def _int8_pairs(
  networks: Sequence[Network], sources: Sequence[str], density: float
) -> Iterator[Cell]:
  for source in sources:
    whole = ((n.title, _base(n, source)) for n in networks)
    smaller = _compressed(networks, source, density)
    for shown, fields in itertools.chain(whole, smaller):
      panel = f'{shown}, from {source}'
      yield Cell({**fields, **_INT8}, 'int8', panel)
      yield Cell(fields, 'float32', panel)


def _against_pruned(
  networks: Sequence[Network], sources: Sequence[str]
) -> Iterator[Cell]:
  """Each larger network taught the smallest one, or was pruned to its size."""
  small = networks[0]
  size = small.parameters()
  for source, large in itertools.product(sources, networks[1:]):
    panel = f'{small.title} and {large.title}, from {source}'
    yield Cell(_kd(small, large, source), 'distilled', panel)
    yield Cell(_l1(large, source, nonzero=size), 'pruned', panel)


def _same_size(
  networks: Sequence[Network], sources: Sequence[str]
) -> Iterator[Cell]:
  size = round(_COMMON_SIZE * networks[0].parameters())
  for source in sources:
    for small, large in _pairs(networks):
      panel = f'{small.title} and {large.title}, from {source}'
      yield Cell(_l1(small, source, nonzero=size), 'smaller', panel)
      yield Cell(_l1(large, source, nonzero=size), 'larger', panel)
