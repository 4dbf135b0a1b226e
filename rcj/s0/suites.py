"""What S0 measures: clean, corrupted and rendered images."""

from __future__ import annotations

from rcj import corruptions, evaluate
from rcj import data as data_sets
from rcj.evaluate import Suite
from rcj.evaluate.suites import Transform


def suites(
  sets: data_sets.DataSets,
  *,
  severities: str,
  table: int | None = None,
  transform: Transform | None = None,
  rule: str = '',
  stored: tuple[Transform | None, str] | None = None,
) -> tuple[Suite, ...]:
  """The suites that a data set has the images for.

  A corrupted set of files is preferred to one that is generated from the test
  images (decision 19); of its corruptions the standard 15 count.

  Args:
    sets: the data.
    severities: their digits, '12345' for all.
    table: severity table of generated corruptions, see `evaluate.corrupted`.
    transform: resizes and crops each image.
    rule: what `transform` does, in words for the rows.
    stored: (transform, rule) of corrupted files, which are cropped already;
      None for the same.

  Raises:
    ValueError: if `severities` are not digits from 1 to 5.
  """
  if not severities or not set(severities) <= set('12345'):
    raise ValueError(
      f"severities are some of the digits 12345, such as '135', not "
      f'{severities!r}'
    )
  levels = tuple(int(s) for s in sorted(set(severities)))
  how = {'transform': transform}
  made = [
    evaluate.plain(
      'clean', sets.test, protocol=_words(sets, 'test', rule), **how
    )
  ]
  if sets.corrupted is not None:
    own, words = stored or (transform, rule)
    made.append(
      evaluate.published(
        sets.corrupted,
        names=corruptions.STANDARD,
        severities=levels,
        protocol=_words(sets, 'corrupted', words),
        transform=own,
      )
    )
  else:
    made.append(
      evaluate.corrupted(
        sets.test,
        severities=levels,
        table=table,
        protocol=rule,
        **how,
      )
    )
  if sets.rendition is not None:
    made.append(
      evaluate.plain(
        'rendition',
        sets.rendition,
        protocol=_words(sets, 'rendition', rule),
        **how,
      )
    )
  return tuple(made)


def _words(sets: data_sets.DataSets, part: str, rule: str) -> str:
  return ', '.join(filter(None, (sets.protocol.get(part, part), rule)))
