"""Data sets and suites that are made once for many runs."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Hashable
from typing import Any

from rcj.data import DataSets
from rcj.evaluate import Suite
from rcj.experiment import Config


class Reuse:
  """Gives a config what was made for another one that must get the same.

  What is made depends on the fields that are read while it is made, and on
  nothing else: two configs that agree in those share it, whatever else
  differs.
  """

  def __init__(self):
    self._made: list[tuple[Hashable, dict[str, Any], Any]] = []

  def load_data(self, config: Config) -> DataSets:
    """`config.load_data()`."""
    return self._once('data', config, lambda c: c.load_data())

  def suites(self, config: Config, data: DataSets) -> tuple[Suite, ...]:
    """`config.suites(data)`; `data` must come from here."""
    return self._once(('suites', id(data)), config, lambda c: c.suites(data))

  def _once(
    self, what: Hashable, config: Config, make: Callable[[Config], Any]
  ) -> Any:
    for kind, fields, made in self._made:
      same = all(getattr(config, n) == x for n, x in fields.items())
      if kind == what and same:
        return made
    watched, read = _watched(config)
    made = make(watched)
    self._made.append((what, read, made))
    return made


def _watched(config: Config) -> tuple[Config, dict[str, Any]]:
  """A copy of the config, and the fields that are read from it later."""
  names = {field.name for field in dataclasses.fields(config)}
  read: dict[str, Any] = {}

  class Watched(type(config)):
    def __getattribute__(self, name: str) -> Any:
      value = super().__getattribute__(name)
      if name in names:
        read[name] = value
      return value

  watched = copy.copy(config)
  watched.__class__ = Watched
  return watched, read
