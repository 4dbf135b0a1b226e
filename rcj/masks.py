"""Binary masks over parameters: which weights, or filters, stay alive.

A mask tree has the nesting of the parameters, a bool array where a leaf is
prunable and None where it is dense. A filter mask is `[1,1,1,C]` on a kernel
and `[C]` on the leaves that follow its output channels. Scores of -inf mark
dormant entries: no function here gives them back.
"""

from __future__ import annotations

import functools
import math
import re
import warnings
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from rcj import tree
from rcj.ops.select import largest
from rcj.types import Counts, Masks, Params, Scores

Scope = Literal['global', 'layer']
Rule = Literal['round', 'truncate', 'open_lth']


def eligible(
  params: Params,
  *,
  include: str = r'(.*/)?kernel',
  exclude: str | None = None,
  within: Masks | None = None,
) -> Masks:
  """Masks of what may be pruned: True on every entry of the chosen leaves.

  The default takes the kernel of every convolution and dense layer, stem and
  classifier included, and no bias or BatchNorm.

  Args:
    params: the network's parameters.
    include: regular expression for whole leaf names.
    exclude: regular expression for names to leave out again.
    within: current masks; only what is alive in them is eligible.

  Raises:
    ValueError: if a pattern matches no leaf; lists the names.
  """
  chosen = tree.select(params, include)
  if exclude is not None:
    tree.check_pattern(chosen, exclude)
    chosen = tree.map_named(
      lambda n, x: None if re.fullmatch(exclude, n) else x, chosen
    )
  current = {} if within is None else tree.leaves(within)

  def alive(name, x):
    mask = current.get(name)
    return jnp.broadcast_to(True if mask is None else mask, x.shape)

  return tree.map_named(alive, chosen)


def apply(params: Params, masks: Masks) -> Params:
  """Parameters with zeros where the mask is False; None leaves are dense."""
  return jax.tree.map(
    lambda w, m: w if m is None else jnp.where(m, w, 0), params, masks
  )


def intersect(params: Params, first: Masks, second: Masks) -> Masks:
  """What is alive in both; adds a pruning to earlier ones.

  Args:
    params: gives the nesting.
    first: masks over `params`; weight and filter masks may meet.
    second: masks over `params`.
  """

  def both(_, a, b):
    if a is None or b is None:
      return b if a is None else a
    return a & b

  return jax.tree.map(both, params, first, second)


