"""What a run was: its settings and how its training went."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rcj.report.rows import read_config


@dataclasses.dataclass(frozen=True)
class Settings:
  """Config fields of several runs.

  Attributes:
    common: {field: value} where all runs agree.
    differing: names of the other fields.
    runs: {name of the run: values of the differing fields, '' if absent}.
  """

  common: Mapping[str, str]
  differing: tuple[str, ...]
  runs: Mapping[str, tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class PhaseLog:
  """One phase of training, from `metrics.jsonl`; nan where not logged."""

  run: str
  phase: str
  steps: int
  loss: float
  images_per_second: float
  data_wait: float


def settings(folders: Sequence[pathlib.Path]) -> Settings:
  """Compares the configs of all runs."""
  names = [folder.name for folder in folders]
  if len(set(names)) < len(names):
    names = [f'{folder.parent.name}/{folder.name}' for folder in folders]
  configs = {
    name: _flat(read_config(folder))
    for name, folder in zip(names, folders, strict=True)
  }
  fields = list(dict.fromkeys(k for c in configs.values() for k in c))
  common, differing = {}, []
  for field in fields:
    values = {config.get(field) for config in configs.values()}
    if len(values) == 1:
      common[field] = values.pop()
    else:
      differing.append(field)
  return Settings(
    common=common,
    differing=tuple(differing),
    runs={
      run: tuple(config.get(field, '') for field in differing)
      for run, config in configs.items()
    },
  )


def phases(folder: pathlib.Path) -> list[PhaseLog]:
  """Phases of a run in order, empty if it has no metrics.jsonl.

  Raises:
    ValueError: for a line, the last excepted, that is not JSON.
  """
  path = folder / 'metrics.jsonl'
  if not path.is_file():
    return []
  records: dict[str, list[Mapping[str, Any]]] = {}
  lines = path.read_text().splitlines()
  for number, text in enumerate(lines, 1):
    try:
      record = json.loads(text)
    except json.JSONDecodeError as e:
      if number == len(lines):  # A run that was killed while it wrote.
        break
      raise ValueError(f'{path}, line {number} is not JSON: {e}') from e
    if 'step' in record:
      records.setdefault(str(record.get('phase', '')), []).append(record)
  return [_phase(folder.name, name, log) for name, log in records.items()]


def _phase(run: str, name: str, log: Sequence[Mapping[str, Any]]) -> PhaseLog:
  def median(field: str) -> float:
    found = [float(r[field]) for r in log if r.get(field) is not None]
    return float(np.median(found)) if found else float('nan')

  losses = [float(r['loss']) for r in log if r.get('loss') is not None]
  return PhaseLog(
    run=run,
    phase=name,
    steps=int(log[-1]['step']),
    loss=losses[-1] if losses else float('nan'),
    images_per_second=median('images_per_second'),
    data_wait=median('data_wait'),
  )


def _flat(value: Mapping[str, Any], prefix: str = '') -> dict[str, str]:
  """{'a.b': text} of nested objects."""
  result: dict[str, str] = {}
  for key, x in value.items():
    if isinstance(x, Mapping):
      result |= _flat(x, f'{prefix}{key}.')
    elif isinstance(x, list):
      result[prefix + key] = ' '.join(map(str, x))
    else:
      result[prefix + key] = str(x)
  return result
