"""Noise2Net: DeepAugment by a random network that needs no weights.

Hendrycks et al. 2021, https://arxiv.org/abs/2006.16241, and
DeepAugment/train_noise2net.py of https://github.com/hendrycks/imagenet-r.
"""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax import lax, random
from jaxtyping import Array, Bool, Float32, Int32, Key, UInt8

from rcj.augment.normalisation import check_images, normalise

BLOCKS, SCALE, HIDDEN = 4, 4, 16
_WIDTH = SCALE * HIDDEN
# Images at once on an accelerator: work enough, 230 MB of patches at 224 px. A
# CPU is twice as fast with one, whose layers stay in its cache.
_CHUNK = 8
Planes = Float32[Array, 'C H W']


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Structure:
  """What the networks of a batch share.

  Attributes:
    kind: of each 3x3 slot; 0 is a 1x1 convolution, 1 to 3 are 3x3 ones with
      this dilation.
    epsilon: weight of every block beside its input.
  """

  kind: Int32[Array, '4 3']
  epsilon: Float32[Array, '']


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Weights:
  """The network of one image, block by block; I and O are channels.

  Biases are left out: the normalisation after each convolution removes them.

  Attributes:
    enter: 1x1 convolutions to `SCALE` groups of `HIDDEN` channels.
    inner: 3x3 convolutions between groups; 1x1 ones use the centre alone.
    leave: 1x1 convolutions back to colours.
  """

  enter: Float32[Array, '4 I=3 O=64']
  inner: Float32[Array, '4 3 3 3 I=16 O=16']
  leave: Float32[Array, '4 I=64 O=3']


def draw_structure(
  key: Key[Array, ''], *, max_epsilon: float = 0.75
) -> Structure:
  """1x1 or 3x3 with equal chance, dilations 1 to 3, epsilon from the half."""
  u = random.uniform(key, (BLOCKS * (SCALE - 1) + 1,))
  of_six = (6 * u[1:]).astype(jnp.int32).reshape(BLOCKS, SCALE - 1)
  return Structure(
    kind=jnp.maximum(of_six - 2, 0),
    epsilon=max_epsilon * (1 + u[0]) / 2,
  )


def draw_weights(key: Key[Array, '']) -> Weights:
  """Uniform in +-1 / sqrt(fan in), PyTorch's default."""
  outer, inner = 3 * _WIDTH, (SCALE - 1) * 9 * HIDDEN**2
  # One block of uniforms: each call of jax.random takes long to compile.
  u = random.uniform(key, (BLOCKS, outer + inner + outer), minval=-1)
  enter, inner, leave = jnp.split(u, (outer, outer + inner), axis=1)
  return Weights(
    enter=enter.reshape(BLOCKS, 3, _WIDTH) / 3**0.5,
    inner=inner.reshape(BLOCKS, SCALE - 1, 3, 3, HIDDEN, HIDDEN)
    / (9 * HIDDEN) ** 0.5,
    leave=leave.reshape(BLOCKS, _WIDTH, 3) / _WIDTH**0.5,
  )


def apply(
  image: Float32[Array, 'H W 3'], weights: Weights, structure: Structure
) -> Float32[Array, 'H W 3']:
  """Four residual blocks x + epsilon * f(x) on a normalised image.

  f is a Res2Net bottleneck. The original joins the networks of a batch by
  grouped convolutions, so that its BatchNorm sees one image per channel: here
  every channel is normalised over the image's own pixels.
  """
  x = jnp.transpose(image, (2, 0, 1))

  def inner(carried: Planes, layer: tuple) -> tuple[Planes, Planes]:
    group, w, kind = layer
    carried = _unit(_convolve(carried + group, w, kind), rectify=True)
    return carried, carried

  def block(x: Planes, layer: tuple) -> tuple[Planes, None]:
    part, kinds = layer
    y = _unit(_mix(part.enter, x), rectify=True)
    groups = y.reshape(SCALE, HIDDEN, *y.shape[1:])
    layers = (groups[:-1], part.inner, kinds)
    _, shown = lax.scan(inner, jnp.zeros_like(groups[0]), layers)
    y = jnp.concatenate([shown, groups[-1:]]).reshape(y.shape)
    return x + structure.epsilon * _unit(
      _mix(part.leave, y), rectify=False
    ), None

  x, _ = lax.scan(block, x, (weights, structure.kind))
  return jnp.transpose(x, (1, 2, 0))


def _mix(w: Float32[Array, 'I O'], x: Float32[Array, 'I H W']) -> Planes:
  return jnp.einsum('io,ihw->ohw', w, x)


def _unit(x: Planes, *, rectify: bool) -> Planes:
  """Zero mean and unit variance of each channel."""
  centred = x - x.mean((1, 2), keepdims=True)
  variance = (centred * centred).mean((1, 2), keepdims=True)
  x = centred * lax.rsqrt(variance + 1e-5)
  return jax.nn.relu(x) if rectify else x


