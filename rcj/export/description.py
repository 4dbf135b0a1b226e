"""What the record of an artifact says of a network, and its limits.

Whoever wrote the file, reading it must end soon, take no more memory than the
limits allow, and give a network that fits together.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from rcj import graph as graphs
from rcj import models
from rcj.export.errors import MalformedError
from rcj.types import Frozen, Preprocessing

# WRN-101-2, the largest network in use, has 127 million parameters.
MAX_PARAMETERS = 2**28
MAX_NODES = 4096
_DTYPES = ('float32', 'bfloat16', 'float16')
_MAX_NAME, _MAX_SIDE, _MAX_CHANNELS, _MAX_NUMBER = 256, 2**16, 2**20, 1e6

Model = models.GraphNet | models.IntNet


def to_json(frozen: Frozen) -> dict[str, Any]:
  """Model, preprocessing and classes, as `from_json` reads them.

  Args:
    frozen: as `deployable` gives it.

  Raises:
    ValueError: if there are not as many classes as outputs.
  """
  outputs = frozen.model.num_classes
  if len(frozen.classes) != outputs:
    raise ValueError(
      f'a network of {outputs} outputs needs the names of {outputs} classes, '
      f'got {len(frozen.classes)}'
    )
  return {
    'model': models.spec(frozen.model),
    'preprocessing': dataclasses.asdict(frozen.preprocessing),
    'classes': list(frozen.classes),
  }


def from_json(
  record: Mapping[str, Any],
) -> tuple[Model, Preprocessing, tuple[str, ...]]:
  """What `to_json` described.

  Raises:
    MalformedError: if it is no network, or one beyond the limits.
  """
  model = _model(record.get('model'))
  classes = record.get('classes')
  if not (isinstance(classes, list) and all(map(_is_text, classes))):
    raise MalformedError('classes must be a list of names')
  if len(classes) != model.num_classes:
    raise MalformedError(
      f'{model.num_classes} outputs, but {len(classes)} names of classes'
    )
  how = _preprocessing(record.get('preprocessing'))
  try:
    graphs.shapes(model.graph, how.size)
  except ValueError as error:
    raise MalformedError(f'for images of {how.size} px: {error}') from error
  return model, how, tuple(classes)


def parameters(model: Model) -> int:
  """How many numbers it has."""
  return sum(map(math.prod, graphs.parameter_shapes(model.graph).values()))


def _model(spec: Any) -> Model:
  described = spec.get('graph') if isinstance(spec, dict) else None
  if not isinstance(described, dict):
    raise MalformedError('expected a model with a graph of operations')
  _check_nodes(described.get('nodes'))
  if spec.get('dtype', 'float32') not in _DTYPES:
    raise MalformedError(f'nothing is computed in {str(spec["dtype"])[:80]!r}')
  floats = spec.get('keep_float', [])
  if not (isinstance(floats, list) and all(map(_is_name, floats))):
    raise MalformedError('keep_float must be a list of names of nodes')
  try:
    model = models.from_spec(spec)
    total = parameters(model)
  except (ValueError, TypeError, KeyError, AttributeError) as error:
    raise MalformedError(
      f'its graph is no network: {str(error)[:200]}'
    ) from error
  if not isinstance(model, Model):
    raise MalformedError(f'a {type(model).__name__} is not what ships')
  if any(isinstance(n, graphs.BatchNorm) for n in model.graph.nodes):
    raise MalformedError('BatchNorm must have become part of convolutions')
  if total > MAX_PARAMETERS:
    raise MalformedError(
      f'{total:,} parameters are more than the {MAX_PARAMETERS:,} that are read'
    )
  return model


def _check_nodes(nodes: Any) -> None:
  if not isinstance(nodes, list) or len(nodes) > MAX_NODES:
    raise MalformedError(f'expected a list of up to {MAX_NODES} nodes')
  for node in nodes:
    if not isinstance(node, dict):
      raise MalformedError(f'a node must be an object, got {str(node)[:80]}')
    for field, value in node.items():
      if field not in _FIELDS or not _FIELDS[field](value):
        raise MalformedError(
          f'{field[:80]} of the node {str(node.get("name"))[:80]!r} cannot be '
          f'{str(value)[:80]!r}'
        )


def _preprocessing(told: Any) -> Preprocessing:
  try:
    found = Preprocessing(**told)
    mean, std = tuple(found.mean), tuple(found.std)
    found = dataclasses.replace(found, mean=mean, std=std)
  except TypeError as error:
    raise MalformedError(f'no preprocessing: {str(error)[:80]}') from error
  sides = (found.size, found.size if found.resize is None else found.resize)
  fine = (
    len(mean) == len(std) == 3
    and all(map(_is_number, (*mean, *std)))
    and all(x > 0 for x in std)
    and all(_is_count(_MAX_SIDE)(x) for x in sides)
  )
  if not fine:
    raise MalformedError(f'images cannot be shown as {str(told)[:200]}')
  return found


def _is_text(x: Any) -> bool:
  return isinstance(x, str)


def _is_name(x: Any) -> bool:
  return isinstance(x, str) and 0 < len(x) <= _MAX_NAME


def _is_number(x: Any) -> bool:
  return type(x) in (int, float) and abs(x) < _MAX_NUMBER


def _is_flag(x: Any) -> bool:
  return type(x) is bool


def _is_count(most: int) -> Callable[[Any], bool]:
  return lambda x: type(x) is int and 1 <= x <= most


_FIELDS: Mapping[str, Callable[[Any], bool]] = {
  'op': _is_text,
  'name': _is_name,
  'inputs': lambda x: isinstance(x, list) and all(map(_is_name, x)),
  'features': _is_count(_MAX_CHANNELS),
  'size': _is_count(255),
  'side': _is_count(_MAX_SIDE),
  'stride': _is_count(255),
  'padding': lambda x: x in ('torch', 'tf'),
  'bias': _is_flag,
  'affine': _is_flag,
  'epsilon': lambda x: _is_number(x) and x > 0,
  'maximum': lambda x: x is None or (_is_number(x) and x > 0),
}
