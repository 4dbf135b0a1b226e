"""Physical removal of silent channels: a pruned network that is really smaller.

Li et al. 2017, Pruning Filters for Efficient ConvNets, section 3,
https://arxiv.org/abs/1608.08710: with a filter go its BatchNorm and the slices
of the kernels that read it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from rcj import graph as graphs
from rcj import models, tree, weights
from rcj.graph import Graph
from rcj.types import ChannelGroup, Frozen

_Alive = Bool[np.ndarray, ' C']


def shrink(frozen: Frozen) -> Frozen:
  """The same function without its silent channels, to use or to train on.

  A channel of a group (`models.channel_groups`) is silent if the effective
  weights of all kernels and followers of the group are zero there: masked by
  `Prune` with a filter score, or zeros of a folded network. Where a mask covers
  the kernels alone, as torch's ln_structured does, BatchNorm makes a constant
  of the channel, not zero: such channels stay. So do those of the streams of
  option-A ResNets, which are in no group.

  A group of which nothing is left keeps its first channel, silent as it is.

  Args:
    frozen: any network in floating point; learned scores become masks.

  Returns:
    A network whose model is a `models.GraphNet` and whose `origin` is the
    model that had all channels. Its logits differ by rounding, as sums have
    fewer terms. Masks that still hide something are sliced as the weights are,
    others become None.

  Raises:
    ValueError: for a quantized network.
  """
  model = frozen.model
  if isinstance(model, (models.QuantNet, models.IntNet)):
    raise ValueError(
      f'shrink takes networks in floating point, not a {type(model).__name__}: '
      'shrink first, then quantize'
    )
  frozen = weights.fixed(frozen)
  graph = models.graph_of(model)
  cut = _cut(graph, frozen)
  arrays = [
    tree.map_named(cut, x)
    for x in (frozen.params, frozen.batch_stats, frozen.masks)
  ]
  arrays[2] = jax.tree.map(lambda m: None if m.all() else m, arrays[2])
  params, batch_stats, masks = jax.tree.map(jnp.asarray, arrays)
  return dataclasses.replace(
    frozen,
    params=params,
    batch_stats=batch_stats,
    masks=masks,
    model=models.GraphNet(cut.graph(graph), model.dtype),
    origin=frozen.origin or model,
  )


@dataclasses.dataclass(frozen=True)
class _Cut:
  """Takes channels away; called with a leaf of params, masks or statistics.

  Attributes:
    written: {leaf: which slices of its last axis stay}.
    read: {kernel: which slices of its input axis, the second to last, stay};
      behind a `Flatten` they come again for every pixel.
  """

  written: Mapping[str, _Alive]
  read: Mapping[str, _Alive]

  def __call__(self, name: str, x: Array) -> np.ndarray:
    x = np.asarray(x)
    if name in self.read and x.shape[-2] > 1:  # 1 in the mask of a filter
      alive = self.read[name]
      x = x[..., np.tile(alive, x.shape[-2] // len(alive)), :]
    if name in self.written:
      x = x[..., self.written[name]]
    return x

  def graph(self, graph: Graph) -> Graph:
    """The graph with the channels that are left."""

    def node(x):
      alive = self.written.get(f'{x.name}/kernel')
      if alive is None or not hasattr(x, 'features'):
        return x
      return dataclasses.replace(x, features=int(alive.sum()))

    return dataclasses.replace(graph, nodes=tuple(map(node, graph.nodes)))


def _cut(graph: Graph, frozen: Frozen) -> _Cut:
  k = frozen.effective.counts(frozen.scores)
  shown = tree.leaves(
    frozen.effective(frozen.params, frozen.masks, frozen.scores, k)
  )
  written, read = {}, {}
  for group in graphs.channel_groups(graph):
    alive = _alive(group, shown)
    members = (*group.kernels, *group.followers, *_statistics(group))
    written |= dict.fromkeys(members, alive)
    read |= dict.fromkeys(group.readers, alive)
  return _Cut(written, read)


def _alive(group: ChannelGroup, shown: Mapping[str, Array]) -> _Alive:
  members = (np.asarray(shown[n]) for n in (*group.kernels, *group.followers))
  alive = np.logical_or.reduce(
    [np.any(w, axis=tuple(range(w.ndim - 1))) for w in members]
  )
  if not alive.any():
    alive[0] = True
  return alive


def _statistics(group: ChannelGroup) -> list[str]:
  scales = [n for n in group.followers if n.endswith('/scale')]
  norms = [n.removesuffix('/scale') for n in scales]
  return [f'{n}/{part}' for n in norms for part in ('mean', 'var')]