def _convolve(
  x: Float32[Array, '16 H W'],
  w: Float32[Array, '3 3 16 16'],
  kind: Int32[Array, ''],
) -> Float32[Array, '16 H W']:
  """A product with shifted copies, since dilations are drawn when it runs."""

  def point(x: Planes) -> Planes:
    return _mix(3 * w[1, 1], x)  # with the bound of a fan-in of 16

  def patches(x: Planes) -> Planes:
    padded = jnp.pad(x, ((0, 0), (3, 3), (3, 3)))
    shifts = [3 + kind * d for d in (-1, 0, 1)]
    zero = jnp.zeros_like(kind)
    shifted = [
      lax.dynamic_slice(padded, (zero, down, right), x.shape)
      for down in shifts
      for right in shifts
    ]
    return _mix(w.reshape(-1, HIDDEN), jnp.concatenate(shifted))

  return lax.cond(kind == 0, point, patches, x)


@dataclasses.dataclass(frozen=True)
class Noise2Net:
  """Options of Noise2Net on a batch.

  The original distorts the first half of each batch; here a coin is tossed for
  each image, so that an image's draws depend on the batch's key and on its own
  position alone. Kernel sizes and dilations are drawn for each batch, not once
  per epoch.

  Attributes:
    share: probability that an image is distorted.
    max_epsilon: the largest weight of a block; the smallest is half of it.

  Raises:
    ValueError: for options out of range.
  """

  share: float = 0.5
  max_epsilon: float = 0.75

  def __post_init__(self):
    if not 0 < self.share <= 1:
      raise ValueError(
        f'share is the part of the images to distort, in (0, 1], got '
        f'{self.share}; for none of them leave Noise2Net out'
      )
    if not self.max_epsilon > 0:
      raise ValueError(f'max_epsilon must be positive, got {self.max_epsilon}')

  def __call__(
    self,
    key: Key[Array, ''],
    images: UInt8[Array, 'B H W 3'],
    *,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    first: int | Int32[Array, ''] = 0,
  ) -> tuple[Float32[Array, 'B H W 3'], Bool[Array, ' B']]:
    """Normalised images, and which of them are distorted.

    Distorted ones are not clipped to the range of images, as in the original.

    Args:
      key: of the whole batch.
      images: values in 0..255.
      mean: per channel, for images in 0..1.
      std: per channel, for images in 0..1.
      first: position of the first image in the whole batch.

    Raises:
      TypeError: if the images are not uint8.
      ValueError: if they are not [B,H,W,3].
    """
    check_images(images)
    shared, own = random.split(key)
    structure = draw_structure(shared, max_epsilon=self.max_epsilon)
    positions = first + jnp.arange(len(images), dtype=jnp.int32)
    keys = jax.vmap(random.fold_in, (None, 0))(own, positions)
    chosen = jax.vmap(random.uniform)(keys) < self.share
    clean = normalise(images, mean=mean, std=std)
    distorted = lax.platform_dependent(
      clean,
      chosen,
      keys,
      structure,
      cpu=functools.partial(_distort, chunk=1),
      default=functools.partial(_distort, chunk=min(_CHUNK, len(images))),
    )
    return distorted, chosen


def _distort(
  images: Float32[Array, 'B H W 3'],
  chosen: Bool[Array, ' B'],
  keys: Key[Array, ' B'],
  structure: Structure,
  *,
  chunk: int,
) -> Float32[Array, 'B H W 3']:
  """Distorts the chosen images, chunk by chunk; the others cost nothing."""
  n = len(images)
  # Chosen ones first; n, which is out of range, where there are no more.
  places = jnp.where(chosen, jnp.arange(n, dtype=jnp.int32), n)
  places = jnp.pad(jnp.sort(places), (0, chunk), constant_values=n)
  count = chosen.sum(dtype=jnp.int32)

  def one(image, key):
    return apply(image, draw_weights(random.fold_in(key, 1)), structure)

  def step(i, images):
    here = lax.dynamic_slice(places, (i * chunk,), (chunk,))
    known = jnp.minimum(here, n - 1)
    distorted = jax.vmap(one)(images[known], keys[known])
    return images.at[here].set(distorted, mode='drop')

  return lax.fori_loop(0, -(-count // chunk), step, images)


def quantise(
  images: Float32[Array, 'B H W 3'],
  *,
  mean: tuple[float, float, float],
  std: tuple[float, float, float],
) -> UInt8[Array, 'B H W 3']:
  """Normalised images as bytes, clipped and truncated, for AugMix."""
  mean = jnp.asarray(mean, jnp.float32).reshape(1, 1, 1, 3)
  std = jnp.asarray(std, jnp.float32).reshape(1, 1, 1, 3)
  return jnp.clip(255 * (images * std + mean), 0, 255).astype(jnp.uint8)
