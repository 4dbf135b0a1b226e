"""What the native runtime is to reach, and the numbers that show it."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

Found = Mapping[tuple[str, str], float]


class Goal(NamedTuple):
  """So many times faster than another program, on two threads.

  Attributes:
    case: name of the network.
    batch: images at a time.
    own: column and row of ours.
    other: column and row of the other.
    ratio: how many times faster.
  """

  case: str
  batch: int
  own: tuple[str, str]
  other: tuple[str, str]
  ratio: float


_90, _95, _INT8 = '90 % zeros', '95 % zeros', '90 % zeros, int8'
GOALS = (
  Goal('resnet18', 16, ('rcj', _90), ('DeepSparse', _90), 1.3),
  Goal('resnet18', 16, ('rcj', _90), ('onnxruntime', 'dense'), 3.7),
  Goal('resnet18', 16, ('rcj bf16', _90), ('DeepSparse', _90), 1.9),
  Goal('resnet18', 16, ('rcj bf16', _90), ('OpenVINO bf16', 'dense'), 3.0),
  Goal('resnet18', 16, ('rcj', _INT8), ('OpenVINO', 'int8'), 1.7),
  Goal('resnet18-cifar', 128, ('rcj', _90), ('DeepSparse', _90), 1.15),
  Goal('resnet18-cifar', 128, ('rcj', _95), ('DeepSparse', _95), 1.2),
  Goal('mobilenet_v2', 16, ('rcj', 'dense'), ('onnxruntime', 'dense'), 0.9),
  Goal('mobilenet_v2', 16, ('rcj', 'dense'), ('XLA', 'dense'), 20.0),
  Goal('mobilenet_v2', 16, ('rcj', _90), ('DeepSparse', _90), 1.0),
  Goal('resnet50', 16, ('rcj', _90), ('DeepSparse', _90), 1.05),
  Goal('resnet50', 16, ('rcj bf16', _90), ('DeepSparse', _90), 1.5),
  Goal('resnet18', 1, ('rcj', _90), ('onnxruntime', 'dense'), 1.3),
)


class Report:
  """Prints goals behind each table, and keeps all tables in a JSON file."""

  def __init__(self, path: pathlib.Path | None, machine: str):
    """The file's tables of this machine remain; those of another do not."""
    self._path, self._content = path, {'machine': machine, 'tables': []}
    if path is not None and path.exists():
      before = json.loads(path.read_text())
      if before['machine'] == machine:
        self._content = before

  def add(
    self, case: str, size: int, batch: int, threads: int, found: Found
  ) -> None:
    """One table of milliseconds, in the place of one of the same title."""
    title = {'case': case, 'size': size, 'batch': batch, 'threads': threads}
    if threads == 2:
      _show(case, batch, found)
    table = {**title, 'milliseconds': {}}
    for (runtime, variant), took in found.items():
      row = table['milliseconds'].setdefault(variant, {})
      row[runtime] = round(took, 3)
    others = [t for t in self._content['tables'] if {**t, **title} != t]
    self._content['tables'] = [*others, table]
    if self._path is not None:
      self._path.write_text(json.dumps(self._content, indent=1) + '\n')


def _show(case: str, batch: int, found: Found) -> None:
  for goal in GOALS:
    known = goal.own in found and goal.other in found
    if (goal.case, goal.batch) == (case, batch) and known:
      ratio = found[goal.other] / found[goal.own]
      own, other = (', '.join(x) for x in (goal.own, goal.other))
      reached = 'reached' if ratio >= goal.ratio else 'missed'
      print(f'{own} / {other}: {ratio:.2f}x, goal {goal.ratio}x: {reached}')
