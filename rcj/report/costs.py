"""What networks cost: operations, bytes, and latency where it was measured."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  from rcj.report.summary import Line


@dataclasses.dataclass(frozen=True)
class Costs:
  """The columns `results.COSTS`; nan or '' where nothing was measured.

  Attributes:
    dense_macs: multiply-accumulate operations for one image, before channels
      were removed.
    macs: likewise of the network that was evaluated.
    dense_bytes: of float32 weights before channels were removed.
    bytes: of the weights of the network that was evaluated, one for each that
      is int8.
    packed_bytes: of its artifact without provenance.
    gzip_bytes: of that, compressed by gzip.
    weight_bits: of the values in it, without their positions.
    latency_ms: median of one batch.
    runtime: what ran it.
    threads: how many.
    batch: images.
    dtype: type of the computation.
  """

  dense_macs: float = math.nan
  macs: float = math.nan
  dense_bytes: float = math.nan
  bytes: float = math.nan
  packed_bytes: float = math.nan
  gzip_bytes: float = math.nan
  weight_bits: float = math.nan
  latency_ms: float = math.nan
  runtime: str = ''
  threads: float = math.nan
  batch: float = math.nan
  dtype: str = ''


PLACE = 'measured in'  # the column of words
CAPTION = (
  'dense: float32, before channels were removed; MACs and bytes of weights '
  'count masked ones too; values: of weights left, without their positions; '
  'packed and gzip: the artifact without provenance'
)
_FIELDS = dataclasses.fields(Costs)


def read(record: Mapping[str, str]) -> Costs:
  """The costs of a line of results.csv, whose columns may be missing.

  Raises:
    ValueError: if there is text where a number is due.
  """
  found = {f: record.get(f.name) or f.default for f in _FIELDS}
  return Costs(**{f.name: type(f.default)(x) for f, x in found.items()})


def mean(of_seeds: Sequence[Costs]) -> Costs:
  """Mean over seeds; the runtime is that of the first."""
  values = [dataclasses.astuple(costs) for costs in of_seeds]
  return Costs(
    *(
      x[0] if isinstance(x[0], str) else sum(x) / len(x)
      for x in zip(*values, strict=True)
    )
  )


def table(
  lines: Sequence[Line],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
  """Heads and rows of the table 'Size and speed'; no rows, no table.

  Columns and lines of which nothing was measured are left out.
  """
  made = [{name: show(x.costs) for name, show in _SHOWN.items()} for x in lines]
  heads = tuple(name for name in _SHOWN if any(cells[name] for cells in made))
  rows = [
    (line.method, f'{line.ratio:.1f}', *(cells[name] or '-' for name in heads))
    for line, cells in zip(lines, made, strict=True)
    if any(cells.values())
  ]
  return ('method', 'ratio', *heads), rows


def _amount(name: str, unit: str = '') -> Callable[[Costs], str]:
  return lambda costs: _short(getattr(costs, name), unit)


def _short(x: float, unit: str) -> str:
  """Three digits: '41.2 MB'."""
  if math.isnan(x):
    return ''
  for size, prefix in ((1e9, 'G'), (1e6, 'M'), (1e3, 'k')):
    if x >= 0.9995 * size:  # else '1.00e+03 kB'
      return f'{f"{x / size:#.3g}".rstrip(".")} {prefix}{unit}'
  return f'{x:.0f} {unit}'.rstrip()


def _latency(costs: Costs) -> str:
  return '' if math.isnan(costs.latency_ms) else f'{costs.latency_ms:.3g} ms'


def _measured_in(costs: Costs) -> str:
  """'onnxruntime, 1 thread, batch 1, int8'."""
  if not costs.runtime:
    return ''
  parts = [costs.runtime]
  if not math.isnan(costs.threads):
    threads = round(costs.threads)
    parts.append(f'{threads} thread{"s" if threads > 1 else ""}')
  if not math.isnan(costs.batch):
    parts.append(f'batch {costs.batch:.0f}')
  return ', '.join(part for part in (*parts, costs.dtype) if part)


_SHOWN: Mapping[str, Callable[[Costs], str]] = {
  'dense\nMACs': _amount('dense_macs'),
  'MACs': _amount('macs'),
  'dense\nweights': _amount('dense_bytes', 'B'),
  'weights': _amount('bytes', 'B'),
  'values': lambda costs: _short(costs.weight_bits / 8, 'B'),
  'packed': _amount('packed_bytes', 'B'),
  'gzip': _amount('gzip_bytes', 'B'),
  'latency': _latency,
  PLACE: _measured_in,
}
