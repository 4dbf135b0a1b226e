"""AugMix: the executor of plans, and drawing and executing in one call."""

from __future__ import annotations

import functools

import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Float32, Int32, Key, UInt8

from rcj.augment.normalisation import check_images, normalise
from rcj.augment.ops import apply_op
from rcj.augment.packed import pack, unpack
from rcj.augment.plan import Plan, augmix_plan
from rcj.ops import augmix as kernels
from rcj.ops.preprocessing import scale_and_offset


def _check(images: UInt8[Array, 'B H W 3'], plan: Plan) -> None:
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
  if not len(images) or n % len(images):
    raise ValueError(
      f'the plan is for {n} images, or for as many versions of each of fewer, '
      f'got {len(images)}'
    )


def apply_chains(
  images: UInt8[Array, 'B H W 3'],
  plan: Plan,
  *,
  implementation: str | None = None,
) -> UInt8[Array, 'N K H W 3']:
  """Every chain's image before mixing, equal to Pillow's to the last bit.

  Args:
    images: values in 0..255.
    plan: as of `mixed_views`.
    implementation: see `rcj.ops.dispatch.run`.

  Raises:
    TypeError: if the images are not uint8.
    ValueError: if shapes do not fit together.
    NativeError: if an implementation is asked for that cannot be had.
  """
  _check(images, plan)
  return kernels.chains(
    *(images, plan.op, plan.param),
    reference=_chains,
    implementation=implementation,
  )


def _chains(
  images: UInt8[Array, 'B H W 3'],
  op: Int32[Array, 'N K D'],
  param: Float32[Array, 'N K D 3'],
) -> UInt8[Array, 'N K H W 3']:
  """In pure JAX.

  A loop over the chains, not a vmap: a batched switch would run every
  operation for every image.
  """
  n, width, depth = op.shape
  packed = pack(images)

  def chain(item):
    image, ops, params = item
    used = (ops >= 0).sum(dtype=jnp.int32)
    return lax.fori_loop(
      0, used, lambda i, x: apply_op(x, ops[i], params[i]), packed[image]
    )

  each = n // len(images) * width
  order = jnp.repeat(jnp.arange(len(images), dtype=jnp.int32), each)
  ops = op.reshape(n * width, depth)
  params = param.reshape(n * width, depth, 3)
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
  """(1 - m) * norm(x) + m * sum_k weights_k * norm(chain_k), in pure JAX.

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


def _views(images, op, param, weights, m, *, clean, dtype, **how):
  """`mixed_views` in pure JAX."""
  versions = len(op) // len(images)
  chains = _chains(images, op, param)
  repeated = jnp.repeat(images, versions, 0)
  mixed = mix(repeated, chains, Plan(op, param, weights, m), **how)
  views = mixed.reshape(-1, versions, *images.shape[1:])
  if clean:
    views = jnp.concatenate([normalise(images, **how)[:, None], views], 1)
  return views.astype(dtype)


def mixed_views(
  images: UInt8[Array, 'B H W 3'],
  plan: Plan,
  *,
  mean: tuple[float, float, float],
  std: tuple[float, float, float],
  clean: bool = False,
  dtype: DTypeLike = jnp.float32,
  implementation: str | None = None,
) -> Float[Array, 'B V H W 3']:
  """Executes a plan: normalised mixtures of each image and its chains.

  This is AugMix's one deterministic function. Native kernels and the reference
  in pure JAX agree: every chain (`apply_chains`) is exact to the last bit, the
  mixture of chains to about 1e-6, in float32.

  Works for any H and W. On a batch that is sharded over devices, call it inside
  `jax.shard_map`, as `Views` does; it would gather a sharded axis. The
  reference computes geometry in float64, which TPUs only emulate, and not
  exactly: there a byte can differ by one where a value falls on an integer.

  Args:
    images: values in 0..255.
    plan: of N = A * B images: A versions of each image, which are neighbours.
    mean: per channel, for images in 0..1.
    std: per channel, for images in 0..1.
    clean: whether the first view is the image itself, and V is A + 1, not A.
    dtype: of the result, float32 or bfloat16.
    implementation: see `rcj.ops.dispatch.run`.

  Raises:
    TypeError: if the images are not uint8, or for another dtype.
    ValueError: if shapes do not fit together.
    NativeError: if an implementation is asked for that cannot be had.
  """
  _check(images, plan)
  how = {'mean': mean, 'std': std}
  scale, offset = scale_and_offset(**how)
  return kernels.views(
    *(images, plan.op, plan.param, plan.weights, plan.m),
    scale=scale,
    offset=offset,
    clean=clean,
    dtype=dtype,
    reference=functools.partial(_views, clean=clean, dtype=dtype, **how),
    implementation=implementation,
  )


def apply_plan(
  images: UInt8[Array, 'N H W 3'],
  plan: Plan,
  *,
  mean: tuple[float, float, float],
  std: tuple[float, float, float],
) -> Float32[Array, 'N H W 3']:
  """Executes a plan of one version of each image, see `mixed_views`.

  Raises:
    TypeError: if the images are not uint8.
    ValueError: if shapes do not fit together.
  """
  _check(images, plan)
  if len(images) != len(plan.op):
    raise ValueError(
      f'the plan is for {len(plan.op)} images, got {len(images)}'
    )
  views = mixed_views(images, plan, mean=mean, std=std)
  return views.reshape(images.shape)


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
