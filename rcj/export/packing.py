"""Arrays in few bytes, without loss: zeros left out, equal values said once.

After Han et al., Deep Compression, https://arxiv.org/abs/1510.00149, section 2,
whose positions are gaps too, and for binary weights Rastegari et al.,
https://arxiv.org/abs/1603.05279. The two choices are independent:

positions of the entries that are not zero
  'all'    every entry is stored
  'gaps'   zeros before each, in the smallest unsigned type that holds them
  'bits'   one bit per entry of the array
values of the entries that are stored
  'plain'  as they are
  'half'   upper halves of float32 values whose lower halves are zero
  'signs'  the first one, and a bit for each that is its negative
  'channels'  a magnitude for each channel (the last axis), and the sign of each
           entry: what binary weights are once BatchNorm is part of them
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int, Shaped, UInt8

from rcj.export.errors import MalformedError

Flat = Shaped[np.ndarray, ' n']
Parts = dict[str, Shaped[np.ndarray, '*shape']]

_UNSIGNED = (np.dtype('uint8'), np.dtype('uint16'), np.dtype('uint32'))
# Bytes of a name, type, shape and place in the header of the file.
_ENTRY = 100


@dataclasses.dataclass(frozen=True)
class Packing:
  """How an array is stored.

  Attributes:
    positions: one of the choices above.
    values: one of the choices above.
    count: entries that are stored.
  """

  positions: Literal['all', 'gaps', 'bits']
  values: Literal['plain', 'half', 'signs', 'channels']
  count: int

  def lengths(self, shape: tuple[int, ...]) -> dict[str, int]:
    """{part: its entries}, of an array of this shape, without empty parts."""
    bits = -(-math.prod(shape) // 8)
    where = {'all': 0, 'gaps': self.count, 'bits': bits}
    found = {self.positions: where[self.positions]}
    if self.values in ('signs', 'channels'):
      found |= {'signs': -(-self.count // 8), 'first': self._firsts(shape)}
    else:
      found['values'] = self.count
    return {name: n for name, n in found.items() if n}

  def value_bits(self, shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Bits of the values alone, without positions, as papers count memory.

    One for each of 'signs' and 'channels', and those of the first ones.
    """
    wide = 8 * dtype.itemsize
    if self.values in ('signs', 'channels'):
      return self.count + wide * self._firsts(shape)
    return self.count * (wide // 2 if self.values == 'half' else wide)

  def _firsts(self, shape: tuple[int, ...]) -> int:
    return shape[-1] if self.values == 'channels' else 1


def from_json(told: Any) -> Packing:
  """The packing whose fields these are; raises MalformedError if none."""
  fine = (
    isinstance(told, list)
    and len(told) == 3
    and told[0] in ('all', 'gaps', 'bits')
    and told[1] in ('plain', 'half', 'signs', 'channels')
    and type(told[2]) is int
  )
  if not fine:
    raise MalformedError(f'no array is stored as {str(told)[:80]}')
  return Packing(*told)


def pack(x: Shaped[np.ndarray, '*shape']) -> tuple[Packing, Parts]:
  """The smallest of all ways to store an array, and its parts.

  Args:
    x: float32, int8 or int32. A zero is one whose bits are: -0.0 is stored.

  Returns:
    parts without those that are empty; 'values' of a plain array has its shape.
  """
  flat = np.ravel(x)
  live = np.flatnonzero(_bits(flat))
  chosen = {'all': flat, 'gaps': flat[live], 'bits': flat[live]}
  channels = _channels(x, whole=len(live) == flat.size)
  ways = {
    Packing(positions, values, len(chosen[positions])): {**where, **parts}
    for positions, where in _positions(live, flat.size).items()
    for values, parts in {
      **_values(chosen[positions]),
      **channels.get(positions, {}),
    }.items()
  }
  best = min(ways, key=lambda way: _cost(ways[way]))
  parts = {name: part for name, part in ways[best].items() if part.size}
  if (best.positions, best.values) == ('all', 'plain'):
    parts = {'values': flat.reshape(x.shape)}
  return best, parts


def unpack(
  packing: Packing, parts: Parts, *, shape: tuple[int, ...], dtype: np.dtype
) -> Shaped[np.ndarray, '*shape']:
  """The array that `pack` saw, bit for bit.

  Args:
    packing: how it is stored.
    parts: without those that are empty.
    shape: of the array.
    dtype: of the array.

  Raises:
    MalformedError: if the parts are not those of such an array.
  """
  size = math.prod(shape)
  _check(packing, parts, shape, dtype)
  where = _where(packing, parts, size)
  stored = _stored(packing, parts, dtype)
  if packing.values == 'channels':
    channel = np.resize(np.arange(shape[-1], dtype=np.int32), size)[where]
    stored = stored * parts['first'].ravel()[channel]
  flat = np.zeros(size, dtype)
  flat[where] = stored
  return flat.reshape(shape)


def _bits(x: Flat) -> Int[np.ndarray, ' n']:
  return x.view(f'u{x.dtype.itemsize}')


def _cost(parts: Mapping[str, np.ndarray]) -> int:
  return sum(part.nbytes + _ENTRY for part in parts.values() if part.size)


def _positions(live: Int[np.ndarray, ' m'], size: int) -> dict[str, Parts]:
  gaps = np.diff(live, prepend=-1) - 1
  widest = int(gaps.max(initial=0))
  narrow = next(t for t in _UNSIGNED if widest <= np.iinfo(t).max)
  mask = np.zeros(size, bool)
  mask[live] = True
  return {
    'all': {},
    'gaps': {'gaps': gaps.astype(narrow)},
    'bits': {'bits': np.packbits(mask)},
  }


def _values(chosen: Flat) -> dict[str, Parts]:
  found = {'plain': {'values': chosen}}
  bits = _bits(chosen)
  if chosen.dtype == np.float32 and not (bits & 0xFFFF).any():
    found['half'] = {'values': (bits >> 16).astype(np.uint16)}
  first = chosen[:1]
  if first.size and ((chosen == first) | (chosen == -first)).all():
    flipped = np.packbits(bits != bits[0])
    found['signs'] = {'signs': flipped, 'first': first}
  return found


def _channels(
  x: Shaped[np.ndarray, '*shape'], *, whole: bool
) -> dict[str, dict[str, Parts]]:
  """'channels' for the positions that it can have, none for most arrays."""
  if x.dtype != np.float32 or x.ndim < 2:
    return {}
  rows = x.reshape(-1, x.shape[-1])
  live, first = _bits(rows) != 0, np.abs(rows).max(0)
  if not ((np.abs(rows) == first) | ~live).all():
    return {}
  parts = {'signs': np.packbits(np.signbit(rows[live])), 'first': first}
  where = ('all', 'gaps', 'bits') if whole else ('gaps', 'bits')
  return {positions: {'channels': parts} for positions in where}


def _check(
  packing: Packing, parts: Parts, shape: tuple[int, ...], dtype: np.dtype
) -> None:
  size = math.prod(shape)
  whole = packing.positions == 'all'
  if not (packing.count == size if whole else 0 <= packing.count <= size):
    raise MalformedError(
      f'an array of {size} entries cannot store {packing.count} of them'
    )
  if packing.values == 'channels' and (len(shape) < 2 or dtype != np.float32):
    raise MalformedError(f'{dtype} values of shape {shape} have no channels')
  wanted = packing.lengths(shape)
  got = {name: part.size for name, part in parts.items()}
  if wanted != got:
    raise MalformedError(f'expected parts of {wanted} entries, got {got}')
  if packing.values == 'half' and dtype != np.float32:
    raise MalformedError(f'{dtype} values have no halves')
  for name, part in parts.items():
    kinds = _kinds(name, packing, dtype)
    if part.dtype not in kinds:
      raise MalformedError(
        f'{name} must be of type {" or ".join(map(str, kinds))}, '
        f'got {part.dtype}'
      )


def _kinds(name: str, packing: Packing, dtype: np.dtype) -> tuple:
  if name == 'gaps':
    return _UNSIGNED
  if name in ('bits', 'signs'):
    return _UNSIGNED[:1]
  return (np.dtype('uint16') if packing.values == 'half' else dtype,)


def _stored(packing: Packing, parts: Parts, dtype: np.dtype) -> Flat:
  if packing.values == 'channels':
    flipped = _mask(parts.get('signs'), packing.count)
    return np.where(flipped, dtype.type(-1), dtype.type(1))
  if packing.values == 'signs':
    first = parts['first'].ravel()
    flipped = _mask(parts.get('signs'), packing.count)
    return np.where(flipped, -first, first)
  values = parts.get('values', np.zeros(0, dtype)).ravel()
  if packing.values == 'half':
    return (values.astype(np.uint32) << 16).view(np.float32)
  return values


def _where(
  packing: Packing, parts: Parts, size: int
) -> Int[np.ndarray, ' m'] | Bool[np.ndarray, ' n'] | slice:
  if packing.positions == 'all':
    return slice(None)
  if packing.positions == 'bits':
    mask = _mask(parts['bits'], size)
    if mask.sum() != packing.count:
      raise MalformedError(
        f'{packing.count} values for the {mask.sum()} entries of a bit mask'
      )
    return mask
  gaps = parts.get('gaps', np.zeros(0, np.uint8)).ravel()
  where = np.cumsum(gaps.astype(np.int64) + 1) - 1
  if where.size and where[-1] >= size:
    raise MalformedError(
      f'gaps run to entry {where[-1]} of an array of {size} entries'
    )
  return where


def _mask(
  bits: UInt8[np.ndarray, ' b'] | None, n: int
) -> Bool[np.ndarray, ' n']:
  if bits is None:
    return np.zeros(n, bool)
  return np.unpackbits(bits.ravel(), count=n).view(bool)
