"""What exports say of themselves: classes, preprocessing, provenance.

ONNX files hold it themselves; beside others lies a file of JSON.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from etils import epath

from rcj import files
from rcj.types import Frozen, Preprocessing


class Metadata(NamedTuple):
  """See `Frozen` for the first two.

  Attributes:
    classes: names of the logits.
    preprocessing: the size of the images that the file takes, and how it
      normalises them.
    provenance: where the network comes from, as its artifact says.
  """

  classes: tuple[str, ...]
  preprocessing: Preprocessing
  provenance: Any


def to_json(frozen: Frozen, provenance: Any) -> dict[str, str]:
  """Texts by name, which `from_json` reads.

  Args:
    frozen: the network.
    provenance: what JSON can hold.
  """
  described = {
    'classes': list(frozen.classes),
    'preprocessing': dataclasses.asdict(frozen.preprocessing),
    'provenance': provenance,
  }
  return {name: json.dumps(value) for name, value in described.items()}


def from_json(texts: Mapping[str, str]) -> Metadata:
  """What `to_json` described.

  Raises:
    ValueError: if rcj did not write this.
  """
  try:
    told = {name: json.loads(texts[name]) for name in Metadata._fields}
    shown = told['preprocessing']
    shown.update({n: tuple(shown[n]) for n in ('mean', 'std')})
    shown = Preprocessing(**shown)
    return Metadata(tuple(told['classes']), shown, told['provenance'])
  except (KeyError, TypeError, ValueError) as error:
    raise ValueError(
      'the file does not name its classes and its preprocessing, as exports of '
      f'rcj do: {error!r}'
    ) from error


def write_beside(
  path: epath.PathLike, frozen: Frozen, *, provenance: Any = None
) -> None:
  """Describes the network of a file in PATH.json; see `to_json`."""
  text = json.dumps(to_json(frozen, provenance), indent=2) + '\n'
  files.write_whole(_beside(path), text.encode())


def read_beside(path: epath.PathLike) -> Metadata:
  """What `write_beside` wrote.

  Raises:
    FileNotFoundError: if it is not there.
    ValueError: if it is something else.
  """
  beside = _beside(path)
  if not beside.is_file():
    raise FileNotFoundError(
      f'{beside} is missing, which names the classes of {path}; '
      'launch/export.py writes both'
    )
  try:
    return from_json(json.loads(beside.read_text()))
  except ValueError as error:
    raise ValueError(f'{beside}: {error}') from error


def _beside(path: epath.PathLike) -> epath.Path:
  path = epath.Path(path)
  return path.with_name(f'{path.name}.json')
