"""The suites that networks are evaluated on, and their order in tables."""

from __future__ import annotations

from collections.abc import Iterable

SHIFT = 'to '  # and a name: another domain than that of the training images
ATTACKS = ('light', 'heavy')  # attacks of two strengths
# Attacks of which each stands alone: only the table of attacks shows them.
APART = ('smallest', 'check')
_FIRST = ('clean', 'corrupted', 'rendition')
_TITLES = {
  'clean': 'Clean images',
  'corrupted': 'Corrupted images (mean)',
  'rendition': 'Renditions',
  'light': 'Light attacks (mean)',
  'heavy': 'Heavy attacks (mean)',
}


def check(suite: str) -> None:
  """Refuses an unknown suite.

  Raises:
    ValueError: with the suites that there are.
  """
  if suite not in (*_FIRST, *ATTACKS, *APART) and not is_shift(suite):
    known = ', '.join((*_FIRST, f'{SHIFT}DOMAIN', *ATTACKS, *APART))
    raise ValueError(f'unknown suite {suite!r}; the suites are {known}')


def is_shift(suite: str) -> bool:
  """Whether a suite holds the images of another domain."""
  return suite.startswith(SHIFT) and len(suite) > len(SHIFT)


def is_attack(suite: str) -> bool:
  """Whether the images of a suite were made against the network."""
  return suite in ATTACKS or suite in APART


def ordered(found: Iterable[str]) -> tuple[str, ...]:
  """Those of the suites that tables and figures show, in their order."""
  found = set(found)
  shifts = sorted(filter(is_shift, found))
  every = (*_FIRST, *shifts, *ATTACKS)
  return tuple(suite for suite in every if suite in found)


def title(suite: str) -> str:
  """Name for the title of a figure's panel."""
  return _TITLES.get(suite) or f'Domain: {suite.removeprefix(SHIFT)}'
