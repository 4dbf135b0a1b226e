"""From a corruption's name to the functions that draw and apply it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key, UInt8

from rcj.corruptions import (
  blur,
  digital,
  elastic,
  frost,
  gaussian,
  glass,
  hsv,
  motion,
  noise,
  snow,
  spatter,
  tables,
  weather,
  zoom,
)

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
    double: whether `apply` is traced with 64-bit types enabled.
    assets: folder of textures, height, width and the row to what `draw` takes
      after the prepared parameters.
  """

  apply: Callable[..., Any]
  draw: Callable[..., dict[str, Array]] = lambda *_: {}
  prepare: Callable[..., tuple[Any, ...]] = lambda *row: row
  on_host: bool = False
  double: bool = False
  assets: Callable[..., tuple[Array, ...]] = lambda *_: ()


_double = functools.partial(_Corruption, double=True)
_CORRUPTIONS = {
  'gaussian_noise': _Corruption(noise.gaussian, noise.draw_gaussian),
  'shot_noise': _Corruption(noise.shot, noise.draw_shot, noise.poisson_table),
  'impulse_noise': _Corruption(noise.impulse, noise.draw_impulse),
  'defocus_blur': _Corruption(blur.defocus, prepare=blur.disk_kernel),
  'glass_blur': _double(glass.glass, glass.draw_glass, glass.glass_kernel),
  'motion_blur': _double(
    motion.motion, motion.draw_motion, motion.streak_kernel
  ),
  'zoom_blur': _double(zoom.zoom, prepare=zoom.zoom_levels),
  'snow': _double(snow.snow, snow.draw_snow, snow.snow_kernel),
  'frost': _double(
    frost.frost, frost.draw_frost, frost.frost_weights, assets=frost.textures
  ),
  'fog': _Corruption(weather.fog, weather.draw_fog),
  'brightness': _double(hsv.brightness),
  'contrast': _Corruption(digital.contrast),
  'elastic_transform': _double(
    elastic.elastic, elastic.draw_elastic, elastic.elastic_kernel
  ),
  'pixelate': _Corruption(digital.pixelate, on_host=True),
  'jpeg_compression': _Corruption(digital.jpeg, on_host=True),
  'speckle_noise': _Corruption(noise.speckle, noise.draw_gaussian),
  'gaussian_blur': _double(gaussian.gaussian_blur, prepare=gaussian.taps),
  'spatter': _double(
    spatter.spatter, spatter.draw_spatter, spatter.spatter_kernels
  ),
  'saturate': _double(hsv.saturate),
}


def draw(
  key: Key[Array, ''],
  shape: tuple[int, int, int, int],
  name: str,
  severity: int,
  *,
  table: int | None = None,
  indices: Int[np.ndarray, ' N'] | None = None,
  textures: frost.Folder = None,
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
    _CORRUPTIONS[name].draw,
    shape[1:3],
    key,
    indices.astype(np.uint32),
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
  """`apply` before its truncation: float32 or float64 in 0..255.

  Arguments and errors are those of `apply`; what Pillow computes (pixelate,
  JPEG) and motion blur are whole numbers already.
  """
  check_images(images)
  row = tables.parameters(name, severity, table, images.shape)
  corruption, prepared = _CORRUPTIONS[name], _prepare(name, row)
  _check_fields(fields, images.shape, name, row)
  if not corruption.on_host:
    with jax.enable_x64(corruption.double):
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
    images: uint8 RGB, any height and width from 8 pixels.
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
  textures: frost.Folder = None,
) -> UInt8[np.ndarray, 'N H W 3']:
  """`draw`, then `apply`; arguments, result and errors are theirs."""
  check_images(images)
  how = {'table': table, 'indices': indices, 'textures': textures}
  fields = draw(key, images.shape, name, severity, **how)
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
  if min(shape[1:3]) < 8:
    raise ValueError(
      f'images must be at least 8 pixels high and wide, not {shape[1:3]}'
    )


def _check_fields(
  fields: Fields, shape: tuple[int, ...], name: str, row: tuple[float, ...]
) -> None:
  expected = _field_shapes(name, shape, row)
  found = {k: np.shape(v) for k, v in fields.items()}
  if found != expected:
    raise ValueError(
      f'{name} of images {tuple(shape)} needs fields of shapes {expected}, not '
      f'{found}; draw them with the same shape and name'
    )


@functools.lru_cache
def _field_shapes(
  name: str, shape: tuple[int, ...], row: tuple[float, ...]
) -> dict[str, tuple[int, ...]]:
  fields = jax.eval_shape(
    functools.partial(_draw, _CORRUPTIONS[name].draw, shape[1:3]),
    jax.random.key(0),
    jax.ShapeDtypeStruct(shape[:1], np.uint32),
    _drawn_from(name, row, shape[1:3], None),
  )
  return {k: v.shape for k, v in fields.items()}


@functools.lru_cache
def _prepare(name: str, row: tuple[float, ...]) -> tuple[Any, ...]:
  return _CORRUPTIONS[name].prepare(*row)


def _drawn_from(
  name: str,
  row: tuple[float, ...],
  size: tuple[int, int],
  textures: frost.Folder,
) -> tuple[Any, ...]:
  assets = _CORRUPTIONS[name].assets(textures, *size, row)
  return *_prepare(name, row), *assets


@functools.partial(jax.jit, static_argnums=(0, 1))
def _draw(function, size, key, indices, prepared):
  keys = jax.vmap(jax.random.fold_in, (None, 0))(key, indices)
  return jax.vmap(lambda k: function(k, *size, *prepared))(keys)


@functools.partial(jax.jit, static_argnums=0)
def _apply(function, images, fields, prepared):
  return function(images, fields, *prepared)
