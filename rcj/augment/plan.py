"""What AugMix does to each image, drawn before any image is touched.

A plan is small and plain, so that the pure-JAX executor and native kernels can
run the same one and be compared byte by byte.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax import random
from jaxtyping import Array, Float, Float32, Int32, Key

from rcj.ops.augmix_options import (
  LEAST_LEVEL,
  NAMES,
  PAPER_OPS,
  check_options,
  parameters,
)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Plan:
  """AugMix of N images: K chains of up to D operations each, then a mixture.

  The result for an image x is (1 - m) * x + m * sum_k weights[k] * chain_k(x),
  where a chain applies its operations in the order of their slots.

  Attributes:
    op: index into `rcj.ops.augmix_options.NAMES`; -1 marks a slot without
      operation, and such slots follow all used ones.
    param: what the operation is told, as three float32 whose sum in float64 is
      the parameter (drawn plans have zeros in the last two; `split` fills all
      three). Unused, and zero, for autocontrast, equalize and empty slots.
      posterize: bits kept, 1..8. rotate: whole degrees, -30..30,
      counter-clockwise. solarize: the lowest inverted value, 0..256. shear_x:
      output (x, y) shows input (x + param * y, y), in pixel centres; shear_y
      likewise. translate_x: output (x, y) shows input (x + param, y), whole
      pixels; translate_y likewise. color, contrast, brightness, sharpness:
      factor, where 1 is the unchanged image.
    weights: of the chains; they are positive and sum to 1.
    m: share of the chains in the mixture, 0..1.
  """

  op: Int32[Array, 'N K D']
  param: Float32[Array, 'N K D 3']
  weights: Float32[Array, 'N K']
  m: Float32[Array, ' N']


def split(
  values: Float[np.ndarray, '*shape'],
) -> Float32[np.ndarray, '*shape 3']:
  """Float64 numbers as three float32 each, whose float64 sum is exact."""
  rest = np.asarray(values, np.float64)
  parts = []
  for _ in range(3):
    parts.append(rest.astype(np.float32))
    rest = rest - parts[-1]
  return np.stack(parts, -1)


def _draw(
  key: Key[Array, ''],
  *,
  size: int,
  severity: float,
  width: int,
  depth: int,
  alpha: float,
  all_ops: bool,
) -> Plan:
  """Plan of one image, without the axis N."""
  slots = (width, 3 if depth == -1 else depth)
  # One block of uniforms: each call of jax.random takes long to compile.
  steps = width * slots[1] * 3
  u = random.uniform(key, (steps + width + width + 2,))
  which, how_far, which_way = u[:steps].reshape(3, *slots)
  op = (which * (len(NAMES) if all_ops else PAPER_OPS)).astype(jnp.int32)
  level = LEAST_LEVEL + (severity - LEAST_LEVEL) * how_far
  sign = jnp.where(which_way > 0.5, -1.0, 1.0)
  param = jnp.stack(parameters(level, sign, size, jnp), -1)
  param = jnp.take_along_axis(param, op[..., None], -1)
  used = jnp.full((width,), depth)
  if depth == -1:
    used = 1 + (u[steps : steps + width] * 3).astype(jnp.int32)
  empty = jnp.arange(slots[1], dtype=jnp.int32)[None] >= used[:, None]
  weights, m = _mixture(key, u[steps + width :], alpha)
  return Plan(
    op=jnp.where(empty, -1, op),
    param=jnp.pad(
      jnp.where(empty[..., None], 0.0, param), ((0, 0), (0, 0), (0, 2))
    ),
    weights=weights,
    m=m,
  )


def _mixture(
  key: Key[Array, ''], u: Float32[Array, ' K+2'], alpha: float
) -> tuple[Float32[Array, ' K'], Float32[Array, '']]:
  """Dirichlet weights and the Beta share, as ratios of gamma variables."""
  if alpha == 1:  # Gamma(1) is the exponential distribution.
    logs = jnp.log(-jnp.log1p(-u))
  else:
    logs = random.loggamma(random.fold_in(key, 1), alpha, u.shape, jnp.float32)
  return jax.nn.softmax(logs[:-2]), jax.nn.sigmoid(logs[-2] - logs[-1])


def augmix_plan(
  key: Key[Array, ''],
  n: int,
  *,
  size: int,
  severity: float = 3,
  width: int = 3,
  depth: int = -1,
  alpha: float = 1.0,
  all_ops: bool = False,
  first: int | Int32[Array, ''] = 0,
) -> Plan:
  """Draws AugMix for `n` images; a pure function that may be jitted.

  Image i's draws depend on the key and on its position `first + i` alone: not
  on `n`, nor on how a batch is split over devices (weights and share to the
  last bit of their logarithms).

  Args:
    key: of the whole batch.
    n: number of images.
    size: side of the square images in pixels, which scales translations.
    severity: levels are drawn uniformly from 0.1..severity for every
      operation anew; the original uses 3 for CIFAR and 1 for ImageNet.
    width: number of chains K.
    depth: operations per chain; -1 draws 1, 2 or 3 for each chain.
    alpha: of Dirichlet(alpha, ..., alpha) for the weights of the chains and
      Beta(alpha, alpha) for their share.
    all_ops: adds color, contrast, brightness and sharpness, which overlap with
      the corruptions of ImageNet-C.
    first: position of the first image in the whole batch.

  Raises:
    ValueError: for options out of range.

  Source: Hendrycks et al., https://arxiv.org/abs/1912.02781, section 3, with
  the constants of https://github.com/google-research/augmix.
  """
  check_options(severity=severity, width=width, depth=depth, alpha=alpha)
  positions = first + jnp.arange(n, dtype=jnp.int32)
  keys = jax.vmap(random.fold_in, (None, 0))(key, positions)

  def draw(key: Key[Array, '']) -> Plan:
    return _draw(
      key,
      size=size,
      severity=severity,
      width=width,
      depth=depth,
      alpha=alpha,
      all_ops=all_ops,
    )

  return jax.vmap(draw)(keys)
