"""Frost: a patch of a frozen window over the image.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; formulas of
hendrycks/robustness, make_imagenet_c.py. The benchmark's textures are
photographs; where their folder is not given, textures are made here.
"""

from __future__ import annotations

import functools
import os
import pathlib

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float32, Float64, Int, Key, UInt8
from PIL import Image

from rcj.corruptions.double import rounded
from rcj.corruptions.frost_textures import made_textures
from rcj.ops import random

# The benchmark has a sixth and never draws it.
FILES = ('frost1.png', 'frost2.png', 'frost3.png', 'frost4.jpg', 'frost5.jpg')
Folder = str | os.PathLike | None
_Texture = UInt8[np.ndarray, 'h w 3']


def frost_words(*, textures: Folder = None) -> str:
  """Which textures a folder, or None, stands for: words for a protocol."""
  return 'frost textures ' + ('made here' if textures is None else 'from files')


@functools.lru_cache(maxsize=8)
def textures(
  folder: Folder, height: int, width: int, row: tuple[float, float, float]
) -> tuple[UInt8[Array, '5 h w 3'], Int[Array, '5 2']]:
  """Textures for images of a size, padded to a stack, and their sizes.

  Args:
    folder: holds `FILES`; None for the textures that are made here.
    height: of the images.
    width: of the images.
    row: of the severity table. Its last number scales the textures, more
      where one would otherwise be smaller than the images.

  Raises:
    ValueError: if the folder lacks a file.
  """
  found = made_textures() if folder is None else _read(pathlib.Path(folder))
  fitted = [_fitted(texture, height, width, row[2]) for texture in found]
  sizes = np.array([t.shape[:2] for t in fitted], np.int32)
  stack = np.zeros((len(fitted), *sizes.max(0), 3), np.uint8)
  for room, texture in zip(stack, fitted, strict=True):
    room[: texture.shape[0], : texture.shape[1]] = texture
  return jnp.asarray(stack), jnp.asarray(sizes)


def _read(folder: pathlib.Path) -> list[_Texture]:
  missing = [name for name in FILES if not (folder / name).is_file()]
  if missing:
    there = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    raise ValueError(
      f'{folder} lacks {", ".join(missing)} of the frost textures; it has '
      f'{there[:9]}. They are in ImageNet-C/create_c of hendrycks/robustness'
    )
  return [np.asarray(Image.open(folder / n).convert('RGB')) for n in FILES]


def _fitted(
  texture: _Texture, height: int, width: int, shrink: float
) -> _Texture:
  factor = max(shrink, height / texture.shape[0], width / texture.shape[1])
  if factor == 1:
    return texture
  resized = _resized(texture.astype(np.float64), factor, 0, height)
  resized = _resized(resized, factor, 1, width)
  return np.round(resized).astype(np.uint8)


def _resized(
  texture: Float64[np.ndarray, 'h w 3'], factor: float, axis: int, least: int
) -> Float64[np.ndarray, 'h w 3']:
  """Bilinear along one axis, without smoothing first, as OpenCV's."""
  n = texture.shape[axis]
  size = max(least, round(n * factor))
  at = np.clip((np.arange(size) + 0.5) / factor - 0.5, 0, n - 1)
  low = np.floor(at).astype(int)
  way = np.expand_dims(at - low, [i for i in range(3) if i != axis])
  high = np.minimum(low + 1, n - 1)
  return texture.take(low, axis) * (1 - way) + texture.take(high, axis) * way


def frost_weights(
  keep: float, cover: float, shrink: float
) -> tuple[float, float]:
  """The factors of image and texture."""
  del shrink
  return keep, cover


def draw_frost(
  key: Key[Array, ''],
  height: int,
  width: int,
  keep: Float[Array, ''],
  cover: Float[Array, ''],
  stack: UInt8[Array, '5 h w 3'],
  sizes: Int[Array, '5 2'],
  *,
  implementation: str | None = None,
) -> dict[str, UInt8[Array, 'H W 3']]:
  """A patch of one of the textures, from anywhere in it."""
  del keep, cover
  uniform = random.uniform(key, (3,), implementation=implementation)
  index = _below(len(stack), uniform[0])
  room = sizes[index] - jnp.array([height, width])
  top, left = _below(jnp.maximum(room, 1), uniform[1:])
  patch = lax.dynamic_slice(
    stack, (index, top, left, jnp.zeros_like(index)), (1, height, width, 3)
  )
  return {'frost': patch[0]}


def _below(
  count: Int[Array, '*n'] | int, uniform: Float32[Array, '*n']
) -> Int[Array, '*n']:
  """From a uniform in (0, 1) to a whole number from 0 to `count` - 1."""
  # A product may be rounded up to the count itself.
  return jnp.minimum((uniform * count).astype(jnp.int32), count - 1)


def frost(
  images: UInt8[Array, 'N H W 3'],
  fields: dict[str, UInt8[Array, 'N H W 3']],
  keep: Float[Array, ''],
  cover: Float[Array, ''],
) -> Float64[Array, 'N H W 3']:
  """Weighted sum of image and patch, 0..255."""
  images, patches = (x.astype(jnp.float64) for x in (images, fields['frost']))
  return jnp.clip(rounded(keep * images) + rounded(cover * patches), 0, 255)
