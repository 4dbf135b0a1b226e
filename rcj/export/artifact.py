"""A finished network in one small file that tells all about itself.

What ships is the folded network, or its integers, with effective weights: masks
and scores are gone, and what they removed is zero. Every array is stored as
`packing` finds it smallest.
"""

from __future__ import annotations

import dataclasses
import gzip
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from jaxtyping import Shaped

from rcj import files, tree
from rcj import graph as graphs
from rcj.export import container, description, layout, packing
from rcj.export.deployable import deployable
from rcj.export.errors import ArtifactError, MalformedError
from rcj.models.graph_net import nested
from rcj.types import Frozen
from rcj.weights import Masked

# Reading one takes a few times its bytes.
MAX_BYTES = 2 << 30


class Sizes(NamedTuple):
  """Bytes of a network.

  Attributes:
    dense: of its kernels and biases as float32, as it runs.
    packed: of its artifact without provenance.
    gzip: of that file after gzip at its default level, 6.
  """

  dense: int
  packed: int
  gzip: int


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
  return _told(path, decode)


def describe(path: epath.PathLike) -> dict[str, Any]:
  """The record of a file: model, preprocessing, classes, provenance.

  Raises:
    ArtifactError: of the subclass that says what is wrong with the file.
  """
  return _told(path, lambda data: container.read(data)[0])


def sizes(frozen: Frozen) -> Sizes:
  """Bytes of a network as it runs, as an artifact, and compressed."""
  frozen = deployable(jax.device_get(frozen))
  data = _packed(frozen, _arrays(frozen), None)
  shapes = graphs.parameter_shapes(frozen.model.graph).values()
  dense = 4 * sum(map(math.prod, shapes))
  return Sizes(dense, len(data), len(gzip.compress(data, 6, mtime=0)))


def encode(frozen: Frozen, *, provenance: Any = None) -> bytes:
  """The bytes that `save` writes; arguments and errors are its own."""
  frozen = deployable(jax.device_get(frozen))
  arrays = _arrays(frozen)
  _check_layout(frozen, arrays)
  for name, x in arrays.items():
    layout.check(name, x)
  return _packed(frozen, arrays, provenance)


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


def _packed(
  frozen: Frozen,
  arrays: Mapping[str, Shaped[np.ndarray, '*shape']],
  provenance: Any,
) -> bytes:
  record, packings, tensors = description.to_json(frozen), {}, {}
  description.from_json(record)
  for name, x in arrays.items():
    how, parts = packing.pack(x)
    packings[name] = dataclasses.astuple(how)
    tensors |= {f'{name}:{part}': array for part, array in parts.items()}
  record |= {'packing': packings, 'provenance': provenance}
  return container.write(record, tensors)


def decode(data: bytes) -> Frozen:
  """The network that `encode` saw; errors are those of `load`."""
  record, tensors = container.read(data)
  model, preprocessing, classes = description.from_json(record)
  expected = layout.leaves(model)
  packings = _packings(record.get('packing'), expected)
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
    model=model,
    effective=Masked(),
    preprocessing=preprocessing,
    classes=classes,
  )


def _told(path: epath.PathLike, read: Any) -> Any:
  """What `read` makes of a file's bytes; errors say which file it was."""
  path = epath.Path(path)
  try:
    length = path.stat().length
    if length > MAX_BYTES:
      raise MalformedError(f'{length:,} bytes are more than {MAX_BYTES:,}')
    return read(path.read_bytes())
  except ArtifactError as error:
    raise type(error)(f'{path}: {error}') from error


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
