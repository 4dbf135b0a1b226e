"""Memory banks on one device or many, and their update.

On a mesh with the axis 'data' (the one that `jax.sharding.get_abstract_mesh`
gives) losses, gradients, banks and normalisers are those of one device with the
whole batch, whichever layout the banks have:

- replicated banks: a device scores the images that it holds; the others send
  their embeddings for the update, `[B,D]` per bank.
- sharded banks: a device holds a block of rows, and scores the embeddings of
  the whole batch against its own. A loss is a sum over entries, so what travels
  is embeddings and their gradients, `[B,D]`, and sums, `[B]`; neither rows of a
  bank nor scores `[B,K+1]` do.
"""

from __future__ import annotations

import functools
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from rcj.types import PyTree

AXIS = 'data'
EVERYWHERE, SPLIT = jax.P(), jax.P(AXIS)
# How the banks lie on the devices of a mesh.
Layout = Literal['replicated', 'sharded']
# What the devices share out: rows of the batch, or entries of the banks.
Split = Literal['rows', 'entries'] | None


def on_mesh() -> bool:
  """Whether the step is compiled for a mesh with the axis 'data'."""
  return AXIS in jax.sharding.get_abstract_mesh().axis_names


def everywhere(x: Array) -> Array:
  """`x` on every device."""
  return jax.lax.with_sharding_constraint(x, EVERYWHERE) if on_mesh() else x


def update(
  v: PyTree,
  index: Int[Array, ' B'],
  banks: PyTree,
  *,
  layout: Layout,
  momentum: float,
) -> PyTree:
  """The banks with the entries of a batch moved towards its embeddings.

  Args:
    v: {'student', 'teacher'} embeddings f32[B,D].
    index: entries of the batch; those below 0 are left as they are, and of
      equal ones the last counts.
    banks: {'student', 'teacher'} entries.
    layout: of the banks, 'replicated' or 'sharded'.
    momentum: share of the old entry.
  """
  move = functools.partial(_update, momentum=momentum)
  if not on_mesh():
    return move(v, index, banks)
  sharded = layout == 'sharded'
  entries = SPLIT if sharded else EVERYWHERE
  return jax.shard_map(
    functools.partial(move, split='entries' if sharded else None),
    in_specs=(EVERYWHERE, EVERYWHERE, entries),
    out_specs=entries,
  )(v, index, banks)


def _update(
  v: PyTree,
  index: Int[Array, ' B'],
  banks: PyTree,
  *,
  momentum: float,
  split: Split = None,
) -> PyTree:
  """`update` of the entries that one device holds."""
  last = ~jnp.any(jnp.triu(index[:, None] == index[None], 1), axis=1)
  rows, here = held(banks, index, split)
  target = jnp.where(here & last, rows, len(banks['student']))

  def move(bank, v):
    old = bank[rows].astype(jnp.float32)
    new = normalised(momentum * old + (1 - momentum) * v)
    return bank.at[target].set(new.astype(bank.dtype), mode='drop')

  return {name: move(bank, v[name]) for name, bank in banks.items()}


def held(
  banks: PyTree, index: Int[Array, '*S'], split: Split
) -> tuple[Int[Array, '*S'], Bool[Array, '*S']]:
  """Rows of this device's banks, clipped, and whether they are held here."""
  entries = len(banks['student'])
  first = jax.lax.axis_index(AXIS) * entries if split == 'entries' else 0
  rows = index - first
  return jnp.clip(rows, 0, entries - 1), (rows >= 0) & (rows < entries)


def normalised(x: Float[Array, 'B D']) -> Float[Array, 'B D']:
  """Rows at unit length."""
  # The maximum is inside the root: a row of zeros then has a finite gradient.
  square = jnp.sum(x**2, axis=-1, keepdims=True)
  return x / jnp.sqrt(jnp.maximum(square, 1e-24))
