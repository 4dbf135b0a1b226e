"""Which augmentation made images that look most like these."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float16, Int, Key, UInt8

from rcj.augment import Views
from rcj.deck.features import features

NEIGHBOURS = 10
# Images whose features are made at a time.
_CHUNK = 250


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Gate:
  """Features of augmented training images, by augmentation scheme.

  Attributes:
    features: of N images for each of S schemes, see `deck.features`.
    schemes: their names.
  """

  features: Float16[Array, 'S N D']
  schemes: tuple[str, ...] = dataclasses.field(metadata={'static': True})


def built(
  key: Key[Array, ''],
  images: UInt8[np.ndarray, 'N H W 3'],
  schemes: Mapping[str, Views],
  *,
  count: int = 1000,
) -> Gate:
  """The gate of training images.

  All schemes augment the same images, so that they differ in augmentation
  alone. Crops and flips are left out, which test images do not have either;
  AugMix shows one version of each image.

  Args:
    key: of the choice of images and of their augmentation.
    images: of a training set, of the networks' input size.
    schemes: what each shows.
    count: images to store, or all where there are fewer.

  Raises:
    ValueError: for fewer than two schemes, or fewer images than there are
      neighbours to look for.
  """
  count = min(count, len(images))
  if len(schemes) < 2 or count < NEIGHBOURS:
    raise ValueError(
      f'a gate chooses among two schemes or more by {NEIGHBOURS} nearest '
      f'images or more, got {list(schemes)} and {count} images'
    )
  choice, augment = jax.random.split(key)
  chosen = jax.random.choice(choice, len(images), (count,), replace=False)
  chosen = images[np.asarray(chosen)]
  found = [
    _stored(augment, chosen, _alone(views)) for views in schemes.values()
  ]
  return Gate(jnp.asarray(np.stack(found)), tuple(schemes))


@jax.jit
def distances(
  gate: Gate, images01: Float[Array, 'B H W 3']
) -> Float[Array, 'S B']:
  """Mean L2 distance of each image to its nearest stored features.

  Args:
    gate: what is stored.
    images01: images in 0..1, not normalised.
  """
  own = features(images01)

  def of_scheme(stored: Float16[Array, 'N D']) -> Float[Array, ' B']:
    apart = own[:, None] - stored.astype(jnp.float32)[None]
    squares = jnp.sum(apart**2, axis=-1)
    least = -jax.lax.top_k(-squares, NEIGHBOURS)[0]
    return jnp.mean(jnp.sqrt(least), axis=-1)

  return jax.lax.map(of_scheme, gate.features)


def nearest(
  gate: Gate,
  images01: Float[Array, 'B H W 3'],
  *,
  per: Literal['batch', 'sample'],
  real: Bool[Array, ' B'] | None = None,
) -> Int[Array, '*one_or_B']:
  """Index of the nearest scheme.

  Args:
    gate: what is stored.
    images01: images in 0..1, not normalised.
    per: 'batch' takes all images to be of one domain: their mean distance
      decides, and the result is a scalar; 'sample' decides for each image.
    real: False where a row is padding, which has no say; None if none is.
  """
  found = distances(gate, images01)
  if per == 'sample':
    return jnp.argmin(found, axis=0)
  if real is not None:
    found = jnp.where(real[None], found, 0)
  return jnp.argmin(jnp.sum(found, axis=1))


def _alone(views: Views) -> Views:
  """What the scheme itself does."""
  views = dataclasses.replace(views, padding=0, flip=False, dtype='float32')
  if views.augmix is None:
    return views
  one = dataclasses.replace(views.augmix, jsd=False)
  return dataclasses.replace(views, augmix=one)


def _stored(
  key: Key[Array, ''], images: UInt8[np.ndarray, 'N H W 3'], views: Views
) -> Float16[np.ndarray, 'N D']:
  @jax.jit
  def of_chunk(key, part):
    labels = jnp.zeros(len(part), jnp.int32)
    shown = views(
      key,
      {'image': part, 'label': labels},
      num_classes=1,
      mean=(0.0,) * 3,
      std=(1.0,) * 3,
    )['views'][:, 0]
    return features(shown).astype(jnp.float16)

  starts = range(0, len(images), _CHUNK)
  chunks = [
    of_chunk(jax.random.fold_in(key, i), images[i : i + _CHUNK]) for i in starts
  ]
  return np.concatenate(chunks)
