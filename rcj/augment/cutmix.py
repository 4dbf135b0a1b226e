"""CutMix: a box of every image shows another image of the batch."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jax import lax, random
from jaxtyping import Array, Bool, Float32, Int, Int32, Key, UInt8

from rcj.augment.normalisation import check_images


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Plan:
  """CutMix of a batch of N images, which share one box.

  Attributes:
    partner: whose pixels an image gets in the box; a permutation of the batch.
    box: top, left, bottom and right; the last two lie outside. An empty box
      mixes nothing.
  """

  partner: Int32[Array, ' N']
  box: Int32[Array, ' 4']


@dataclasses.dataclass(frozen=True)
class CutMix:
  """Options of CutMix, https://arxiv.org/abs/1905.04899, CIFAR's by default.

  Attributes:
    prob: that a batch is mixed, in (0, 1]; the original has 1 for ImageNet.
    beta: the share that an image keeps is drawn from Beta(beta, beta).

  Raises:
    ValueError: for options out of range.
  """

  prob: float = 0.5
  beta: float = 1.0

  def __post_init__(self):
    _check_options(self.prob, self.beta)


def _check_options(prob: float, beta: float) -> None:
  if not 0 < prob <= 1:
    raise ValueError(
      f'prob is the part of the batches to mix, in (0, 1], got {prob}; for '
      'none of them leave CutMix out'
    )
  if not beta > 0:
    raise ValueError(f'beta must be positive, got {beta}')


def cutmix_plan(
  key: Key[Array, ''],
  n: int,
  *,
  height: int,
  width: int,
  prob: float = 0.5,
  beta: float = 1.0,
) -> Plan:
  """Draws CutMix for a batch; a pure function that may be jitted.

  Args:
    key: of the whole batch.
    n: number of images in the whole batch.
    height: of the images in pixels.
    width: of the images in pixels.
    prob: see `CutMix`.
    beta: see `CutMix`.

  Raises:
    ValueError: for options out of range.
  """
  _check_options(prob, beta)
  order, share, place = random.split(key, 3)
  coin, y, x, kept = random.uniform(place, (4,))
  if beta != 1:  # Beta(1, 1) is uniform, and the others compile for seconds.
    kept = random.beta(share, beta, beta)
  box = _box(kept, y, x, height, width)
  return Plan(
    partner=random.permutation(order, jnp.arange(n, dtype=jnp.int32)),
    box=jnp.where(coin < prob, box, 0),
  )


def _box(
  kept: Float32[Array, ''],
  y: Float32[Array, ''],
  x: Float32[Array, ''],
  height: int,
  width: int,
) -> Int32[Array, ' 4']:
  """The box about a pixel at (y, x) in 0..1, cut off at the border."""
  size = jnp.array([height, width], jnp.int32)
  half = (size * jnp.sqrt(1 - kept)).astype(jnp.int32) // 2
  centre = (size * jnp.stack([y, x])).astype(jnp.int32)
  corners = jnp.concatenate([centre - half, centre + half])
  return jnp.clip(corners, 0, jnp.tile(size, 2))


def apply_cutmix(
  images: UInt8[Array, 'B H W 3'],
  labels: Int[Array, ' B'],
  plan: Plan,
  *,
  num_classes: int,
  axis: str | None = None,
) -> tuple[UInt8[Array, 'B H W 3'], Float32[Array, 'B K']]:
  """Executes a plan.

  Args:
    images: values in 0..255.
    labels: of the images, 0..K-1.
    plan: of the whole batch.
    num_classes: K.
    axis: of the `jax.shard_map` that this is called in, if it is: the batch is
      split over it, and images and labels are gathered from all its devices.

  Returns:
    (mixed images, probability of each class): the label of an image weighs as
    much as the part of its pixels that is left, its partner's label the rest.

  Raises:
    TypeError: if the images are not uint8.
    ValueError: if they are not [B,H,W,3], or the plan is for another batch.
  """
  check_images(images)
  everyone, partner = (images, labels), plan.partner
  if axis is not None:
    everyone = lax.all_gather(everyone, axis, tiled=True)
  if len(everyone[0]) != len(partner):
    raise ValueError(
      f'the plan is for {len(partner)} images, got {len(everyone[0])}'
    )
  if axis is not None:
    first = lax.axis_index(axis) * len(images)
    partner = lax.dynamic_slice(partner, (first,), (len(images),))
  others, their_labels = (x[partner] for x in everyone)
  height, width = images.shape[1:3]
  cut = _inside(plan.box, height, width)
  top, left, bottom, right = plan.box
  share = (bottom - top) * (right - left) / (height * width)
  target = (1 - share) * jax.nn.one_hot(labels, num_classes)
  target += share * jax.nn.one_hot(their_labels, num_classes)
  return jnp.where(cut[None, :, :, None], others, images), target


def _inside(
  box: Int32[Array, ' 4'], height: int, width: int
) -> Bool[Array, 'H W']:
  top, left, bottom, right = box
  row = jnp.arange(height, dtype=jnp.int32)[:, None]
  column = jnp.arange(width, dtype=jnp.int32)[None]
  rows = (row >= top) & (row < bottom)
  return rows & (column >= left) & (column < right)


def cutmix(
  key: Key[Array, ''],
  images: UInt8[Array, 'B H W 3'],
  labels: Int[Array, ' B'],
  *,
  num_classes: int,
  prob: float = 0.5,
  beta: float = 1.0,
  axis: str | None = None,
) -> tuple[UInt8[Array, 'B H W 3'], Float32[Array, 'B K']]:
  """Mixed images and their targets, from one permutation and one box a batch.

  The cross-entropy with a target is that with both labels, weighted by their
  parts of the image. `CutMix` describes `prob` and `beta`, `apply_cutmix` the
  rest.

  Raises:
    TypeError: if the images are not uint8.
    ValueError: for shapes that do not fit and options out of range.

  Source: Yun et al. 2019, https://arxiv.org/abs/1905.04899, and train.py of
  https://github.com/clovaai/CutMix-PyTorch
  """
  check_images(images)
  plan = cutmix_plan(
    key,
    len(images) * (1 if axis is None else lax.axis_size(axis)),
    height=images.shape[1],
    width=images.shape[2],
    prob=prob,
    beta=beta,
  )
  return apply_cutmix(images, labels, plan, num_classes=num_classes, axis=axis)
