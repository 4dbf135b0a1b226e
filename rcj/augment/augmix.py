"""AugMix: the executor of plans, and drawing and executing in one call."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32, Key, UInt8

from rcj.augment.normalisation import check_images, normalise
from rcj.augment.ops import apply_op
from rcj.augment.packed import pack, unpack
from rcj.augment.plan import Plan, augmix_plan


def _check(images: UInt8[Array, 'N H W 3'], plan: Plan) -> None:
  check_images(images)
  n, width, depth = plan.op.shape
  shapes = {
    'param': (plan.param.shape, (n, width, depth, 3)),
    'weights': (plan.weights.shape, (n, width)),
    'm': (plan.m.shape, (n,)),
  }
  for name, (got, expected) in shapes.items():
    if got != expected:
      raise ValueError(
        f'plan.{name} must have shape {list(expected)} to go with plan.op of '
        f'{[n, width, depth]}, got {list(got)}'
      )
  if len(images) != n:
    raise ValueError(f'the plan is for {n} images, got {len(images)}')


def apply_chains(
  images: UInt8[Array, 'N H W 3'], plan: Plan
) -> UInt8[Array, 'N K H W 3']:
  """Every chain's image before mixing, equal to Pillow's to the last bit.

  A loop over the chains, not a vmap: a batched switch would run every
  operation for every image.

  Raises:
    TypeError: if the images are not uint8.
    ValueError: if shapes do not fit together.
  """
  _check(images, plan)
  n, width, depth = plan.op.shape
  packed = pack(images)

  def chain(item):
    image, ops, params = item
    used = (ops >= 0).sum(dtype=jnp.int32)
    return lax.fori_loop(
      0, used, lambda i, x: apply_op(x, ops[i], params[i]), packed[image]
    )

  order = jnp.repeat(jnp.arange(n, dtype=jnp.int32), width)
  ops = plan.op.reshape(n * width, depth)
  params = plan.param.reshape(n * width, depth, 3)
  chains = lax.map(chain, (order, ops, params))
  return unpack(chains.reshape(n, width, *packed.shape[1:]))


def mix(
  images: UInt8[Array, 'N H W 3'],
  chains: UInt8[Array, 'N K H W 3'],
  plan: Plan,
  *,
  mean: tuple[float, float, float],
  std: tuple[float, float, float],
) -> Float32[Array, 'N H W 3']:
  """(1 - m) * norm(x) + m * sum_k weights_k * norm(chain_k).

  The normalisation is applied once, after the mixture: it is affine and the
  weights sum to 1.
  """
  mixture = _scaled(images, 1 - plan.m)
  for k in range(chains.shape[1]):
    mixture += _scaled(chains[:, k], plan.m * plan.weights[:, k])
  return normalise(mixture, mean=mean, std=std)


def _scaled(
  images: UInt8[Array, 'N H W 3'], by: Float32[Array, ' N']
) -> Float32[Array, 'N H W 3']:
  return by[:, None, None, None] * images.astype(jnp.float32)


def apply_plan(
  images: UInt8[Array, 'N H W 3'],
  plan: Plan,
  *,
  mean: tuple[float, float, float],
  std: tuple[float, float, float],
) -> Float32[Array, 'N H W 3']:
  """Executes a plan: the normalised mixture of each image and its chains.

  This is AugMix's one deterministic function, and the reference that native
  kernels are held to: every chain (`apply_chains`) is exact to the last bit,
  their mixture (`mix`) to about 1e-6, in float32.

  Works for any H and W. Geometry is computed in float64, which TPUs only
  emulate, and not exactly: there a byte can differ by one where a value falls
  on an integer. On a batch that is sharded over devices, call it inside
  `jax.shard_map`, as `Views` does; a loop over a sharded axis would gather it.

  Raises:
    TypeError: if the images are not uint8.
    ValueError: if shapes do not fit together.
  """
  chains = apply_chains(images, plan)
  return mix(images, chains, plan, mean=mean, std=std)


def augmix(
  key: Key[Array, ''],
  images: UInt8[Array, 'N H W 3'],
  *,
  severity: float = 3,
  width: int = 3,
  depth: int = -1,
  alpha: float = 1.0,
  all_ops: bool = False,
  mean: tuple[float, float, float],
  std: tuple[float, float, float],
) -> Float32[Array, 'N H W 3']:
  """One AugMix version of every image, normalised.

  `augmix_plan` describes the options and `apply_plan` the result. Translations
  are scaled by the images' height.

  Raises:
    TypeError: if the images are not uint8.
    ValueError: for shapes that do not fit and options out of range.

  Source: Hendrycks et al., https://arxiv.org/abs/1912.02781
  """
  check_images(images)
  plan = augmix_plan(
    key,
    len(images),
    size=images.shape[1],
    severity=severity,
    width=width,
    depth=depth,
    alpha=alpha,
    all_ops=all_ops,
  )
  return apply_plan(images, plan, mean=mean, std=std)
