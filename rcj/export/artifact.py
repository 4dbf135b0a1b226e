"""A finished network in one small file that tells all about itself.

What ships is the folded network, or its integers, with effective weights: masks
and scores are gone, and what they removed is zero.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import jax
from etils import epath

from rcj import files
from rcj.export import container, description, entry
from rcj.export.deployable import deployable
from rcj.export.errors import ArtifactError, MalformedError
from rcj.types import Frozen

# Reading one takes a few times its bytes.
MAX_BYTES = 2 << 30

_Read = TypeVar('_Read')


class Sizes(NamedTuple):
  """What a network takes.

  Attributes:
    dense: bytes of its kernels and biases as float32, as it runs.
    packed: bytes of its artifact without provenance.
    gzip: bytes of that file after gzip at its default level, 6.
    weight_bits: bits of the values that its artifact stores, without their
      positions: what papers on compression call memory.
  """

  dense: int
  packed: int
  gzip: int
  weight_bits: int


def save(
  frozen: Frozen, path: epath.PathLike, *, provenance: Any = None
) -> None:
  """Writes a network to a file, which is replaced as a whole.

  Args:
    frozen: any network; see `deployable` for what becomes of it.
    path: file in an existing folder, or wherever etils.epath writes.
    provenance: where the network comes from, in what JSON can hold: config,
      recipe, seeds, results.

  Raises:
    ValueError: if weights are not finite, names of classes are missing, or
      the provenance is not JSON or too long; nothing is written then.
  """
  files.write_whole(epath.Path(path), encode(frozen, provenance=provenance))


def load(path: epath.PathLike) -> Frozen:
  """The network of a file; its weights are bit for bit those that shipped.

  Raises:
    ArtifactError: of the subclass that says what is wrong with the file.
  """
  return told(path, decode)


def describe(path: epath.PathLike) -> dict[str, Any]:
  """The record of a file: model, preprocessing, classes, provenance.

  Raises:
    ArtifactError: of the subclass that says what is wrong with the file.
  """
  return told(path, lambda data: container.read(data)[0])


def sizes(frozen: Frozen) -> Sizes:
  """What a network takes as it runs, as an artifact, and compressed."""
  frozen = deployable(jax.device_get(frozen))
  stored = entry.of_network(frozen, check=False)
  data = _written(stored, None)
  packed = len(gzip.compress(data, 6, mtime=0))
  return Sizes(dense_bytes(frozen), len(data), packed, stored.weight_bits)


def dense_bytes(frozen: Frozen) -> int:
  """Of all weights as float32, of a network as `deployable` gives it."""
  return 4 * description.parameters(frozen.model)


def encode(frozen: Frozen, *, provenance: Any = None) -> bytes:
  """The bytes that `save` writes; arguments and errors are its own."""
  frozen = deployable(jax.device_get(frozen))
  return _written(entry.of_network(frozen), provenance)


def decode(data: bytes) -> Frozen:
  """The network that `encode` saw; errors are those of `load`."""
  record, tensors = container.read(data)
  if is_deck(record):
    raise MalformedError(
      f'it holds a deck of {len(record["members"])} networks, not one; '
      '`export.load_deck` reads it'
    )
  return entry.to_network(entry.described(record), tensors)


def is_deck(record: Mapping[str, Any]) -> bool:
  """Whether `describe` told of a deck."""
  return isinstance(record.get('members'), list)


def told(path: epath.PathLike, read: Callable[[bytes], _Read]) -> _Read:
  """What `read` makes of a file's bytes; errors say which file it was."""
  path = epath.Path(path)
  try:
    length = path.stat().length
    if length > MAX_BYTES:
      raise MalformedError(f'{length:,} bytes are more than {MAX_BYTES:,}')
    return read(path.read_bytes())
  except ArtifactError as error:
    raise type(error)(f'{path}: {error}') from error


def _written(stored: entry.Entry, provenance: Any) -> bytes:
  return container.write(
    {**stored.record, 'provenance': provenance}, stored.tensors
  )
