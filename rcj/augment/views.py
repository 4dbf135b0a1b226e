"""What a training step sees of each image: one view, or AugMix's three."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax import lax, random
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int32, Key, UInt8

from rcj.augment.augmix import mixed_views
from rcj.augment.autoaugment import AutoAugment, autoaugment
from rcj.augment.crop_flip import crop_flip
from rcj.augment.cutmix import CutMix, cutmix
from rcj.augment.gaussian_noise import GaussianNoise
from rcj.augment.noise2net import Noise2Net, quantise
from rcj.augment.normalisation import check_images, normalise
from rcj.augment.plan import augmix_plan, check_options
from rcj.types import Batch

DATA_AXIS = 'data'


@dataclasses.dataclass(frozen=True)
class AugMix:
  """Options of AugMix, https://arxiv.org/abs/1912.02781, CIFAR's by default.

  Attributes:
    severity: upper bound of the levels, in (0.1, 10]; ImageNet's recipe has 1.
    width: number of chains.
    depth: operations per chain; -1 draws 1, 2 or 3 for each chain.
    alpha: of the Dirichlet and Beta distributions of the mixture.
    all_ops: adds the four operations that overlap with ImageNet-C.
    jsd: show the clean image and two versions, as the Jensen-Shannon loss
      needs them, instead of one version.

  Raises:
    ValueError: for options out of range.
  """

  severity: float = 3
  width: int = 3
  depth: int = -1
  alpha: float = 1.0
  all_ops: bool = False
  jsd: bool = True

  def __post_init__(self):
    check_options(
      severity=self.severity,
      width=self.width,
      depth=self.depth,
      alpha=self.alpha,
    )

  def views(
    self,
    key: Key[Array, ''],
    images: UInt8[Array, 'B H W 3'],
    *,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    first: int | Int32[Array, ''] = 0,
    dtype: DTypeLike = jnp.float32,
  ) -> Float[Array, 'B V H W 3']:
    """With `jsd` each image and two versions of it, else one version."""
    each = 2 if self.jsd else 1
    plan = augmix_plan(
      key,
      each * len(images),
      size=images.shape[1],
      severity=self.severity,
      width=self.width,
      depth=self.depth,
      alpha=self.alpha,
      all_ops=self.all_ops,
      first=first * each,
    )
    how = {'mean': mean, 'std': std, 'clean': self.jsd, 'dtype': dtype}
    return mixed_views(images, plan, **how)


@dataclasses.dataclass(frozen=True)
class Views:
  """What is done to a batch; an `rcj.types.Augment`.

  In this order: crop, flip, AutoAugment, CutMix, DeepAugment, AugMix or noise.
  All views of an image share what comes before AugMix. Without AugMix there is
  one view; with it there are three, the first of them clean, or the augmented
  one alone if its `jsd` is off. DeepAugment and AugMix together are AMDA: what
  DeepAugment made of an image then takes the place of the image, in the clean
  view too, as bytes that are clipped and truncated. Gaussian noise goes with
  neither of them.

  Attributes:
    padding: of the random crop in pixels; 0 crops nothing.
    flip: whether half of the images are mirrored.
    augmix: options of AugMix, or None.
    deepaugment: options of Noise2Net, or None.
    autoaugment: options of AutoAugment, or None.
    cutmix: options of CutMix, or None.
    gaussian: options of Gaussian noise, or None.
    dtype: of the views, 'float32' or 'bfloat16'.

  Raises:
    ValueError: for another dtype, and for noise together with AugMix or
      DeepAugment.
  """

  padding: int = 0
  flip: bool = False
  augmix: AugMix | None = None
  deepaugment: Noise2Net | None = None
  autoaugment: AutoAugment | None = None
  cutmix: CutMix | None = None
  gaussian: GaussianNoise | None = None
  dtype: str = 'float32'

  def __post_init__(self):
    if self.dtype not in ('float32', 'bfloat16'):
      raise ValueError(f"views are 'float32' or 'bfloat16', not {self.dtype!r}")
    if self.gaussian and (self.augmix or self.deepaugment):
      raise ValueError(
        'Gaussian noise is added instead of AugMix and DeepAugment, not to '
        'them: leave out one of the two'
      )

  def __call__(
    self,
    key: Key[Array, ''],
    batch: Batch,
    *,
    num_classes: int,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    mesh: Mesh | None = None,
  ) -> Batch:
    """The batch with normalised views, and with targets if there is CutMix.

    Args:
      key: of the batch; the same key gives the same views on any mesh.
      batch: 'image', with values in 0..255, and 'label'; the rest is kept.
      num_classes: of the targets.
      mean: per channel, for images in 0..1.
      std: per channel, for images in 0..1.
      mesh: whose axis 'data' the batch is sharded over. Each device then
        augments its own part, and nothing is communicated, but that CutMix
        gathers the images and labels of all devices. None: one device.

    Returns:
      The batch with 'views' [B,V,H,W,3] and, from CutMix, 'target' f32[B,K].

    Raises:
      TypeError: if the images are not uint8.
      ValueError: if they are not [B,H,W,3], or do not divide among devices.
    """
    shown = (batch['image'], batch['label'])
    check_images(shown[0])
    seen = functools.partial(
      self._seen, num_classes=num_classes, mean=mean, std=std
    )
    if mesh is None:
      return {**batch, **seen(key, *shown, first=0, axis=None)}
    _check_mesh(mesh, len(shown[0]))

    def local(key, images, labels):
      first = lax.axis_index(DATA_AXIS) * len(images)
      return seen(key, images, labels, first=first, axis=DATA_AXIS)

    split = jax.shard_map(
      local,
      mesh=mesh,
      in_specs=(P(), P(DATA_AXIS), P(DATA_AXIS)),
      out_specs=P(DATA_AXIS),
      check_vma=False,
    )
    return {**batch, **split(key, *shown)}

  def _seen(self, key, images, labels, *, first, axis, num_classes, **how):
    crop_key, mix_key, deep_key, auto_key, cut_key = random.split(key, 5)
    images = crop_flip(
      crop_key, images, padding=self.padding, flip=self.flip, first=first
    )
    if self.autoaugment is not None:
      policy = self.autoaugment.policy
      images = autoaugment(auto_key, images, policy=policy, first=first)
    made = {}
    if self.cutmix is not None:
      images, made['target'] = cutmix(
        cut_key,
        images,
        labels,
        num_classes=num_classes,
        prob=self.cutmix.prob,
        beta=self.cutmix.beta,
        axis=axis,
      )
    made['views'] = self._views(mix_key, deep_key, images, first, **how)
    return made

  def _views(self, mix_key, deep_key, images, first, **how):
    if self.deepaugment is not None:
      deep, distorted = self.deepaugment(deep_key, images, first=first, **how)
      if self.augmix is None:
        return deep[:, None].astype(self.dtype)
      distorted = distorted[:, None, None, None]
      images = jnp.where(distorted, quantise(deep, **how), images)
    if self.gaussian is not None:
      images = self.gaussian(mix_key, images, first=first)
    if self.augmix is None:
      return normalise(images, **how)[:, None].astype(self.dtype)
    return self.augmix.views(
      mix_key, images, first=first, dtype=self.dtype, **how
    )


def _check_mesh(mesh: Mesh, n: int) -> None:
  if DATA_AXIS not in mesh.shape:
    raise ValueError(
      f'the mesh needs an axis {DATA_AXIS!r}, it has {list(mesh.shape)}'
    )
  if n % mesh.shape[DATA_AXIS]:
    raise ValueError(
      f'a batch of {n} does not divide among the {mesh.shape[DATA_AXIS]} '
      f'devices of the mesh axis {DATA_AXIS!r}'
    )
