"""From a finished network to 8-bit integers."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rcj import graph as graphs
from rcj import models
from rcj.graph import Graph
from rcj.models.graph_net import get, nested
from rcj.ops import affine
from rcj.quantize.calibration import calibrate
from rcj.types import Frozen, Params, PyTree


def quantized(
  frozen: Frozen,
  images01: Float[Array, 'N H W 3'],
  *,
  observer: str = 'minmax',
  keep_float: Sequence[str] = (),
  per_channel: bool = True,
) -> Frozen:
  """The network as integers will compute it, its `model` a `QuantNet`.

  BatchNorm is folded, masks of kernels stay. It can be attacked and trained on,
  and `integers` makes of it what ships.

  Args:
    frozen: any network but one of integers.
    images01: images to calibrate with, see `calibrate`.
    observer: how ranges are chosen, see `calibrate`.
    keep_float: patterns of names of nodes whose kernels stay floats.
    per_channel: a scale for each output channel of a kernel, or one for all.

  Raises:
    ValueError: for what `calibrate` and `quantize` refuse, and a network of
      integers.
  """
  if isinstance(frozen.model, models.IntNet):
    raise ValueError('this network is one of integers already')
  small = models.folded(frozen)
  ranges = calibrate(small, images01, observer=observer)
  how = {'keep_float': keep_float, 'per_channel': per_channel}
  return dataclasses.replace(
    quantize(small, ranges, **how), origin=frozen.origin or frozen.model
  )


def quantize(
  frozen: Frozen,
  ranges: PyTree,
  *,
  keep_float: Sequence[str] = (),
  per_channel: bool = True,
) -> Frozen:
  """`quantized` with the ranges that `calibrate` gave.

  Args:
    frozen: a network that `models.folded` gave.
    ranges: of its results.
    keep_float: see `quantized`.
    per_channel: see `quantized`.

  Raises:
    ValueError: if a pattern matches no node with a kernel.
  """
  graph = frozen.model.graph
  net = models.QuantNet(
    *(graph, _named(graph, keep_float), per_channel, frozen.model.dtype)
  )
  return dataclasses.replace(frozen, batch_stats=ranges, model=net)


def integers(frozen: Frozen) -> Frozen:
  """The network in integers, its `model` an `IntNet`, its weights the kept.

  Args:
    frozen: what `quantized` gave, trained on or not.

  Raises:
    ValueError: if its model is no `QuantNet`.
  """
  net = frozen.model
  if not isinstance(net, models.QuantNet):
    raise ValueError(
      'integers are made of a network that quantize.quantized gave, got a '
      f'{type(net).__name__}'
    )
  params, steps = _arrays(frozen)
  nowhere = jax.tree.map(lambda _: None, params)
  return dataclasses.replace(
    frozen,
    params=params,
    batch_stats=steps,
    masks=nowhere,
    scores=nowhere,
    model=models.IntNet(net.graph, net.keep_float),
  )


@jax.jit
def _arrays(frozen: Frozen) -> tuple[Params, PyTree]:
  """Parameters of the `IntNet`, and steps of its results."""
  net = frozen.model
  k = frozen.effective.counts(frozen.scores)
  weights = frozen.effective(frozen.params, frozen.masks, frozen.scores, k)
  params = {
    node.name: _params(net, node, get(weights, node.name))
    for node in net.graph.nodes
    if isinstance(node, graphs.WEIGHTED)
  }
  steps = {
    name: affine.affine(**get(frozen.batch_stats, name))
    for name, owner in graphs.stored(net.graph).items()
    if name == owner
  }
  return nested(params), nested(steps)


def _params(net: models.QuantNet, node: graphs.Node, own: Params) -> Params:
  if node.name in net.keep_float:
    return own
  kernel = own['kernel']
  scale = affine.kernel_scale(kernel, per_channel=net.per_channel)
  return {
    'kernel': affine.quantize_kernel(kernel, scale),
    'scale': scale,
    'bias': own.get('bias', jnp.zeros_like(scale)),
  }


def _named(graph: Graph, patterns: Sequence[str]) -> tuple[str, ...]:
  """Nodes with kernels that one of the patterns matches."""
  names = [n.name for n in graph.nodes if isinstance(n, graphs.WEIGHTED)]
  for pattern in patterns:
    if not any(re.fullmatch(pattern, name) for name in names):
      raise ValueError(
        f'the pattern {pattern!r} of keep_float matches no layer (patterns '
        f'match whole names); the layers with kernels are {", ".join(names)}'
      )
  return tuple(
    n for n in names if any(re.fullmatch(pattern, n) for pattern in patterns)
  )
