"""A network as a record and tensors, the contents of a file or a part of them.

Every array is stored as `packing` finds it smallest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from rcj import tree
from rcj.export import container, description, layout, packing
from rcj.export.errors import MalformedError
from rcj.models.graph_net import nested
from rcj.types import Frozen, Preprocessing
from rcj.weights import Masked


class Entry(NamedTuple):
  """What a file says of one network.

  Attributes:
    record: what JSON can hold.
    tensors: the parts of its arrays.
    weight_bits: of the values of its arrays, see `Packing.value_bits`.
  """

  record: dict[str, Any]
  tensors: container.Tensors
  weight_bits: int


class Described(NamedTuple):
  """A network without its arrays, within the limits of `description`."""

  model: description.Model
  preprocessing: Preprocessing
  classes: tuple[str, ...]
  packings: Any


def of_network(frozen: Frozen, *, check: bool = True) -> Entry:
  """The entry of a network as `deployable` gives it.

  Args:
    frozen: the network, its arrays on the host.
    check: whether values that no network that works has are an error.

  Raises:
    ValueError: if arrays are not those of its model, weights are not finite,
      or names of classes are missing.
  """
  arrays = _arrays(frozen)
  if check:
    _check_layout(frozen, arrays)
    for name, x in arrays.items():
      layout.check(name, x)
  record, packings, tensors, bits = description.to_json(frozen), {}, {}, 0
  description.from_json(record)
  for name, x in arrays.items():
    how, parts = packing.pack(x)
    packings[name] = dataclasses.astuple(how)
    tensors |= {f'{name}:{part}': array for part, array in parts.items()}
    bits += how.value_bits(x.shape, x.dtype)
  return Entry({**record, 'packing': packings}, tensors, bits)


def described(record: Mapping[str, Any]) -> Described:
  """What a record describes, before anything is unpacked.

  Raises:
    MalformedError: if it is no network, or one beyond the limits.
  """
  return Described(*description.from_json(record), record.get('packing'))


def to_network(network: Described, tensors: container.Tensors) -> Frozen:
  """The network that `of_network` saw.

  Raises:
    MalformedError: if the tensors are not its own.
  """
  expected = layout.leaves(network.model)
  packings = _packings(network.packings, expected)
  parts = _grouped(tensors, expected)
  arrays = {}
  for name, leaf in expected.items():
    arrays[name] = _unpack(name, packings[name], parts[name], leaf)
  variables = nested(arrays)
  params = jax.tree.map(jnp.asarray, variables.get('params', {}))
  nowhere = jax.tree.map(lambda _: None, params)
  return Frozen(
    params=params,
    batch_stats=jax.tree.map(jnp.asarray, variables.get('batch_stats', {})),
    masks=nowhere,
    scores=nowhere,
    model=network.model,
    effective=Masked(),
    preprocessing=network.preprocessing,
    classes=network.classes,
  )


def _check_layout(
  frozen: Frozen, arrays: Mapping[str, Shaped[np.ndarray, '*shape']]
) -> None:
  expected = layout.leaves(frozen.model)
  got = {n: layout.Leaf(x.shape, x.dtype) for n, x in arrays.items()}
  wrong = [n for n in expected | got if expected.get(n) != got.get(n)]
  if wrong:
    raise ValueError(
      f'{wrong[0]} of the network must be {expected.get(wrong[0])}, got '
      f'{got.get(wrong[0])}; usually weights are float64, or belong to another '
      f'model ({len(wrong)} arrays differ)'
    )


def _arrays(frozen: Frozen) -> dict[str, Shaped[np.ndarray, '*shape']]:
  """Arrays by name; masks leave zeros of either sign, all become +0.0."""
  variables = {'params': frozen.params, 'batch_stats': frozen.batch_stats}
  found = {n: np.asarray(x) for n, x in tree.leaves(variables).items()}
  return {n: np.where(x == 0, x.dtype.type(0), x) for n, x in found.items()}


def _packings(
  told: Any, expected: Mapping[str, layout.Leaf]
) -> dict[str, packing.Packing]:
  if not isinstance(told, dict) or set(told) != set(expected):
    raise MalformedError('its arrays are not those of its graph')
  return {name: packing.from_json(how) for name, how in told.items()}


def _grouped(
  tensors: container.Tensors, expected: Mapping[str, layout.Leaf]
) -> dict[str, packing.Parts]:
  """{array: its parts}."""
  found = {name: {} for name in expected}
  for key, part in tensors.items():
    name, _, kind = key.rpartition(':')
    if name not in found:
      raise MalformedError(f'{key[:80]!r} is no part of any of its arrays')
    found[name][kind] = part
  return found


def _unpack(
  name: str, how: packing.Packing, parts: packing.Parts, leaf: layout.Leaf
) -> Shaped[np.ndarray, '*shape']:
  try:
    x = packing.unpack(how, parts, shape=leaf.shape, dtype=leaf.dtype)
    layout.check(name, x)
  except MalformedError as error:
    raise MalformedError(f'{name}: {error}') from error
  return x
