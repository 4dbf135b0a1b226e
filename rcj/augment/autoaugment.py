"""AutoAugment: two operations for each image, from a learned list of pairs."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random
from jaxtyping import Array, Float32, Int32, Key, UInt8

from rcj.augment import nearest, policies, tones
from rcj.augment.normalisation import check_images
from rcj.augment.packed import Packed, pack, unpack

_TONES = (
  tones.autocontrast,
  tones.equalize,
  tones.posterize,
  tones.solarize,
  tones.color,
  tones.contrast,
  tones.brightness,
  tones.sharpness,
)
OPS = ('warp', *(tone.__name__ for tone in _TONES))
_SLOTS = 2


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Plan:
  """Up to two operations, in order, for each of N images.

  Attributes:
    op: index into `OPS`; -1 leaves the image as it is.
    param: of an operation on pixel values, see `rcj.augment.plan.Plan`.
    matrix: of a warp, see `rcj.augment.nearest`.
  """

  op: Int32[Array, 'N 2']
  param: Float32[Array, 'N 2']
  matrix: Int32[Array, 'N 2 6']


@dataclasses.dataclass(frozen=True)
class AutoAugment:
  """Options of AutoAugment, https://arxiv.org/abs/1805.09501.

  Attributes:
    policy: 'cifar10' or 'imagenet', named after the set it was learned on.

  Raises:
    ValueError: for an unknown policy.
  """

  policy: str

  def __post_init__(self):
    policies.sub_policies(self.policy)


def table(
  policy: str, *, height: int, width: int
) -> tuple[Float32[np.ndarray, '25 2'], Plan]:
  """A policy in numbers.

  Args:
    policy: 'cifar10' or 'imagenet'.
    height: of the images in pixels.
    width: of the images in pixels.

  Returns:
    (probabilities of the operations, both signs of them: a plan of NumPy
    arrays op[25,2], param[25,2,2] and matrix[25,2,2,6], of which [..., 0] are
    those of a negative sign, or the same where an operation has no sign).

  Raises:
    ValueError: for an unknown policy.
  """
  pairs = policies.sub_policies(policy)
  shape = (len(pairs), _SLOTS)
  probability, op = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
  param = np.zeros((*shape, 2), np.float32)
  matrix = np.zeros((*shape, 2, 6), np.int32)
  for at in np.ndindex(shape):
    name, probability[at], level = (*pairs[at[0]][at[1]], 0)[:3]
    for i, sign in enumerate((-1, 1)):
      warp = policies.matrix(name, level, sign, height=height, width=width)
      if warp is None:
        # Solarizing from 0 upwards inverts all values.
        op[at] = OPS.index('solarize' if name == 'invert' else name)
        param[*at, i] = policies.parameter(name, level, sign)
      else:
        matrix[*at, i] = nearest.fixed_point(np.array(warp))
  return probability, Plan(op, param, matrix)


def autoaugment_plan(
  key: Key[Array, ''],
  n: int,
  *,
  height: int,
  width: int,
  policy: str,
  first: int | Int32[Array, ''] = 0,
) -> Plan:
  """Draws AutoAugment for `n` images; a pure function that may be jitted.

  One of the 25 pairs with equal chance; each of its operations with its own
  probability, and with either sign where it has one.

  Args:
    key: of the whole batch; an image's draws depend on it and on the image's
      position `first + i` alone.
    n: number of images.
    height: of the images in pixels.
    width: of the images in pixels.
    policy: 'cifar10' or 'imagenet'.
    first: position of the first image in the whole batch.

  Raises:
    ValueError: for an unknown policy.
  """
  made = table(policy, height=height, width=width)
  probability, both = jax.tree.map(jnp.asarray, made)
  slots = jnp.arange(_SLOTS, dtype=jnp.int32)

  def draw(key: Key[Array, '']) -> Plan:
    u = random.uniform(key, (1 + 2 * _SLOTS,))
    pair = (u[0] * len(probability)).astype(jnp.int32)
    applied = u[1 : 1 + _SLOTS] < probability[pair]
    sign = (u[1 + _SLOTS :] < 0.5).astype(jnp.int32)
    return Plan(
      op=jnp.where(applied, both.op[pair], -1),
      param=both.param[pair, slots, sign],
      matrix=both.matrix[pair, slots, sign],
    )

  positions = first + jnp.arange(n, dtype=jnp.int32)
  keys = jax.vmap(random.fold_in, (None, 0))(key, positions)
  return jax.vmap(draw)(keys)


def _apply_op(
  image: Packed,
  op: Int32[Array, ''],
  param: Float32[Array, ''],
  matrix: nearest.Matrix,
) -> Packed:
  def keep(image, param, matrix):
    return image

  def warp(image, param, matrix):
    return nearest.warp(image, matrix)

  def toned(tone, image, param, matrix):
    return tone(image, param)

  branches = (keep, warp, *(functools.partial(toned, t) for t in _TONES))
  with jax.enable_x64(True):
    exact = param.astype(jnp.float64)
    return lax.switch(op + 1, branches, image, exact, matrix)


def apply_autoaugment(
  images: UInt8[Array, 'N H W 3'], plan: Plan
) -> UInt8[Array, 'N H W 3']:
  """Executes a plan; every operation is Pillow's to the last bit.

  Raises:
    TypeError: if the images are not uint8.
    ValueError: if they are not [N,H,W,3], or the plan is for another N.
  """
  check_images(images)
  if len(images) != len(plan.op):
    raise ValueError(
      f'the plan is for {len(plan.op)} images, got {len(images)}'
    )

  def one(item):
    image, op, param, matrix = item
    return lax.fori_loop(
      0, _SLOTS, lambda i, x: _apply_op(x, op[i], param[i], matrix[i]), image
    )

  # A loop, not a vmap: a batched switch would run every operation.
  items = (pack(images), plan.op, plan.param, plan.matrix)
  return unpack(lax.map(one, items))


def autoaugment(
  key: Key[Array, ''],
  images: UInt8[Array, 'N H W 3'],
  *,
  policy: str,
  first: int | Int32[Array, ''] = 0,
) -> UInt8[Array, 'N H W 3']:
  """Images after AutoAugment, which is used between cropping and normalising.

  Pixels are taken from the nearest place and black comes in from outside, as
  in torchvision. `autoaugment_plan` describes the options. On a batch that is
  sharded over devices, call it inside `jax.shard_map`, as `Views` does.

  Raises:
    TypeError: if the images are not uint8.
    ValueError: if they are not [N,H,W,3], and for an unknown policy.

  Source: Cubuk et al. 2019, https://arxiv.org/abs/1805.09501
  """
  check_images(images)
  plan = autoaugment_plan(
    key,
    len(images),
    height=images.shape[1],
    width=images.shape[2],
    policy=policy,
    first=first,
  )
  return apply_autoaugment(images, plan)
