"""Random weights that masks are searched in, instead of trained ones.

Ramanujan et al. 2020, https://arxiv.org/abs/1911.13299, section 3 ("kaiming
normal", "signed kaiming constant", and the scaling by the density).
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from rcj import tree
from rcj.types import Masks, Params


def kaiming_normal(
  key: Key[Array, ''], params: Params, eligible: Masks, *, density: float = 1.0
) -> Params:
  """Normal weights of standard deviation sqrt(2 / (density * fan_in)).

  Args:
    key: a leaf's noise depends on it and the leaf's name.
    params: give shapes; leaves that are not eligible stay as they are.
    eligible: masks over `params`; only which leaves have one matters.
    density: fraction of the weights that will be kept, so that results have
      the variance that they would have if all were; 1 scales by none. The code
      of allenai/hidden-networks multiplies fan_in by 1 - density instead,
      having the fraction removed in mind (its issue 9).
  """

  def leaf(name, w, mask):
    if mask is None:
      return w
    noise = jax.random.normal(tree.leaf_key(key, name), w.shape)
    return _std(w.shape, density) * noise

  return tree.map_named(leaf, params, eligible)


def signed_constant(
  params: Params, eligible: Masks, *, density: float = 1.0
) -> Params:
  """Each weight's sign times sqrt(2 / (density * fan_in)).

  Args:
    params: give signs.
    eligible: see `kaiming_normal`.
    density: see `kaiming_normal`.
  """

  def leaf(w, mask):
    return w if mask is None else _std(w.shape, density) * jnp.sign(w)

  return jax.tree.map(leaf, params, eligible)


def _std(shape: tuple[int, ...], density: float) -> float:
  if not 0 < density <= 1:
    raise ValueError(f'density is a fraction kept, in (0, 1], got {density}')
  return math.sqrt(2 / (density * math.prod(shape[:-1])))
