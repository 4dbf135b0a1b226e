"""A CARD-Deck in one file: its members as artifacts have them, and its gate.

A deck file is an artifact whose record lists 'members' instead of describing
one network. Tensors of member i have names that begin with 'i/'; the gate's is
'gate:features'.
"""

from __future__ import annotations

import gzip
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from jaxtyping import Float16

from rcj import deck as decks
from rcj import files
from rcj.deck import Deck, Gate
from rcj.export import artifact, container, description, entry
from rcj.export.artifact import Sizes
from rcj.export.deployable import deployable
from rcj.export.errors import MalformedError
from rcj.types import Frozen

MAX_MEMBERS = 64
_GATE = 'gate:features'
_FIELDS = ('schemes', 'vote', 'gate')


def save_deck(
  deck: Deck, path: epath.PathLike, *, provenance: Any = None
) -> None:
  """Writes a deck to a file, which is replaced as a whole.

  Args:
    deck: its members become what `deployable` makes of them.
    path: see `export.save`.
    provenance: where the deck comes from, in what JSON can hold.

  Raises:
    ValueError: as `export.save`, for each member; and for more than 64 of them.
  """
  files.write_whole(epath.Path(path), encode(deck, provenance=provenance))


def load_deck(path: epath.PathLike) -> Deck:
  """The deck of a file, members and gate bit for bit.

  Raises:
    ArtifactError: of the subclass that says what is wrong with the file.
  """
  return artifact.told(path, decode)


def deck_sizes(deck: Deck) -> Sizes:
  """Sums over the members, but `packed` and `gzip` of the deck's file.

  The gate is in these two alone.
  """
  members = _members(deck)
  entries = [entry.of_network(member) for member in members]
  data = _written(deck, entries, None)
  return Sizes(
    sum(map(artifact.dense_bytes, members)),
    len(data),
    len(gzip.compress(data, 6, mtime=0)),
    sum(member.weight_bits for member in entries),
  )


def encode(deck: Deck, *, provenance: Any = None) -> bytes:
  """The bytes that `save_deck` writes; arguments and errors are its own."""
  entries = [entry.of_network(member) for member in _members(deck)]
  return _written(deck, entries, provenance)


def decode(data: bytes) -> Deck:
  """The deck that `encode` saw; errors are those of `load_deck`."""
  record, tensors = container.read(data)
  if not artifact.is_deck(record):
    raise MalformedError(
      'it holds one network, not a deck; `export.load` reads it'
    )
  described = _described(record['members'])
  own, features = _split(tensors, len(described))
  members = [
    entry.to_network(*each) for each in zip(described, own, strict=True)
  ]
  schemes, vote, chosen = (record.get(name) for name in _FIELDS)
  if not _are_names(schemes):
    raise MalformedError('schemes must be a list of names')
  gate = _gate(chosen, features)
  try:
    return decks.assembled(members, schemes, gate=gate, vote=vote)
  except (ValueError, TypeError) as error:
    raise MalformedError(f'its parts are no deck: {error}') from error


def _members(deck: Deck) -> list[Frozen]:
  if len(deck.members) > MAX_MEMBERS:
    raise ValueError(
      f'a file holds decks of up to {MAX_MEMBERS} members, not '
      f'{len(deck.members)}'
    )
  return [deployable(member) for member in jax.device_get(deck.members)]


def _written(deck: Deck, entries: list[entry.Entry], provenance: Any) -> bytes:
  tensors = {
    f'{i}/{name}': array
    for i, member in enumerate(entries)
    for name, array in member.tensors.items()
  }
  if deck.gate is not None:
    tensors[_GATE] = np.asarray(deck.gate.features)
  record = {
    'members': [member.record for member in entries],
    'schemes': list(deck.schemes),
    'vote': deck.vote,
    'gate': None if deck.gate is None else list(deck.gate.schemes),
    'provenance': provenance,
  }
  return container.write(record, tensors)


def _described(members: list[Any]) -> list[entry.Described]:
  """Within the limits of one network, all of them together."""
  if not 0 < len(members) <= MAX_MEMBERS:
    raise MalformedError(
      f'a deck has 1 to {MAX_MEMBERS} members, not {len(members)}'
    )
  found, total = [], 0
  for member in members:
    if not isinstance(member, dict):
      raise MalformedError(f'no member of a deck: {str(member)[:80]}')
    found.append(entry.described(member))
    total += description.parameters(found[-1].model)
    if total > description.MAX_PARAMETERS:
      raise MalformedError(
        f'{total:,} parameters and more of all members are more than the '
        f'{description.MAX_PARAMETERS:,} that are read'
      )
  return found


def _split(
  tensors: container.Tensors, members: int
) -> tuple[list[dict[str, Any]], Any]:
  """The tensors of each member, and those of the gate, None without."""
  own = [{} for _ in range(members)]
  places = {str(i): found for i, found in enumerate(own)}
  features = None
  for key, tensor in tensors.items():
    place, _, name = key.partition('/')
    if key == _GATE:
      features = tensor
    elif place in places:
      places[place][name] = tensor
    else:
      raise MalformedError(f'{key[:80]!r} is no part of any of its members')
  return own, features


def _gate(schemes: Any, features: Float16[np.ndarray, 'S N D'] | None):
  if schemes is None and features is None:
    return None
  if not _are_names(schemes) or features is None:
    raise MalformedError('a gate has a list of schemes and their features')
  if features.dtype != np.float16 or not np.isfinite(features).all():
    raise MalformedError(
      f'{_GATE} must be finite numbers of float16, got {features.dtype}'
    )
  return Gate(jnp.asarray(features), tuple(schemes))


def _are_names(told: Any) -> bool:
  return (
    isinstance(told, list)
    and 0 < len(told) <= MAX_MEMBERS
    and all(isinstance(x, str) and 0 < len(x) <= 256 for x in told)
  )
