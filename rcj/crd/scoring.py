"""Scores of embeddings against the banks, and what they cost."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from rcj.crd.banks import AXIS, EVERYWHERE, SPLIT, Layout, Split, held, on_mesh
from rcj.ops import dispatch, gather
from rcj.types import PyTree

# The bank that an anchor is scored against.
_OTHER = {'student': 'teacher', 'teacher': 'student'}
_EPSILON = 1e-7
_EMA = 0.99


def score(
  v: PyTree,
  contrast_index: Int[Array, 'B K+1'],
  banks: PyTree,
  z: PyTree,
  *,
  layout: Layout,
  **how: Any,
) -> tuple[Float[Array, ' B'], PyTree, PyTree]:
  """Losses of a batch, their gradients and the normalisers.

  Args:
    v: {'student', 'teacher'} embeddings f32[B,D].
    contrast_index: entries that each image is scored against.
    banks: {'student', 'teacher'} entries.
    z: {'student', 'teacher'} normaliser of each anchor's scores, 0 for none.
    layout: of the banks, 'replicated' or 'sharded'.
    **how: see `_score`.

  Returns:
    (loss per image, {'student', 'teacher'} its gradient f32[B,D] with respect
    to the embedding, z after the batch).
  """
  if not on_mesh():
    return _score(v, contrast_index, banks, z, **how)
  sharded = layout == 'sharded'
  rows, entries = (EVERYWHERE, SPLIT) if sharded else (SPLIT, EVERYWHERE)
  return jax.shard_map(
    functools.partial(_score, split='entries' if sharded else 'rows', **how),
    in_specs=(rows, rows, entries, EVERYWHERE),
    out_specs=(rows, rows, EVERYWHERE),
    check_vma=False,  # kernels are chosen by platform
  )(v, contrast_index, banks, z)


def _score(
  v: PyTree,
  contrast_index: Int[Array, 'R K+1'],
  banks: PyTree,
  z: PyTree,
  *,
  images: int,
  tau: float,
  mode: str,
  split: Split = None,
) -> tuple[Float[Array, ' R'], PyTree, PyTree]:
  """`score` on one device.

  Args:
    v: embeddings that are scored here.
    contrast_index: as many rows.
    banks: the entries that are held here.
    z: see `score`.
    images: N, the number of entries over all devices.
    tau: temperature of the scores.
    mode: of the normaliser, 'first_batch' or 'ema'.
    split: what the devices of the mesh share out, 'rows' of the batch or
      'entries' of the banks; None where there is one device.
  """
  columns, here = held(banks, contrast_index, split)
  loss, slope, new_z = 0.0, {}, {}
  for anchor, other in _OTHER.items():
    dot = functools.partial(gather.dot, table=banks[other], numbers=columns)
    similarity, pull = jax.vjp(dot, v[anchor])
    e = jnp.where(here, jnp.exp(similarity / tau), 0.0)
    mean = _mean(e, split)
    new_z[anchor] = _normaliser(z[anchor], images * mean, mode)
    cost, steep = _cost(e / new_z[anchor], here, images)
    loss += cost
    (slope[anchor],) = pull(steep / tau)
  if split == 'entries':
    loss, slope = jax.lax.psum((loss, slope), AXIS)
  return loss, slope, new_z


def _mean(e: Float[Array, 'R K+1'], split: Split) -> Float[Array, '']:
  """Mean score of the whole batch."""
  if split is None:
    return jnp.mean(e)
  if split == 'rows':
    return jax.lax.pmean(jnp.mean(e), AXIS)
  return jax.lax.psum(jnp.mean(e), AXIS)  # of the others' entries it has zeros


def peak_bytes(
  rows: int, entries: int, *, features: int, k: int, dtype: str
) -> int:
  """About what `score` needs on a device for a moment, beside the banks.

  Scores and their gradients for both anchors, indices and costs of what was
  picked, banks that are not float32 once more in float32, and without native
  kernels products with all entries.

  Args:
    rows: anchors that a device scores.
    entries: of each bank that it holds.
    features: length of an entry.
    k: negatives per anchor.
    dtype: of the banks.
  """
  products = 0
  if not dispatch.is_native():
    block = gather.block_rows(rows, entries)
    # A loop over blocks holds one at a time; else XLA overlaps them.
    products = 4 * rows if block == rows else block
  wider = 0 if dtype == 'float32' else 2 * entries * features
  return 4 * (products * entries + 6 * rows * (k + 1) + wider)


def _normaliser(
  old: Float[Array, ''], batch: Float[Array, ''], mode: str
) -> Float[Array, '']:
  moved = old if mode == 'first_batch' else _EMA * old + (1 - _EMA) * batch
  return jnp.where(old > 0, moved, batch)


def _cost(
  o: Float[Array, 'R K+1'], here: Bool[Array, 'R K+1'], images: int
) -> tuple[Float[Array, ' R'], Float[Array, 'R K+1']]:
  """Loss per row, and its derivative with respect to log(o)."""
  c = (o.shape[1] - 1) / images
  positive = jnp.arange(o.shape[1])[None] == 0
  # log1p, because at a negative (o+c)/c is 1 up to some 1/K.
  ratio = jnp.where(positive, (c + _EPSILON) / o, (o + _EPSILON) / c)
  cost = jnp.sum(jnp.where(here, jnp.log1p(ratio), 0.0), axis=1)
  steep = o / (o + (c + _EPSILON)) - positive
  return cost, jnp.where(here, steep, 0.0)
