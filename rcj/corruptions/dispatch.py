"""From a corruption's name to the functions that draw and apply it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, UInt8

from rcj.corruptions import frost, tables
from rcj.corruptions.registry import CORRUPTIONS
from rcj.native import NativeError
from rcj.ops import corruptions as ops

Fields = Mapping[str, Array]
Images = UInt8[Array, 'N H W 3'] | UInt8[np.ndarray, 'N H W 3']


def draw(
  key: Key[Array, ''],
  shape: tuple[int, int, int, int],
  name: str,
  severity: int,
  *,
  table: int | None = None,
  indices: Int[np.ndarray, ' N'] | None = None,
  textures: frost.Folder = None,
  implementation: str | None = None,
) -> dict[str, Array]:
  """The random fields of a corruption, which do not depend on the images.

  Each image draws from `fold_in(key, index)`, so a set that is corrupted in
  pieces, in any order, gets the fields that it would get at once.

  Args:
    key: PRNG key of the whole set.
    shape: `(N, H, W, 3)` of the images.
    name: one of `NAMES`.
    severity: 1 to 5.
    table: 32, 64 or 224, the severity table; None takes the smallest that is
      not smaller than the longer side, and 224 for larger images.
    indices: place of each image in the set, not negative; None counts from 0.
    textures: folder of the benchmark's frost textures, None for those that are
      made here; `frost_words` says which.
    implementation: see `rcj.ops.dispatch.run`; native and reference draw the
      same up to 1e-6.

  Returns:
    gaussian_noise: `normal` f32[N,H,W,3], standard normal.
    shot_noise: `uniform` f32[N,H,W,3] in (0, 1), quantiles of the Poisson
      counts (the counts depend on the image, `apply` reads them there).
    impulse_noise: `flipped` and `salted` bool[N,H,W,3].
    glass_blur: `offsets` i8[N,3,H,W,2], right and down, of three rounds.
    motion_blur: `angle` f32[N] in degrees.
    snow: `normal` f32[N,H,W], standard normal; `angle` f32[N] in degrees.
    frost: `frost` u8[N,H,W,3], a patch of a texture.
    fog: `plasma` f32[N,H,W] in 0..1.
    elastic_transform: in -1..1, `jitter` f32[N,3,2] of three points (x, y),
      `right` and `down` f32[N,H,W].
    speckle_noise: `normal` f32[N,H,W,3], standard normal.
    spatter: `normal` f32[N,H,W], standard normal.
    An empty dict for the others.

  Raises:
    ValueError: an unknown name, severity or table, no image shape, indices
      that are not one per image, or a folder without the textures.
  """
  _check_shape(shape)
  row = tables.parameters(name, severity, table, shape)
  indices = np.arange(shape[0]) if indices is None else np.asarray(indices)
  if indices.shape != shape[:1]:
    raise ValueError(
      f'{shape[0]} images need as many indices, not {indices.shape}'
    )
  return _draw(
    name,
    shape[1:3],
    implementation,
    _keys(key, indices.astype(np.uint32)),
    _drawn_from(name, row, shape[1:3], textures),
  )


def render(
  images: Images,
  fields: Fields,
  name: str,
  severity: int,
  *,
  table: int | None = None,
) -> Float[np.ndarray, 'N H W 3']:
  """`apply` before its truncation, by the reference: float32 or float64.

  Values are in 0..255. Arguments and errors are those of `apply`; pixelate,
  JPEG and motion blur are whole numbers already.
  """
  row = _check(images, fields, name, severity, table)
  if CORRUPTIONS[name].on_host:
    return _on_host(images, name, row).astype(np.float32)
  with jax.enable_x64(CORRUPTIONS[name].double):
    return np.asarray(_render(name, images, fields, _arrays(name, row)))


def apply(
  images: Images,
  fields: Fields,
  name: str,
  severity: int,
  *,
  table: int | None = None,
  implementation: str | None = None,
) -> UInt8[np.ndarray, 'N H W 3']:
  """Corrupts images by fields that `draw` gave, without randomness.

  Runs on the default device, JPEG on the host.

  Args:
    images: uint8 RGB, any height and width from 8 pixels.
    fields: of `draw` for the same shape, name, severity and table.
    name: one of `NAMES`.
    severity: 1 to 5.
    table: as in `draw`.
    implementation: see `rcj.ops.dispatch.run`; JPEG has only the reference.

  Returns:
    uint8, truncated (not rounded), as the benchmark stores its images; it may
    be read-only.

  Raises:
    ValueError: an unknown name, severity or table; images that are not
      uint8[N,H,W,3]; fields of another corruption or shape.
    NativeError: an implementation that cannot be had.
  """
  row = _check(images, fields, name, severity, table)
  corruption = CORRUPTIONS[name]
  if corruption.on_host and implementation not in (None, 'reference'):
    raise NativeError(f'{name} has no native kernel: it runs through Pillow')
  if corruption.on_host:
    return _on_host(images, name, row)
  with jax.enable_x64(corruption.double):
    prepared = _arrays(name, row)
    return np.asarray(_apply(name, implementation, images, fields, prepared))


def corrupt(
  key: Key[Array, ''],
  images: Images,
  name: str,
  severity: int,
  *,
  table: int | None = None,
  indices: Int[np.ndarray, ' N'] | None = None,
  textures: frost.Folder = None,
  implementation: str | None = None,
) -> UInt8[np.ndarray, 'N H W 3']:
  """`draw`, then `apply`; arguments, result and errors are theirs."""
  check_images(images)
  how = {'table': table, 'implementation': implementation}
  drawn = {'indices': indices, 'textures': textures, **how}
  fields = draw(key, images.shape, name, severity, **drawn)
  return apply(images, fields, name, severity, **how)


def check_images(images: Images) -> None:
  """Raises a ValueError unless images are uint8[N,H,W,3]."""
  _check_shape(images.shape)
  if images.dtype != np.uint8:
    raise ValueError(
      f'images must be uint8 in 0..255, not {images.dtype}; corrupt before '
      'normalising'
    )


def _check_shape(shape: tuple[int, ...]) -> None:
  if len(shape) != 4 or shape[3] != 3:
    raise ValueError(
      f'images must be a batch of RGB images [N,H,W,3], not {tuple(shape)}; '
      'one image needs a leading axis: images[None]'
    )
  if min(shape[1:3]) < 8:
    raise ValueError(
      f'images must be at least 8 pixels high and wide, not {shape[1:3]}'
    )


def _check(
  images: Images,
  fields: Fields,
  name: str,
  severity: int,
  table: int | None,
) -> tuple[float, ...]:
  """The row of the severity table, if the arguments of `apply` are right."""
  check_images(images)
  row = tables.parameters(name, severity, table, images.shape)
  expected = _field_shapes(name, images.shape, row)
  found = {k: np.shape(v) for k, v in fields.items()}
  if found != expected:
    raise ValueError(
      f'{name} of images {images.shape} needs fields of shapes {expected}, not '
      f'{found}; draw them with the same shape and name'
    )
  return row


@functools.lru_cache(maxsize=1024)
def _field_shapes(
  name: str, shape: tuple[int, ...], row: tuple[float, ...]
) -> dict[str, tuple[int, ...]]:
  indices = jax.ShapeDtypeStruct(shape[:1], np.uint32)
  fields = jax.eval_shape(
    functools.partial(_draw, name, shape[1:3], None),
    jax.eval_shape(_keys, jax.random.key(0), indices),
    _drawn_from(name, row, shape[1:3], None),
  )
  return {k: v.shape for k, v in fields.items()}


def _arrays(name: str, row: tuple[float, ...]) -> tuple[Any, ...]:
  """The prepared parameters, of 64 bits where these are enabled now."""
  return _cached_arrays(name, row, jax.config.jax_enable_x64)


@functools.cache
def _cached_arrays(
  name: str, row: tuple[float, ...], double: bool
) -> tuple[Any, ...]:
  def array(x):
    return jnp.asarray(x, jnp.int32 if isinstance(x, int) else None)

  return jax.tree.map(array, CORRUPTIONS[name].prepare(*row))


def _drawn_from(
  name: str,
  row: tuple[float, ...],
  size: tuple[int, int],
  textures: frost.Folder,
) -> tuple[Any, ...]:
  return *_arrays(name, row), *CORRUPTIONS[name].assets(textures, *size, row)


@jax.jit
def _keys(key, indices):
  return jax.vmap(jax.random.fold_in, (None, 0))(key, indices)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _draw(name, size, implementation, keys, prepared):
  def draw_one(key):
    how = {'implementation': implementation}
    return CORRUPTIONS[name].draw(key, *size, *prepared, **how)

  return jax.vmap(draw_one)(keys)


@functools.partial(jax.jit, static_argnums=0)
def _render(name, images, fields, prepared):
  return CORRUPTIONS[name].apply(images, fields, *prepared)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _apply(name, implementation, images, fields, prepared):
  corruption = CORRUPTIONS[name]

  def reference(images, fields, *prepared):
    return corruption.apply(images, fields, *prepared).astype(jnp.uint8)

  how = {'reference': reference, 'implementation': implementation}
  return ops.apply(name, images, fields, prepared, **how)


def _on_host(
  images: Images, name: str, row: tuple[float, ...]
) -> UInt8[np.ndarray, 'N H W 3']:
  result = np.empty(images.shape, np.uint8)
  for i, image in enumerate(np.asarray(images)):
    result[i] = CORRUPTIONS[name].apply(image, *row)
  return result