def density(masks: Masks, *, params: Params | None = None) -> float:
  """Fraction kept of the masked kernels; 1 if there are none.

  Args:
    masks: bool arrays; leaves of one axis (followers of a filter mask) do not
      count.
    params: with them, a filter mask weighs as much as the kernel it covers;
      without, as much as it has filters.
  """
  kept = size = 0
  sizes = masks if params is None else params

  def count(x, mask):
    nonlocal kept, size
    if mask is not None and mask.ndim > 1:
      kept += int(jnp.sum(mask)) * (math.prod(x.shape) // mask.size)
      size += math.prod(x.shape)

  jax.tree.map(count, sizes, masks)
  return kept / size if size else 1.0


def kept(n: int, *, density: float, count: Rule = 'round') -> int:
  """How many of `n` entries stay; exact arithmetic on the host.

  Args:
    n: number of entries.
    density: fraction kept, 0..1.
    count: rule for the number that goes. 'round' is torch.nn.utils.prune:
      round-half-even of amount * n, where amount is the decimal 1 - density as
      a user would write it. 'truncate' is int((1 - density) * n) in float64,
      as Hydra, edge-popup and biprop. 'open_lth' is ceil(amount * n) + 1, as
      facebookresearch/open_lth: it keeps what is strictly above the value at
      sorted position ceil(amount * n). Where that value is tied, open_lth
      drops all tied entries; here the count stays exact.

  Raises:
    ValueError: if density is outside 0..1 or the rule is not known.
  """
  if not 0 <= density <= 1:
    raise ValueError(f'density is a fraction kept, 0..1, got {density}')
  amount = float(1 - Decimal(repr(float(density))))
  if count == 'round':
    return n - round(amount * n)
  if count == 'truncate':
    return n - int((1 - density) * n)
  if count == 'open_lth':
    return max(n - math.ceil(amount * n) - 1, 0)
  raise ValueError(
    f"count must be 'round', 'truncate' or 'open_lth', got {count!r}"
  )


def counts_of(
  sizes: Sequence[int], *, density: float, scope: Scope, count: Rule
) -> np.ndarray:
  """`kept` for layers of these sizes.

  Returns:
    int32 scalar for scope 'global' (all layers together), int32[L] for
    'layer'.

  Raises:
    ValueError: if the scope, the rule or the density is not valid.
  """
  if scope == 'global':
    sizes = sum(sizes)
    return np.int32(kept(sizes, density=density, count=count))
  if scope == 'layer':
    each = [kept(n, density=density, count=count) for n in sizes]
    return np.asarray(each, np.int32)
  raise ValueError(f"scope must be 'global' or 'layer', got {scope!r}")


def counts(
  scores: Scores,
  *,
  density: float,
  scope: Scope = 'global',
  count: Rule = 'round',
) -> np.ndarray:
  """Entries to keep, for `keep_k`; dormant ones (-inf) do not count.

  Args:
    scores: concrete arrays, None where not prunable.
    density: fraction kept of the entries that are not dormant.
    scope: one count for all leaves together, or one for each.
    count: rounding rule, see `kept`.

  Returns:
    int32 scalar for scope 'global', int32[L] in tree order for 'layer'.

  Raises:
    ValueError: if scope, count or density is not valid, a score is NaN, or
      filter scores are to be compared between layers.
  """
  named = tree.leaves(scores)
  _check(named, scope)
  alive = [int(jnp.sum(s > -jnp.inf)) for s in named.values()]
  return counts_of(alive, density=density, scope=scope, count=count)


def _check(named: dict[str, jax.Array], scope: Scope) -> None:
  if not named:
    raise ValueError('there are no scores: every leaf is None')
  nan = [n for n, s in named.items() if bool(jnp.any(jnp.isnan(s)))]
  if nan:
    raise ValueError(f'scores are NaN in {nan}: has the training diverged?')
  filters = all(s.size == s.shape[-1] > 1 for s in named.values())
  if filters and scope == 'global':
    raise ValueError(
      "filter scores need scope='layer': norms of filters of different layers "
      'are not comparable, and members of a group would be counted twice'
    )


@functools.partial(jax.jit, static_argnames='strict')
def keep_k(scores: Scores, k: Counts, *, strict: bool = False) -> Masks:
  """Masks of the `k` largest scores, exactly; compiles once for all `k`.

  Of equal scores the one with the lowest flat index is pruned first; flat
  order is leaves in tree order, C order within a leaf. Dormant entries (-inf)
  are never kept, even where `k` is larger than the number of others.

  Args:
    scores: float arrays without NaN, None where not prunable.
    k: int32 scalar (all leaves together) or int32[L] (each leaf, tree order).
    strict: False lets every leaf keep at least its largest entry, over the
      count if need be; True follows `k` to the letter, as torch does.
  """
  leaves, structure = jax.tree.flatten(scores)
  k = jnp.asarray(k, jnp.int32)
  if k.ndim == 1 and len(k) != len(leaves):
    raise ValueError(
      f'k has {len(k)} counts for {len(leaves)} leaves of scores: '
      f'{", ".join(tree.names(scores))}'
    )
  if k.ndim == 1 and not strict:
    k = jnp.maximum(k, 1)
  masks = largest(leaves, k)
  if k.ndim == 0 and not strict:
    in_leaf = jnp.stack([jnp.sum(m, dtype=jnp.int32) for m in masks])
    masks = jax.lax.cond(
      jnp.any(in_leaf == 0),
      lambda: largest(leaves, jnp.maximum(in_leaf, 1)),
      lambda: masks,
    )
  return jax.tree.unflatten(structure, masks)


def keep_top(
  scores: Scores,
  *,
  density: float,
  scope: Scope = 'global',
  count: Rule = 'round',
  strict: bool = False,
) -> Masks:
  """Masks of the largest scores; `counts`, then `keep_k`.

  Han et al. 2015, https://arxiv.org/abs/1506.02626, for magnitudes. With
  strict=True masks equal those of torch.nn.utils.prune wherever scores are not
  tied.

  Args:
    scores: concrete float32 arrays, -inf where dormant, None where not
      prunable.
    density: fraction kept of the entries that are not dormant, 0..1.
    scope: 'global' ranks all leaves together, 'layer' each on its own. Filter
      scores need 'layer'.
    count: rounding rule, see `kept`.
    strict: False keeps the largest entry of a layer that would become empty,
      and warns with its name; True empties it.

  Raises:
    ValueError: as `counts`.
  """
  k = counts(scores, density=density, scope=scope, count=count)
  masks = keep_k(scores, k, strict=True)
  if strict:
    return masks
  alive = tree.leaves(scores)
  empty = [
    n
    for n, m in tree.leaves(masks).items()
    if not bool(jnp.any(m)) and bool(jnp.any(alive[n] > -jnp.inf))
  ]
  if not empty:
    return masks
  warnings.warn(
    f'density {density:g} would empty {", ".join(empty)}: each keeps its '
    'largest score (strict=True prunes it too)',
    stacklevel=2,
  )
  return keep_k(scores, k)


def n_m(scores: Scores, *, n: int, m: int) -> Masks:
  """Masks that keep `n` of every `m` consecutive input channels.

  For every output channel and kernel position on its own; of equal scores the
  lowest index is pruned first. Mishra et al. 2021,
  https://arxiv.org/abs/2104.08378, for n=2, m=4.

  Args:
    scores: kernels `[..., in, out]`, None where not prunable.
    n: entries kept of each run, 0 < n <= m.
    m: length of a run along the input axis.

  Raises:
    ValueError: if m does not divide a leaf's input axis, or n is not in 1..m.
  """
  if not 0 < n <= m:
    raise ValueError(f'n:m needs 0 < n <= m, got {n}:{m}')

  def leaf(name, s):
    if s.ndim < 2 or s.shape[-2] % m:
      raise ValueError(
        f'{name} of shape {s.shape} has no input axis (second to last) that '
        f'is a multiple of {m}; exclude it from the eligible leaves'
      )
    runs = s.reshape(*s.shape[:-2], -1, m, s.shape[-1])
    mine, other = runs[..., :, None, :], runs[..., None, :, :]
    later = jnp.tril(jnp.ones((m, m), bool), -1).T[..., None]
    later = later.reshape((1,) * (runs.ndim - 2) + later.shape)
    ahead = (other > mine) | ((other == mine) & later)
    keep = jnp.sum(ahead, axis=-2) < n
    return (keep & (runs > -jnp.inf)).reshape(s.shape)

  return tree.map_named(leaf, scores)


def keep_blocks(
  scores: Scores,
  *,
  side: int,
  density: float,
  scope: Scope = 'global',
  count: Rule = 'round',
  strict: bool = False,
) -> Masks:
  """Masks that keep whole square blocks, those of the largest sums of scores.

  A kernel `[h, w, in, out]` is taken as the matrix `[h * w * in, out]` that
  multiplies patches of the image. Narang et al. 2017,
  https://arxiv.org/abs/1711.02782, who rank blocks by their largest entry.

  Args:
    scores: concrete kernels, -inf where dormant, None where not prunable.
    side: rows and columns of a block; 32 and 128 have fast products, see
      `rcj.ops.block_sparse`.
    density: fraction kept of the blocks that are not all dormant, 0..1.
    scope: as of `keep_top`, whose entries are here the blocks.
    count: likewise.
    strict: likewise.

  Raises:
    ValueError: if a matrix is not made of whole blocks; and as `keep_top`.
  """

  def sums(name, s):
    matrix = math.prod(s.shape[:-1]), s.shape[-1]
    if s.ndim < 2 or matrix[0] % side or matrix[1] % side:
      raise ValueError(
        f'{name} of shape {s.shape} is the matrix {matrix}, which is not made '
        f'of {side} x {side} blocks; exclude it from the eligible leaves'
      )
    blocks = s.reshape(matrix[0] // side, side, matrix[1] // side, side)
    total = jnp.sum(blocks, (1, 3), where=blocks > -jnp.inf, keepdims=True)
    dormant = jnp.all(blocks == -jnp.inf, (1, 3), keepdims=True)
    return jnp.where(dormant, -jnp.inf, total)

  def spread(s, kept):
    rows, _, columns, _ = kept.shape
    whole = jnp.broadcast_to(kept, (rows, side, columns, side))
    return whole.reshape(s.shape) & (s > -jnp.inf)

  kept = keep_top(
    tree.map_named(sums, scores),
    density=density,
    scope=scope,
    count=count,
    strict=strict,
  )
  return jax.tree.map(spread, scores, kept)


def cubic(
  step: int, *, begin: int, end: int, density: float, initial: float = 1.0
) -> float:
  """Density at a step of gradual pruning: fast at first, then slower.

  d + (d_0 - d) (1 - t)^3 with t = (step - begin) / (end - begin) clipped to
  0..1. Zhu and Gupta 2017, https://arxiv.org/abs/1710.01878, equation 1.

  Args:
    step: current step.
    begin: last step with the initial density.
    end: first step with the final density, larger than `begin`.
    density: final fraction kept.
    initial: fraction kept before `begin`.

  Raises:
    ValueError: if `end` does not come after `begin`.
  """
  if end <= begin:
    raise ValueError(f'end must come after begin, got {begin=} and {end=}')
  progress = min(max((step - begin) / (end - begin), 0.0), 1.0)
  return density + (initial - density) * (1 - progress) ** 3
