"""The tables, figures and claims of S2 as cells to run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from rcj.grid import Cell, Scalar, View
from rcj.s0.training import AUGMENTS
from rcj.s2.recipes import METHODS

PRUNED = tuple(method for method in METHODS if method != 'dense')
# The paper's two families: with lottery tickets or masks on random weights it
# finds CARDs, with the traditional methods it does not.
TRADITIONAL, LOTTERY = ('ft', 'gmp'), ('lth', 'lrr', 'ep', 'bp')


def views(
  *, densities: Sequence[float], augments: Sequence[str]
) -> tuple[View, ...]:
  """Tables, figures and claims of the paper.

  Args:
    densities: fractions of the kernels that stay.
    augments: some of `training.AUGMENTS`, the plain one first.
  """
  cases = list(itertools.product(augments, densities))
  cells = {
    'sparsity': _all(augments, densities),
    'memory': _all(augments, densities),
    'methods': _all(augments, densities),
    **{f'card_{m}': _against_dense(m, cases) for m in PRUNED},
    'claim1': (c for m in LOTTERY for c in _against_dense(m, cases)),
    'claim2': (c for m in TRADITIONAL for c in _against_dense(m, cases)),
    'claim3': _families(cases),
    'claim4': _augmented(augments, densities),
  }
  return tuple(
    View(name, title, kind, tuple(cells[name]), axis)
    for name, (title, kind, axis) in _SHOWN.items()
    if name in cells
  )


_SHOWN = {
  'sparsity': ('Error against sparsity (S2, Figure 1)', 'lines', 'ratio'),
  'memory': ('Error against memory of the weights', 'lines', 'bits'),
  'methods': ('Compact networks, by method and sparsity', 'table', ''),
  **{
    f'card_{m}': (
      f'{METHODS[m]} gives CARDs: at most 1 point more error than the dense '
      'network on clean and on corrupted images',
      'claim',
      'clean, corrupted within 1',
    )
    for m in PRUNED
  },
  'claim1': (
    'Lottery tickets, rewinding and masks on random weights are more robust '
    'than the dense network',
    'claim',
    'corrupted lower',
  ),
  'claim2': (
    'Fine-tuning and gradual pruning are less robust than the dense network',
    'claim',
    'corrupted higher',
  ),
  'claim3': (
    'Learning-rate rewinding is more robust than fine-tuning at the same '
    'sparsity',
    'claim',
    'clean, corrupted lower',
  ),
  'claim4': (
    'Augmentation makes compact networks more robust',
    'claim',
    'corrupted lower',
  ),
}


def fields(method: str, augment: str, density: float) -> dict[str, Scalar]:
  """The config fields of a network; the dense one has no density."""
  made: dict[str, Scalar] = {'method': method, 'augment': augment}
  return made if method == 'dense' else {**made, 'density': density}


def _panel(augment: str, density: float) -> str:
  return f'{AUGMENTS[augment]}, {1 - density:.0%} pruned'


def _all(augments: Sequence[str], densities: Sequence[float]) -> Iterator[Cell]:
  for augment in augments:
    panel = AUGMENTS[augment]
    yield Cell(fields('dense', augment, 1.0), 'dense', panel)
    for method, density in itertools.product(PRUNED, densities):
      yield Cell(fields(method, augment, density), METHODS[method], panel)


def _against_dense(
  method: str, cases: Sequence[tuple[str, float]]
) -> Iterator[Cell]:
  for augment, density in cases:
    panel = f'{METHODS[method]}, {_panel(augment, density)}'
    yield Cell(fields(method, augment, density), 'pruned', panel)
    yield Cell(fields('dense', augment, density), 'dense', panel)


def _families(cases: Sequence[tuple[str, float]]) -> Iterator[Cell]:
  for augment, density in cases:
    panel = _panel(augment, density)
    yield Cell(fields('lrr', augment, density), 'LRR', panel)
    yield Cell(fields('ft', augment, density), 'FT', panel)


def _augmented(
  augments: Sequence[str], densities: Sequence[float]
) -> Iterator[Cell]:
  plain, *others = augments
  for augment, method, density in itertools.product(others, PRUNED, densities):
    panel = f'{METHODS[method]}, {_panel(augment, density)}'
    yield Cell(fields(method, augment, density), 'augmented', panel)
    yield Cell(fields(method, plain, density), AUGMENTS[plain], panel)
