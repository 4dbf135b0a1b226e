"""What finished decks show: a table, their memory, and claims."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from rcj.grid import Cell, View

AGNOSTIC = 'agnostic'
ADAPTIVE = {
  'per batch': 'adaptive (batch)', 'per image': 'adaptive (sample)'
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Dealt:
  """A deck that was measured.

  Attributes:
    title: in words.
    run: its run directory.
    members: {in words: run directory}.
    gated: whether it is of several augmentations, and so has a gate.
  """

  title: str
  run: str
  members: dict[str, str]
  gated: bool


def deck_views(decks: Sequence[Dealt]) -> tuple[View, ...]:
  """Table, figure and claims of decks; () where there are none.

  Args:
    decks: those that were measured, runs relative to the folder of the views.
  """
  if not decks:
    return ()
  gated = [deck for deck in decks if deck.gated]
  made = (
    View(
      'decks',
      'CARD-Decks and their members',
      'table',
      tuple(c for deck in decks for c in (*_members(deck), *_votes(deck))),
    ),
    View(
      'deck_memory',
      'Error against memory, decks and single networks',
      'lines',
      tuple(_sizes(decks)),
      'bits',
    ),
    View(
      'claim5',
      'Decks whose members are chosen for each domain are more robust than '
      'those in which all vote',
      'claim',
      tuple(c for deck in gated for c in _adaptive(deck)),
      'corrupted lower',
    ),
    View(
      'claim6',
      'A deck is more accurate and more robust than each of its members',
      'claim',
      tuple(c for deck in decks for c in _against_members(deck)),
      'clean, corrupted lower',
    ),
  )
  return tuple(view for view in made if view.cells)


def _cell(run: str, series: str, panel: str, network: str = '') -> Cell:
  return Cell({}, series, panel, runs=(run,), network=network)


def _members(deck: Dealt) -> Iterator[Cell]:
  for words, run in deck.members.items():
    yield _cell(run, words, deck.title)


def _votes(deck: Dealt) -> Iterator[Cell]:
  yield _cell(deck.run, 'deck, all vote', deck.title, AGNOSTIC)
  if deck.gated:
    for words, network in ADAPTIVE.items():
      series = f'deck, chosen {words}'
      yield _cell(deck.run, series, deck.title, network)


def _sizes(decks: Sequence[Dealt]) -> Iterator[Cell]:
  for run in dict.fromkeys(r for deck in decks for r in deck.members.values()):
    yield _cell(run, 'single networks', '')
  for deck in decks:
    yield _cell(deck.run, 'decks, all vote', '', AGNOSTIC)
    if deck.gated:
      series = 'decks, chosen per batch'
      yield _cell(deck.run, series, '', ADAPTIVE['per batch'])


def _adaptive(deck: Dealt) -> Iterator[Cell]:
  yield _cell(deck.run, 'chosen', deck.title, ADAPTIVE['per batch'])
  yield _cell(deck.run, 'all vote', deck.title, AGNOSTIC)


def _against_members(deck: Dealt) -> Iterator[Cell]:
  for words, run in deck.members.items():
    panel = f'{deck.title}, {words}'
    yield _cell(deck.run, 'deck', panel, AGNOSTIC)
    yield _cell(run, 'member', panel)
