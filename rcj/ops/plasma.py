"""Plasma fractals: random fields that are rough at every scale.

The diamond-square algorithm of Fournier, Fussell and Carpenter, "Computer
rendering of stochastic models", 1982, https://doi.org/10.1145/358523.358553, on
a torus, with the amplitudes of hendrycks/robustness, make_imagenet_c.py.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from rcj.ops import dispatch

_AMPLITUDE = 100.0**2


def plasma(
  noise: Float32[Array, '*n M'],
  decay: Float32[Array, '*n'],
  *,
  implementation: str | None = None,
) -> Float32[Array, '*n S S']:
  """Plasma fractals, scaled to 0..1; every implementation gives the same.

  Args:
    noise: S^2 - 1 values in -1..1, S a power of two from 2. From coarse to
      fine, each level reads three n x n grids, n = 1, 2, 4, ...: squares,
      diamonds in the rows of the corners, diamonds in their columns.
    decay: the amplitude falls by decay^2 per level: the reference multiplies a
      noise of width w by w again.
    implementation: see `rcj.ops.dispatch.run`.
  """
  side = math.isqrt(noise.shape[-1] + 1)

  def call(target, noise, decay):
    shape = (*noise.shape[:-1], side, side)
    return jax.ffi.ffi_call(
      target,
      jax.ShapeDtypeStruct(shape, jnp.float32),
      vmap_method='broadcast_all',
    )(noise, decay)

  return dispatch.run(
    'plasma',
    noise,
    decay,
    reference=lambda noise, decay: _plasma(noise, decay, side),
    call=call,
    implementation=implementation,
  )


def _plasma(
  noise: Float32[Array, '*n M'], decay: Float32[Array, '*n'], side: int
) -> Float32[Array, '*n S S']:
  shape = noise.shape[:-1]
  grid = jnp.zeros((*shape, 1, 1))
  amplitude = jnp.full((*shape, 1, 1, 1), _AMPLITUDE)
  # Of products, because compilers divide by one number in several ways.
  ratio = jnp.expand_dims(1 / (decay * decay), (-3, -2, -1))
  while (n := grid.shape[-1]) < side:
    level = noise[..., n * n - 1 : 4 * n * n - 1].reshape(*shape, 3, n, n)
    # The bound keeps the compiler from a fused multiply-add.
    level = jnp.minimum(amplitude * level, 1e9)
    grid = _refine(grid, *jnp.moveaxis(level, -3, 0))
    amplitude = amplitude * ratio
  grid -= grid.min((-2, -1), keepdims=True)
  return grid * (1 / grid.max((-2, -1), keepdims=True))


def _refine(
  corners: Float32[Array, '*n s s'],
  squares: Float32[Array, '*n s s'],
  rows: Float32[Array, '*n s s'],
  columns: Float32[Array, '*n s s'],
) -> Float32[Array, '*n 2*s 2*s']:
  """One level, from the noise of the squares and of both diamonds."""
  shape = corners.shape
  right = jnp.roll(corners, -1, -1)
  below = jnp.roll(corners, -1, -2)
  centres = (corners + right + below + jnp.roll(below, -1, -1)) / 4 + squares
  above = jnp.roll(centres, 1, -2)
  left = jnp.roll(centres, 1, -1)
  in_rows = (corners + right + centres + above) / 4 + rows
  in_columns = (corners + below + centres + left) / 4 + columns
  even = jnp.stack([corners, in_rows], -1)
  odd = jnp.stack([in_columns, centres], -1)
  grid = jnp.stack([even, odd], -3)
  return grid.reshape(*shape[:-2], 2 * shape[-2], 2 * shape[-1])
