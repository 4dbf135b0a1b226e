"""A test set as image files in the layout of ImageNet-C."""

from __future__ import annotations

import concurrent.futures
import functools
import os
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import rich.console
from etils import epath
from jaxtyping import Bool, Int, UInt8

from rcj import data, files
from rcj.generate.cells import Cells
from rcj.generate.folder import encoded, filled, progress
from rcj.types import Source


def imagenet_c(
  source: Source,
  folder: epath.PathLike,
  cells: Cells,
  *,
  name: str,
  resize: int = 256,
  size: int = 224,
  quality: int | None = 85,
  batch_size: int = 64,
  console: rich.console.Console | None = None,
) -> None:
  """Writes `folder`/corruption/severity/class/image.JPEG.

  As in make_imagenet_c.py of hendrycks/robustness, an image's shorter side
  becomes `resize`, its centre of `size` pixels is corrupted and truncated to
  bytes. A clean image is read once for all cells. What a file holds depends on
  the settings and the image's index alone, and whole files are kept: a folder
  that was stopped continues, in batches of any size.

  Files have the names of the clean ones or, where there are none that sort as
  their indices, numbers.

  Args:
    source: the clean images.
    folder: a new one, or one that was begun with the same settings.
    cells: the corruptions.
    name: of the source.
    resize: shorter side in pixels before the crop.
    size: side of the crop in pixels.
    quality: of the JPEG files, 1 to 95; None writes PNG files, without loss.
    batch_size: images on the device at a time.
    console: where people read.

  Raises:
    ValueError: for cells or sizes that cannot be made, a quality out of range,
      classes that cannot be names of folders, a folder that was begun with
      other settings, or an unreadable image.
    BlockingIOError: if another process fills the folder.
  """
  if quality is not None and not 1 <= quality <= 95:
    raise ValueError(f'the quality of a JPEG is 1 to 95, not {quality}')
  if not 1 <= size <= resize:
    raise ValueError(f'cannot crop {size} pixels from a side of {resize}')
  cells.check(size)
  paths = _paths(source, '.png' if quality is None else '.JPEG')
  made = {
    'layout': 'ImageNet-C',
    'data': name,
    'images': len(source),
    'files': f'{zlib.crc32(repr(paths).encode()):08x}',
    'resize': resize,
    'size': size,
    'quality': quality,
    **cells.settings(),
  }
  kind = 'PNG' if quality is None else f'JPEG quality {quality}'
  words = f'{name}, {cells.words()}, {kind}'
  crop = functools.partial(data.resize_center_crop, resize_to=resize, size=size)
  console = console or rich.console.Console(quiet=True)
  with filled(folder, made, words=words, console=console) as root:
    places = [root / corruption / str(s) for corruption, s in cells]
    absent = np.stack([_absent(place, paths) for place in places])
    with (
      concurrent.futures.ThreadPoolExecutor() as pool,
      progress('images', int(absent.sum()), console=console) as advance,
    ):
      for index, valid, images in _batches(source, absent, crop, batch_size):
        for cell, place, lacks in zip(cells, places, absent, strict=True):
          rows = np.flatnonzero(valid & lacks[index])
          if rows.size:
            shown = cells.corrupted(images, index, *cell)
            write = functools.partial(_write, place, quality)
            list(pool.map(write, [paths[i] for i in index[rows]], shown[rows]))
            advance(rows.size)


def _paths(source: Source, suffix: str) -> list[str]:
  """class/name of each image; those of a class sort as their indices."""
  odd = [c for c in source.classes if not c or c[0] == '.' or os.sep in c]
  if odd:
    raise ValueError(f'classes that cannot be names of folders: {odd}')
  folders = [source.classes[label] for label in source.labels]
  read = getattr(source, 'files', ())
  if read and isinstance(read[0], str):
    stems = [os.path.splitext(os.path.basename(file))[0] for file in read]
    pairs = [(c, f'{s}{suffix}') for c, s in zip(folders, stems, strict=True)]
    if sorted(set(pairs)) == pairs:
      return [os.path.join(*pair) for pair in pairs]
  digits = len(str(len(folders) - 1))
  return [
    os.path.join(c, f'{i:0{digits}}{suffix}') for i, c in enumerate(folders)
  ]


def _absent(place: epath.Path, paths: Sequence[str]) -> Bool[np.ndarray, ' N']:
  """Which files of a cell are missing; makes its folders."""
  found = set()
  for folder in sorted({os.path.dirname(path) for path in paths}):
    os.makedirs(place / folder, exist_ok=True)
    found |= {os.path.join(folder, name) for name in os.listdir(place / folder)}
  return np.array([path not in found for path in paths])


def _batches(
  source: Source,
  absent: Bool[np.ndarray, 'C N'],
  crop: data.evaluation.Transform,
  batch_size: int,
) -> Iterator[
  tuple[
    Int[np.ndarray, ' B'],
    Bool[np.ndarray, ' B'],
    UInt8[np.ndarray, 'B H W 3'],
  ]
]:
  """Indices, which rows are no padding, and images that some cell lacks."""
  wanted = np.flatnonzero(absent.any(0))
  if wanted.size:
    for batch in data.eval_batches(
      data.subset(source, wanted),
      batch_size=min(batch_size, wanted.size),
      transform=crop,
    ):
      yield wanted[batch['index']], batch['valid'], batch['image']


def _write(
  place: epath.Path,
  quality: int | None,
  path: str,
  pixels: UInt8[np.ndarray, 'H W 3'],
) -> None:
  if quality is None:
    content = encoded(pixels, kind='png')
  else:
    content = encoded(pixels, kind='jpeg', quality=quality, optimize=True)
  files.write_whole(place / path, content)
