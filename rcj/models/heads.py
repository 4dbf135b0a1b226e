"""A trained network with another classifier, for transfer learning."""

from __future__ import annotations

import dataclasses
from typing import Any

from flax import linen as nn
from jaxtyping import Array, Key

from rcj import tree
from rcj.models import apply
from rcj.models.graph_net import GraphNet
from rcj.types import Frozen

_HEAD = 'head'  # in every module of the registry


def with_new_head(
  key: Key[Array, ''], frozen: Frozen, classes: tuple[str, ...]
) -> Frozen:
  """The network with random weights in its classifier, all else unchanged.

  They are those of the classifier that `init` draws from the same key. Neither
  masks nor scores are kept of the old one.

  Args:
    key: PRNG key.
    frozen: a network of floats.
    classes: names of the new outputs.

  Raises:
    ValueError: for a quantized network.
  """
  model = _with_outputs(frozen.model, len(classes))
  head = model.graph.output if isinstance(model, GraphNet) else _HEAD
  drawn, _ = apply.init(key, model, size=frozen.preprocessing.size)

  def keep(part: Any, *, new: bool = False) -> Any:
    known = tree.leaves(part)

    def leaf(name, x):
      if name.startswith(f'{head}/'):
        return x if new else None
      return known.get(name)

    return tree.map_named(leaf, drawn)

  origin = frozen.origin
  return dataclasses.replace(
    frozen,
    params=keep(frozen.params, new=True),
    masks=keep(frozen.masks),
    scores=keep(frozen.scores),
    model=model,
    classes=classes,
    origin=None if origin is None else _with_outputs(origin, len(classes)),
  )


def _with_outputs(
  model: nn.Module | GraphNet, num_classes: int
) -> nn.Module | GraphNet:
  if isinstance(model, nn.Module):
    return model.clone(num_classes=num_classes)
  if not isinstance(model, GraphNet):
    raise ValueError(
      f'a {type(model).__name__} cannot get another classifier: its weights '
      'are quantized; take the network from before'
    )
  graph = model.graph
  nodes = tuple(
    dataclasses.replace(node, features=num_classes)
    if node.name == graph.output
    else node
    for node in graph.nodes
  )
  return dataclasses.replace(
    model, graph=dataclasses.replace(graph, nodes=nodes)
  )
