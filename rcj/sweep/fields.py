"""Config fields as words: names that exist, values of the right type."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from rcj.grid import Scalar

_TRUTH = {'true': True, 'false': False}


def replaced(config: Any, fields: Mapping[str, Scalar]) -> Any:
  """The config with other values in some fields.

  Raises:
    ValueError: for a field that it has not, listing those that it has, and for
      a value of another type.
  """
  values = {name: _typed(config, name, x) for name, x in fields.items()}
  return dataclasses.replace(config, **values)


def axes(texts: Sequence[str], config: Any) -> dict[str, tuple[Scalar, ...]]:
  """The axes of a grid from words such as 'ratio=5,10,20'.

  Raises:
    ValueError: where a text is no axis, names no field of the config or one
      twice, or has a value that is not of the field's type.
  """
  found: dict[str, tuple[Scalar, ...]] = {}
  for text in texts:
    name, _, values = text.partition('=')
    if not values:
      raise ValueError(
        f'a grid is FIELD=VALUE,VALUE,... such as ratio=5,10, not {text!r}'
      )
    if name == 'seed':
      raise ValueError('seeds are no axis of a grid: give --seeds=0,1,2')
    if name in found:
      raise ValueError(
        f'the grid has two axes {name!r}; give all values in one'
      )
    words = values.split(',')
    found[name] = tuple(dict.fromkeys(_typed(config, name, w) for w in words))
  return found


def _typed(config: Any, name: str, value: Scalar) -> Scalar:
  kinds = typing.get_type_hints(type(config))
  names = [field.name for field in dataclasses.fields(config)]
  if name not in names:
    shown = '\n'.join(f'  {n}={getattr(config, n)!r}' for n in names)
    raise ValueError(
      f'{type(config).__name__} has no field {name!r}; its fields and their '
      f'values:\n{shown}'
    )
  try:
    return _converted(kinds[name], value)
  except (KeyError, TypeError, ValueError):
    raise ValueError(
      f'{name}={value!r} is no {kinds[name].__name__}; the field is now '
      f'{getattr(config, name)!r}'
    ) from None


def _converted(kind: type, value: Scalar) -> Scalar:
  """`value` as a scalar of that type; words are read, nothing is rounded."""
  if type(value) is kind:
    return value
  if isinstance(value, str):
    return _TRUTH[value.lower()] if kind is bool else kind(value)
  if kind is float and type(value) is int:
    return float(value)
  raise TypeError
