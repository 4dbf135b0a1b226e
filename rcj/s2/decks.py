"""The CARD-Decks of S2: which networks of a sweep vote together."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence

from rcj.grid import Cell, Scalar, View
from rcj.s2.recipes import METHODS
from rcj.s2.views import fields


@dataclasses.dataclass(frozen=True)
class Hand:
  """A deck up to its seeds.

  Attributes:
    methods: of its members, each with every augmentation.
    seeds: of each method and augmentation, how many.
  """

  methods: tuple[str, ...]
  seeds: int

  def title(self, augments: Sequence[str]) -> str:
    """'LRR deck of 4'."""
    words = ' and '.join(METHODS[method] for method in self.methods)
    size = len(self.methods) * len(augments) * self.seeds
    return f'{words} deck of {size}'


# The paper's are of one method, with networks of several seeds; those of two
# methods need no more than one seed.
HANDS = (
  *(
    Hand((m,), seeds)
    for m, seeds in itertools.product(('lrr', 'bp'), (1, 2, 3))
  ),
  *(Hand(methods, 1) for methods in (('lth', 'lrr'), ('ep', 'bp'))),
)


def decks(*, density: float, augments: Sequence[str]) -> tuple[View, ...]:
  """A view for each deck, whose cells are its members, by seed.

  Args:
    density: of the members.
    augments: the schemes that the gate chooses among.
  """
  return tuple(
    View(
      '-'.join((*hand.methods, str(hand.seeds))),
      hand.title(augments),
      'table',
      tuple(_members(hand, density, augments)),
    )
    for hand in HANDS
  )


def dealt(
  deck: View, runs: Mapping[frozenset[tuple[str, Scalar]], Sequence[str | None]]
) -> tuple[str, ...] | None:
  """The runs of a deck's members, None while one of them is not finished.

  Args:
    deck: one of `decks`.
    runs: {items of the config fields of a network: its run for each seed, None
      where that is not finished}.
  """
  wanted = int(deck.name.rpartition('-')[2])
  hand = [
    runs.get(frozenset(cell.fields.items()), ())[:wanted] for cell in deck.cells
  ]
  if any(len(own) < wanted or None in own for own in hand):
    return None
  return tuple(itertools.chain.from_iterable(hand))


def _members(
  hand: Hand, density: float, augments: Sequence[str]
) -> Iterator[Cell]:
  for method, augment in itertools.product(hand.methods, augments):
    yield Cell(fields(method, augment, density), METHODS[method], augment)
