"""The bytes of an artifact: a safetensors file with one JSON record.

https://github.com/huggingface/safetensors#format. Its metadata hold the record
under 'rcj'. Nothing that a file says is believed before its size, and then the
digest of record and tensors, were compared. Equal contents make equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped
from safetensors import SafetensorError
from safetensors.numpy import load, save

from rcj.export.errors import (
  AlteredError,
  NewerFormatError,
  NotAnArtifactError,
  TruncatedError,
)

FORMAT, VERSION = 'rcj artifact', 1

# Python's objects take some twenty times the bytes of their JSON.
MAX_HEADER = 4 << 20

Tensors = Mapping[str, Shaped[np.ndarray, '*shape']]

_TYPES = {'U8', 'U16', 'U32', 'I8', 'I32', 'F16', 'F32'}
_CAUSE = (
  'usually a download or copy that went wrong; fetch the file again, or export '
  'the network anew'
)


def write(record: Mapping[str, Any], tensors: Tensors) -> bytes:
  """The bytes of a file.

  Args:
    record: what JSON can hold; format, version and digest are added.
    tensors: contiguous arrays by name, of 8- to 32-bit numbers.

  Raises:
    ValueError: if the record holds what JSON cannot, or is too long.
  """
  record = {'format': FORMAT, 'version': VERSION, **record}
  record = {**record, 'sha256': _digest(record, tensors)}
  data = save(dict(tensors), {'rcj': _text(record)})
  length = int.from_bytes(data[:8], 'little')
  if length > MAX_HEADER:
    raise ValueError(
      f'the header of the artifact takes {length:,} bytes, at most '
      f'{MAX_HEADER:,} are allowed; usually the provenance is too long'
    )
  return data


def read(data: bytes) -> tuple[dict[str, Any], Tensors]:
  """Record, without its digest, and tensors of a file as it was written.

  Raises:
    NotAnArtifactError: if it is something else.
    TruncatedError: if its end is missing.
    NewerFormatError: if a later version wrote it.
    AlteredError: if a byte that matters was changed.
  """
  header = _header(data)
  record = _record(header)
  end = _end(header)
  start = 8 + int.from_bytes(data[:8], 'little')
  if len(data) < start + end:
    raise _truncated(len(data), start + end)
  if len(data) > start + end:
    raise AlteredError(
      f'expected {start + end:,} bytes, got {len(data):,}: something was '
      'appended to the file'
    )
  try:
    tensors = load(data)
  except SafetensorError as error:
    raise AlteredError(
      f'the header does not fit the data ({error}); {_CAUSE}'
    ) from error
  expected = record.pop('sha256', None)
  got = _digest(record, tensors)
  if expected != got:
    raise AlteredError(
      f'expected contents of SHA-256 {str(expected)[:64]}, got {got}: {_CAUSE}'
    )
  return record, tensors


def _text(record: Mapping[str, Any]) -> str:
  return json.dumps(record, allow_nan=False, separators=(',', ':'))


def _digest(record: Mapping[str, Any], tensors: Tensors) -> str:
  """SHA-256 of the record and of every tensor's name, type, shape, bytes."""
  names = sorted(tensors)
  told = [[n, str(tensors[n].dtype), tensors[n].shape] for n in names]
  found = hashlib.sha256(_text({'record': record, 'told': told}).encode())
  for name in names:
    found.update(np.ascontiguousarray(tensors[name]))
  return found.hexdigest()


def _truncated(got: int, expected: int) -> TruncatedError:
  return TruncatedError(
    f'the file ends after {got:,} of {expected:,} bytes; usually a download '
    'or copy that was interrupted, fetch it again'
  )


def _header(data: bytes) -> dict[str, Any]:
  if len(data) < 9:
    raise _truncated(len(data), 9)
  length = int.from_bytes(data[:8], 'little')
  if length > MAX_HEADER or data[8:9] != b'{':
    raise NotAnArtifactError(
      'expected a safetensors file, which begins with the length of a JSON '
      f'object and the object, got {data[:16]!r}; usually a file of another '
      'kind'
    )
  if len(data) < 8 + length:
    raise _truncated(len(data), 8 + length)
  header = _json(data[8 : 8 + length], 'header')
  if not isinstance(header.get('__metadata__'), dict):
    raise _foreign(sorted(header))
  return header


def _record(header: Mapping[str, Any]) -> dict[str, Any]:
  text = header['__metadata__'].get('rcj')
  if not isinstance(text, str):
    raise _foreign(sorted(header['__metadata__']))
  record = _json(text, 'record')
  if record.get('format') != FORMAT or type(record.get('version')) is not int:
    raise _foreign(sorted(record))
  if record['version'] > VERSION:
    raise NewerFormatError(
      f'the file has version {record["version"]} of the format, this code '
      f'reads up to {VERSION}: use a newer rcj'
    )
  if record['version'] != VERSION:
    raise _foreign([f'version {record["version"]}'])
  return record


def _foreign(names: list[str]) -> NotAnArtifactError:
  names = [name[:40] for name in names[:8]]
  return NotAnArtifactError(
    f'expected metadata "rcj" with the format {FORMAT!r}, got {names}; usually '
    'a safetensors file of weights alone: `models.load_torch` reads those'
  )


def _json(text: str | bytes, what: str) -> dict[str, Any]:
  """A JSON object; each name may come once, numbers must be finite."""
  try:
    found = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
  except (ValueError, RecursionError) as error:
    raise AlteredError(
      f'the {what} is not the JSON that was written ({str(error)[:80]}); '
      f'{_CAUSE}'
    ) from error
  if not isinstance(found, dict):
    raise AlteredError(f'the {what} is no JSON object; {_CAUSE}')
  return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
  found = dict(pairs)
  if len(found) < len(pairs):
    raise ValueError('a name comes twice')
  return found


def _refuse(constant: str) -> None:
  raise ValueError(f'{constant} is no number of JSON')


def _end(header: Mapping[str, Any]) -> int:
  """Bytes of the tensors, by what the header says."""
  end = 0
  for name, told in header.items():
    if name == '__metadata__':
      continue
    if not _is_entry(told):
      raise AlteredError(
        f'expected type, shape and place of the tensor {name[:80]!r}, got '
        f'{str(told)[:80]}; {_CAUSE}'
      )
    end = max(end, told['data_offsets'][1])
  return end


def _is_entry(told: Any) -> bool:
  if not isinstance(told, dict) or told.get('dtype') not in _TYPES:
    return False
  shape, place = told.get('shape'), told.get('data_offsets')
  lists = isinstance(shape, list) and isinstance(place, list)
  return (
    lists
    and len(place) == 2
    and all(type(n) is int for n in (*shape, *place))
    and all(n >= 1 for n in shape)
  )
