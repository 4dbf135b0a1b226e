"""From a corruption's name to the functions that draw and apply it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key, UInt8

from rcj.corruptions import blur, digital, noise, tables, weather

Fields = Mapping[str, Array]
Images = UInt8[Array, 'N H W 3'] | UInt8[np.ndarray, 'N H W 3']


@dataclasses.dataclass(frozen=True)
class _Corruption:
  """How one corruption is computed.

  Attributes:
    apply: a batch, its fields and the prepared parameters to float32 0..255;
      on the host one uint8 image and the parameters to a uint8 image.
    draw: key, height, width and the prepared parameters to one image's fields.
    prepare: a row of the severity table to arrays of a shape that severities
      share, so that they run the same compiled program.
    on_host: whether `apply` runs in numpy and Pillow.
  """

  apply: Callable[..., Any]
  draw: Callable[..., dict[str, Array]] = lambda *_: {}
  prepare: Callable[..., tuple[Any, ...]] = lambda *row: row
  on_host: bool = False


_CORRUPTIONS = {
  'gaussian_noise': _Corruption(noise.gaussian, noise.draw_gaussian),
  'shot_noise': _Corruption(noise.shot, noise.draw_shot, noise.poisson_table),
  'impulse_noise': _Corruption(noise.impulse, noise.draw_impulse),
  'defocus_blur': _Corruption(blur.defocus, prepare=blur.disk_kernel),
  'fog': _Corruption(weather.fog, weather.draw_fog),
  'brightness': _Corruption(weather.brightness),
  'contrast': _Corruption(digital.contrast),
  'pixelate': _Corruption(digital.pixelate, on_host=True),
  'jpeg_compression': _Corruption(digital.jpeg, on_host=True),
}


def draw(
  key: Key[Array, ''],
  shape: tuple[int, int, int, int],
  name: str,
  severity: int,
  *,
  table: int | None = None,
  indices: Int[np.ndarray, ' N'] | None = None,
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

  Returns:
    gaussian_noise: `normal` f32[N,H,W,3], standard normal.
    shot_noise: `uniform` f32[N,H,W,3] in (0, 1), quantiles of the Poisson
      counts (the counts depend on the image, `apply` reads them there).
    impulse_noise: `flipped` and `salted` bool[N,H,W,3].
    fog: `plasma` f32[N,H,W] in 0..1.
    An empty dict for the others.

  Raises:
    ValueError: an unknown name, severity or table, no image shape, or indices
      that are not one per image.
  """
  _check_shape(shape)
  prepared = _prepare(name, tables.parameters(name, severity, table, shape))
  indices = np.arange(shape[0]) if indices is None else np.asarray(indices)
  if indices.shape != shape[:1]:
    raise ValueError(
      f'{shape[0]} images need as many indices, not {indices.shape}'
    )
  function = _CORRUPTIONS[name].draw
  return _draw(function, shape[1:3], key, indices.astype(np.uint32), prepared)


def render(
  images: Images,
  fields: Fields,
  name: str,
  severity: int,
  *,
  table: int | None = None,
) -> Float[np.ndarray, 'N H W 3']:
  """`apply` before its truncation: float32 in 0..255.

  Arguments and errors are those of `apply`; what Pillow computes (pixelate,
  JPEG) is whole numbers already.
  """
  check_images(images)
  row = tables.parameters(name, severity, table, images.shape)
  corruption, prepared = _CORRUPTIONS[name], _prepare(name, row)
  _check_fields(fields, images.shape, name, prepared)
  if not corruption.on_host:
    return np.asarray(_apply(corruption.apply, images, fields, prepared))
  result = np.empty(images.shape, np.float32)
  for i, image in enumerate(np.asarray(images)):
    result[i] = corruption.apply(image, *prepared)
  return result


def apply(
  images: Images,
  fields: Fields,
  name: str,
  severity: int,
  *,
  table: int | None = None,
) -> UInt8[np.ndarray, 'N H W 3']:
  """Corrupts images by fields that `draw` gave, without randomness.

  Runs on the default device, pixelate and JPEG on the host.

  Args:
    images: uint8 RGB, any height and width.
    fields: of `draw` for the same shape, name, severity and table.
    name: one of `NAMES`.
    severity: 1 to 5.
    table: as in `draw`.

  Returns:
    uint8, truncated (not rounded), as the benchmark stores its images.

  Raises:
    ValueError: an unknown name, severity or table; images that are not
      uint8[N,H,W,3]; fields of another corruption or shape.
  """
  values = render(images, fields, name, severity, table=table)
  return values.astype(np.uint8)


def corrupt(
  key: Key[Array, ''],
  images: Images,
  name: str,
  severity: int,
  *,
  table: int | None = None,
  indices: Int[np.ndarray, ' N'] | None = None,
) -> UInt8[np.ndarray, 'N H W 3']:
  """`draw`, then `apply`; arguments, result and errors are theirs."""
  check_images(images)
  fields = draw(key, images.shape, name, severity, table=table, indices=indices)
  return apply(images, fields, name, severity, table=table)


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


def _check_fields(
  fields: Fields, shape: tuple[int, ...], name: str, prepared: tuple[Any, ...]
) -> None:
  expected = _field_shapes(name, shape, jax.tree.map(np.shape, prepared))
  found = {k: np.shape(v) for k, v in fields.items()}
  if found != expected:
    raise ValueError(
      f'{name} of images {tuple(shape)} needs fields of shapes {expected}, not '
      f'{found}; draw them with the same shape and name'
    )


@functools.lru_cache
def _field_shapes(
  name: str, shape: tuple[int, ...], prepared_shapes: tuple[Any, ...]
) -> dict[str, tuple[int, ...]]:
  fields = jax.eval_shape(
    functools.partial(_draw, _CORRUPTIONS[name].draw, shape[1:3]),
    jax.random.key(0),
    jax.ShapeDtypeStruct(shape[:1], np.uint32),
    tuple(jax.ShapeDtypeStruct(s, np.float32) for s in prepared_shapes),
  )
  return {k: v.shape for k, v in fields.items()}


@functools.lru_cache
def _prepare(name: str, row: tuple[float, ...]) -> tuple[Any, ...]:
  return _CORRUPTIONS[name].prepare(*row)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _draw(function, size, key, indices, prepared):
  keys = jax.vmap(jax.random.fold_in, (None, 0))(key, indices)
  return jax.vmap(lambda k: function(k, *size, *prepared))(keys)


@functools.partial(jax.jit, static_argnums=0)
def _apply(function, images, fields, prepared):
  return function(images, fields, *prepared)
