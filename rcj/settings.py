"""Settings that a folder was begun with, against those of today."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
  """The settings as JSON gives them back: tuples are lists."""
  return json.loads(json.dumps(settings))


def differences(
  there: Mapping[str, Any],
  now: Mapping[str, Any],
  *,
  free: Collection[str] = (),
) -> str:
  """A line for each field that differs, '' where all agree.

  Args:
    there: settings of the folder, plain.
    now: those of the program, plain.
    free: fields that may differ.
  """
  lines = [
    f'  {name}: {there.get(name, "absent")!r} there, '
    f'{now.get(name, "absent")!r} now'
    for name in sorted((there.keys() | now.keys()) - set(free))
    if there.get(name) != now.get(name)
  ]
  return '\n'.join(lines)
