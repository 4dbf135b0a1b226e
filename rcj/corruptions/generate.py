"""Whole corrupted test sets, for evaluation."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Int, UInt8

from rcj.corruptions import dispatch, frost, tables

Cell = tuple[str, int, UInt8[np.ndarray, 'N H W 3']]


def corrupted_set(
  images: UInt8[np.ndarray, 'N H W 3'],
  *,
  names: Sequence[str] = tables.STANDARD,
  severities: Sequence[int] = tables.SEVERITIES,
  table: int | None = None,
  seed: int = 0,
  batch: int = 128,
  textures: frost.Folder = None,
) -> Iterator[Cell]:
  """Every image under every corruption at every severity.

  The result depends on the seed, the name, the severity and an image's index,
  not on `batch`, nor on which other names and severities are asked for.

  Args:
    images: uint8 RGB.
    names: some of `NAMES`.
    severities: some of 1 to 5.
    table: 32, 64 or 224, the severity table; None takes the smallest that is
      not smaller than the longer side, and 224 for larger images.
    seed: of all randomness.
    batch: images on the device at a time.
    textures: folder of the benchmark's frost textures, None for those that are
      made here.

  Returns:
    An iterator of (name, severity, uint8[N,H,W,3]), severities within names.

  Raises:
    ValueError: at the call, for an unknown name, severity or table, images
      that are not uint8[N,H,W,3], or a batch below 1.
  """
  dispatch.check_images(images)
  how = {'table': table, 'seed': seed, 'textures': textures}
  cells = [(name, severity) for name in names for severity in severities]
  for name, severity in cells:
    tables.parameters(name, severity, table, images.shape)
  if batch < 1:
    raise ValueError(f'batch must be at least 1, not {batch}')
  return (
    (name, severity, _cell(images, name, severity, batch, how))
    for name, severity in cells
  )


def corrupted_part(
  images: UInt8[np.ndarray, 'B H W 3'],
  indices: Int[np.ndarray, ' B'],
  name: str,
  severity: int,
  *,
  table: int | None = None,
  seed: int = 0,
  textures: frost.Folder = None,
) -> UInt8[np.ndarray, 'B H W 3']:
  """What `corrupted_set` makes of some images of a set.

  Args:
    images: uint8 RGB.
    indices: place of each image in the set, not negative.
    name: one of `NAMES`.
    severity: 1 to 5.
    table: as in `corrupted_set`.
    seed: of all randomness.
    textures: as in `corrupted_set`.

  Raises:
    ValueError: as `corrupted_set`, and for indices that are not one per image.
  """
  # A checksum of the name, so that a cell stays as it is when names are added.
  key = jax.random.fold_in(jax.random.key(seed), zlib.crc32(name.encode()))
  key = jax.random.fold_in(key, severity)
  how = {'table': table, 'indices': indices, 'textures': textures}
  return dispatch.corrupt(key, images, name, severity, **how)


def _cell(
  images: UInt8[np.ndarray, 'N H W 3'],
  name: str,
  severity: int,
  batch: int,
  how: dict[str, Any],
) -> UInt8[np.ndarray, 'N H W 3']:
  images = np.asarray(images)
  n = len(images)
  result = np.empty_like(images)
  for start in range(0, n, batch):
    # The last batch repeats the last image: one shape, one compile.
    indices = np.minimum(np.arange(start, start + min(batch, n)), n - 1)
    result[indices] = corrupted_part(
      images[indices], indices, name, severity, **how
    )
  return result
