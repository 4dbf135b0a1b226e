"""The phase that draws the weights in which masks are searched."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax.numpy as jnp

from rcj import initial, masks, tree
from rcj.carry import Carry, Env, place

_INITS = ('signed_constant', 'kaiming_normal')


@dataclasses.dataclass(frozen=True)
class RandomWeights:
  """Random kernels for edge-popup and biprop, and biases of zero.

  Attributes:
    init: 'signed_constant' leaves the signs of what `Init` drew, or
      'kaiming_normal'; see `rcj.initial`.
    density: fraction that will be kept, which both are scaled by; 1 scales by
      none.
  """

  init: Literal['signed_constant', 'kaiming_normal'] = 'signed_constant'
  density: float = 1.0

  def __post_init__(self):
    if self.init not in _INITS:
      raise ValueError(f'no init {self.init!r}; there are {", ".join(_INITS)}')
    if not 0 < self.density <= 1:
      raise ValueError(
        f'density is the fraction kept, in (0, 1], not {self.density}'
      )

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry with other weights."""
    params = carry.state.params
    everywhere = masks.eligible(params)
    if self.init == 'signed_constant':
      made = initial.signed_constant(params, everywhere, density=self.density)
    else:
      key = env.phase_key(carry)
      made = initial.kaiming_normal(
        key, params, everywhere, density=self.density
      )
    kernels = tree.leaves(everywhere)

    def leaf(name, x):
      layer, _, kind = name.rpartition('/')
      of_layer = kind == 'bias' and f'{layer}/kernel' in kernels
      return jnp.zeros_like(x) if of_layer else x

    made = tree.map_named(leaf, made)
    state = dataclasses.replace(carry.state, params=place(made, env.replicated))
    return dataclasses.replace(carry, state=state)
