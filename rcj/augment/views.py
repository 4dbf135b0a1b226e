"""What a training step sees of each image: one view, or AugMix's three."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jax import lax, random
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float32, Int32, Key, UInt8

from rcj.augment.augmix import apply_plan
from rcj.augment.crop_flip import crop_flip
from rcj.augment.noise2net import Noise2Net, quantise
from rcj.augment.normalisation import check_images, normalise
from rcj.augment.plan import augmix_plan, check_options

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

  def versions(
    self,
    key: Key[Array, ''],
    images: UInt8[Array, 'B H W 3'],
    *,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    first: int | Int32[Array, ''] = 0,
  ) -> Float32[Array, 'B A H W 3']:
    """Independent AugMix versions of each image: A is 2 with `jsd`, else 1."""
    each = 2 if self.jsd else 1
    images = jnp.repeat(images, each, axis=0)
    plan = augmix_plan(
      key,
      len(images),
      size=images.shape[1],
      severity=self.severity,
      width=self.width,
      depth=self.depth,
      alpha=self.alpha,
      all_ops=self.all_ops,
      first=first * each,
    )
    mixed = apply_plan(images, plan, mean=mean, std=std)
    return mixed.reshape(-1, each, *images.shape[1:])


@dataclasses.dataclass(frozen=True)
class Views:
  """Crop, flip, DeepAugment and AugMix of a batch; an `rcj.types.Augment`.

  All views of an image share its crop and flip. Without AugMix there is one
  view; with it there are three, the first of them clean, or the augmented one
  alone if its `jsd` is off. DeepAugment and AugMix together are AMDA: what
  DeepAugment made of an image then takes the place of the image, in the clean
  view too, as bytes that are clipped and truncated.

  Attributes:
    padding: of the random crop in pixels; 0 crops nothing.
    flip: whether half of the images are mirrored.
    augmix: options of AugMix, or None.
    deepaugment: options of Noise2Net, or None.
  """

  padding: int = 0
  flip: bool = False
  augmix: AugMix | None = None
  deepaugment: Noise2Net | None = None

  def __call__(
    self,
    key: Key[Array, ''],
    images: UInt8[Array, 'B H W 3'],
    *,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    mesh: Mesh | None = None,
  ) -> Float32[Array, 'B V H W 3']:
    """Normalised views of a batch.

    Args:
      key: of the batch; the same key gives the same views on any mesh.
      images: values in 0..255.
      mean: per channel, for images in 0..1.
      std: per channel, for images in 0..1.
      mesh: whose axis 'data' the batch is sharded over. Each device then
        augments its own part and nothing is communicated. None: one device.

    Raises:
      TypeError: if the images are not uint8.
      ValueError: if they are not [B,H,W,3], or do not divide among devices.
    """
    check_images(images)
    if mesh is None:
      return self._views(key, images, 0, mean=mean, std=std)
    _check_mesh(mesh, len(images))

    def local(key, images):
      first = lax.axis_index(DATA_AXIS) * len(images)
      return self._views(key, images, first, mean=mean, std=std)

    return jax.shard_map(
      local,
      mesh=mesh,
      in_specs=(P(), P(DATA_AXIS)),
      out_specs=P(DATA_AXIS),
      check_vma=False,
    )(key, images)

  def _views(self, key, images, first, *, mean, std):
    crop_key, mix_key, deep_key = random.split(key, 3)
    how = {'mean': mean, 'std': std}
    images = crop_flip(
      crop_key, images, padding=self.padding, flip=self.flip, first=first
    )
    if self.deepaugment is None:
      clean = normalise(images, **how)
    else:
      clean, distorted = self.deepaugment(deep_key, images, first=first, **how)
    if self.augmix is None:
      return clean[:, None]
    if self.deepaugment is not None:
      distorted = distorted[:, None, None, None]
      images = jnp.where(distorted, quantise(clean, **how), images)
      clean = normalise(images, **how)
    versions = self.augmix.versions(mix_key, images, first=first, **how)
    if not self.augmix.jsd:
      return versions
    return jnp.concatenate([clean[:, None], versions], 1)


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
