"""Compression ratio: parameters of the dense network over those left.

All parameters count, BatchNorm and biases too, so that a ratio of 40 needs
more than 1/40 of the kernels to go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Bool

from rcj import tree
from rcj.types import ChannelGroup, Masks, Params


def total(params: Params) -> int:
  """Number of parameters."""
  return sum(math.prod(w.shape) for w in jax.tree.leaves(params))


def remaining(
  params: Params, masks: Masks, *, groups: Sequence[ChannelGroup] = ()
) -> int:
  """Number of parameters that are not masked.

  Filters that can be removed physically, because their kernels and all their
  followers are masked, also take the input slices of their readers with them.

  Args:
    params: the network's parameters, or their shapes.
    masks: weight masks, filter masks `[1,1,1,C]`, or None per leaf.
    groups: the network's channel groups; without them, masks count as they
      are.
  """
  mask = {n: np.asarray(m) for n, m in tree.leaves(masks).items()}
  inputs = {}
  for group in groups:
    removed = _removed(mask, group)
    if removed is not None:
      inputs.update(dict.fromkeys(group.readers, ~removed))
  return sum(
    _leaf_remaining(w.shape, mask.get(n), inputs.get(n))
    for n, w in tree.leaves(params).items()
  )


def _removed(
  mask: dict[str, Bool[np.ndarray, ' *shape']], group: ChannelGroup
) -> Bool[np.ndarray, ' C'] | None:
  """Channels that are masked in every member; None if a member is dense."""
  members = (*group.kernels, *group.followers)
  if not all(n in mask for n in members):
    return None
  dead = [~mask[n].any(axis=tuple(range(mask[n].ndim - 1))) for n in members]
  return np.logical_and.reduce(dead)


def _leaf_remaining(
  shape: tuple[int, ...],
  mask: Bool[np.ndarray, ' *shape'] | None,
  inputs: Bool[np.ndarray, ' I'] | None,
) -> int:
  mask = np.ones((1,) * len(shape), bool) if mask is None else mask
  if inputs is not None:
    # Behind a flattening layer the channels come again for every pixel.
    inputs = np.tile(inputs, shape[-2] // len(inputs))
    # Broadcasting to one kernel position suffices for a filter mask.
    mask = mask & inputs[:, None]
  return int(mask.sum()) * (math.prod(shape) // mask.size)


def density_for_ratio(params: Params, eligible: Masks, ratio: float) -> float:
  """Density of the eligible weights at which total / remaining = ratio.

  To within one weight. Dormant entries (False in `eligible`) count as gone
  already, leaves that are None there as dense.

  Args:
    params: the network's parameters.
    eligible: bool arrays, None where not prunable.
    ratio: compression ratio to reach, at least the current one.

  Raises:
    ValueError: if the ratio cannot be reached; tells the possible ones.
  """
  sizes = {n: math.prod(w.shape) for n, w in tree.leaves(params).items()}
  alive = tree.leaves(eligible)
  prunable = sum(int(m.sum()) for m in alive.values())
  everything = sum(sizes.values())
  fixed = everything - sum(sizes[n] for n in alive)
  kept = round(everything / ratio) - fixed
  if not len(alive) <= kept <= prunable:
    raise _impossible(ratio, everything, fixed + prunable, fixed + len(alive))
  return kept / prunable


def density_for_filter_ratio(
  params: Params,
  eligible: Masks,
  ratio: float,
  groups: Sequence[ChannelGroup],
) -> float:
  """Per-layer density of filters that comes nearest to total / remaining.

  Layers have few filters, so that only some ratios exist. The density lies
  between those at which the count of any layer changes, so that no rounding
  rule matters.

  Args:
    params: the network's parameters.
    eligible: bool arrays; groups whose kernels are all in it are pruned.
    ratio: compression ratio to reach.
    groups: the network's channel groups.

  Raises:
    ValueError: if the ratio cannot be reached; tells the possible ones.
  """
  alive = {
    n: np.asarray(m).any(axis=tuple(range(m.ndim - 1)))
    for n, m in tree.leaves(eligible).items()
  }
  pruned = [
    (g, np.logical_or.reduce([alive[n] for n in g.kernels]))
    for g in groups
    if all(n in alive for n in g.kernels)
  ]
  densities = _plateaus({int(channels.sum()) for _, channels in pruned})

  def left(density):
    masks = _first_filters(params, pruned, density)
    return remaining(params, masks, groups=groups)

  everything = total(params)
  most, least = left(densities[-1]), left(densities[0])
  if not everything / most <= ratio <= everything / least:
    raise _impossible(ratio, everything, most, least)
  low, high = 0, len(densities) - 1
  while high - low > 1:
    middle = (low + high) // 2
    if left(densities[middle]) * ratio < everything:
      low = middle
    else:
      high = middle
  return min(
    densities[low],
    densities[high],
    key=lambda d: abs(left(d) - everything / ratio),
  )


def _plateaus(sizes: set[int]) -> list[float]:
  """One density in each interval in which no layer's count changes."""
  edges = {(j + 0.5) / n for n in sizes for j in range(n)}
  edges = np.array([0.0, *sorted(edges), 1.0])
  middle = (edges[1:] + edges[:-1]) / 2
  return [*middle[:-1].tolist(), 1.0]


def _first_filters(params, pruned, density: float) -> Masks:
  """Masks that keep this fraction of each group, whichever filters."""
  masks = {}
  for group, channels in pruned:
    keep = max(round(density * int(channels.sum())), 1)
    kept = channels & (np.cumsum(channels) <= keep)
    for n in (*group.kernels, *group.followers):
      masks[n] = kept

  def leaf(n, w):
    if n not in masks:
      return None
    return masks[n].reshape((1,) * (len(w.shape) - 1) + (-1,))

  return tree.map_named(leaf, params)


def _impossible(
  ratio: float, everything: int, most: int, least: int
) -> ValueError:
  return ValueError(
    f'a compression ratio of {ratio:g} cannot be reached: of {everything:,} '
    f'parameters {most:,} are left now, and pruning down to one weight or '
    f'filter per layer leaves {least:,}, so that ratios from '
    f'{everything / most:.4g} to {everything / least:.4g} are possible'
  )
