"""From learned scores to fixed masks."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from rcj import masks as masks_lib
from rcj.types import Frozen
from rcj.weights.masked import Masked


def fixed(frozen: Frozen) -> Frozen:
  """The same function with masks in place of learned scores.

  A network without scores stays what it is.
  """
  if not jax.tree.leaves(frozen.scores):
    return frozen
  k = frozen.effective.counts(frozen.scores)
  kept = masks_lib.keep_k(jax.tree.map(jnp.abs, frozen.scores), k)
  kept = masks_lib.intersect(frozen.params, kept, frozen.masks)
  scored = jax.tree.map(
    lambda _, s, m: None if s is None else m, frozen.params, frozen.scores, kept
  )
  return dataclasses.replace(
    frozen,
    params=frozen.effective.chosen(frozen.params, scored),
    masks=kept,
    scores=jax.tree.map(lambda _: None, frozen.params),
    effective=Masked(),
  )
