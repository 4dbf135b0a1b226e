"""What tells experiments apart, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rcj.grid import Scalar

# Fields that say how small a network is; tables and axes show the effect.
SIZES = ('ratio', 'density', 'nonzero')


def differing(
  fields: Mapping[str, Scalar],
  others: Iterable[Mapping[str, Scalar]],
  *,
  known: Sequence[str] = (),
) -> str:
  """Fields of an experiment that are not the same in all others, in words.

  Args:
    fields: of its config, all of them or those that differ from defaults.
    others: the same of the experiments that it is listed with.
    known: names that a reader sees elsewhere.

  Returns:
    Such as 'ratio 10, augment amda'; '' where nothing differs, and where
    only the others have such fields.
  """
  others = list(others)
  return ', '.join(
    _word(name, value)
    for name, value in fields.items()
    if name not in known
    and any(name not in other or other[name] != value for other in others)
  )


def by_size(fields: Mapping[str, Scalar]) -> str:
  """The requested size in words, such as 'ratio 10'; 'unpruned' without."""
  sizes = [_word(name, fields[name]) for name in SIZES if name in fields]
  return ', '.join(sizes) or 'unpruned'


def _word(name: str, value: Scalar) -> str:
  shown = f'{value:g}' if isinstance(value, float) else str(value) or 'none'
  return f'{name.replace("_", " ")} {shown}'
