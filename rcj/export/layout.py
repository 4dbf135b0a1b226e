"""The arrays of a network that ships, by its description alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from rcj import graph as graphs
from rcj import models
from rcj.export.errors import MalformedError

_FLOAT, _INT8, _INT32 = map(np.dtype, ('float32', 'int8', 'int32'))


class Leaf(NamedTuple):
  """Shape and type of an array."""

  shape: tuple[int, ...]
  dtype: np.dtype


def leaves(model: models.GraphNet | models.IntNet) -> dict[str, Leaf]:
  """{'params/conv_stem/kernel': its shape and type}, statistics too.

  Raises:
    MalformedError: if a name is a leaf and a folder of leaves.
  """
  found = {
    f'params/{name}': Leaf(shape, _FLOAT)
    for name, shape in graphs.parameter_shapes(model.graph).items()
  }
  if isinstance(model, models.IntNet):
    found |= _integers(model, found)
  folders = {name[:i] for name in found for i, c in enumerate(name) if c == '/'}
  if folders & set(found):
    raise MalformedError(
      f'{sorted(folders & set(found))[:8]} are arrays and folders of arrays'
    )
  return found


def check(name: str, x: Shaped[np.ndarray, '*shape']) -> None:
  """Finds values that no network that works has.

  Raises:
    MalformedError: on NaN, infinity, a scale that is not positive, or a zero
      point outside 0..255.
  """
  kind = name.rpartition('/')[-1]
  if x.dtype == _FLOAT and not np.isfinite(x).all():
    raise MalformedError(
      f'{name} holds NaN or infinity; usually training diverged'
    )
  if kind == 'scale' and not (x > 0).all():
    raise MalformedError(f'{name} must be positive, its least is {x.min()}')
  if kind == 'zero' and not ((x >= 0) & (x <= 255)).all():
    raise MalformedError(f'{name} must lie in 0..255, got {x}')


def _integers(model: models.IntNet, floats: dict[str, Leaf]) -> dict[str, Leaf]:
  """What differs from the float network of the same graph."""
  found = {}
  for node in model.graph.nodes:
    kernel = floats.get(f'params/{node.name}/kernel')
    if kernel is not None and node.name not in model.keep_float:
      channels = kernel.shape[-1:]
      found[f'params/{node.name}/kernel'] = Leaf(kernel.shape, _INT8)
      found[f'params/{node.name}/scale'] = Leaf(channels, _FLOAT)
      found[f'params/{node.name}/bias'] = Leaf(channels, _FLOAT)
  for name, owner in graphs.stored(model.graph).items():
    if name == owner:
      found[f'batch_stats/{name}/scale'] = Leaf((), _FLOAT)
      found[f'batch_stats/{name}/zero'] = Leaf((), _INT32)
  return found
