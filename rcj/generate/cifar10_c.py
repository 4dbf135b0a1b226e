"""A test set of 32 px as arrays in the layout of CIFAR-10-C."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import numpy as np
import rich.console
from etils import epath
from jaxtyping import UInt8

from rcj import corruptions, data, files
from rcj.generate.cells import Cells
from rcj.generate.folder import filled, progress
from rcj.types import Source

_SIDE = 32


def cifar10_c(
  source: Source,
  folder: epath.PathLike,
  cells: Cells,
  *,
  name: str,
  batch_size: int = 128,
  console: rich.console.Console | None = None,
) -> None:
  """Writes `folder`/corruption.npy and `folder`/labels.npy.

  As in make_cifar_c.py of hendrycks/robustness, each file is uint8
  [5N,32,32,3], the whole set at severity 1 first, and the labels stand there
  five times. What a file holds depends on the settings alone. Whole files are
  kept: a folder that was stopped continues with the corruption in which it was.

  Args:
    source: the clean images, 32x32.
    folder: a new one, or one that was begun with the same settings.
    cells: the corruptions, at all five severities.
    name: of the source.
    batch_size: images on the device at a time.
    console: where people read.

  Raises:
    ValueError: for fewer severities, images of another size, cells that cannot
      be made, or a folder that was begun with other settings.
    BlockingIOError: if another process fills the folder.
  """
  if cells.severities != corruptions.SEVERITIES:
    raise ValueError(
      'the layout of CIFAR-10-C has all severities, '
      f'{corruptions.SEVERITIES}, not {cells.severities}'
    )
  cells.check(_SIDE)
  images = data.in_memory(source).images
  if images.shape[1:3] != (_SIDE, _SIDE):
    raise ValueError(
      f'the layout of CIFAR-10-C has images of {_SIDE}x{_SIDE} pixels, not '
      f'{images.shape[1]}x{images.shape[2]}; the layout of ImageNet-C has any'
    )
  made = {
    'layout': 'CIFAR-10-C',
    'data': name,
    'images': len(images),
    'pixels': f'{zlib.crc32(images):08x}',
    **cells.settings(),
  }
  words = f'{name}, {cells.words()}'
  console = console or rich.console.Console(quiet=True)
  with filled(folder, made, words=words, console=console) as root:
    file = io.BytesIO()
    np.save(file, np.tile(source.labels, len(cells.severities)))
    files.write_whole(root / 'labels.npy', file.getvalue())
    absent = [c for c in cells.names if not (root / f'{c}.npy').exists()]
    total = len(absent) * len(cells.severities)
    with progress('cells', total, console=console) as advance:
      for corruption in absent:
        _write(root / f'{corruption}.npy', images, cells, batch_size, advance)


def _write(
  path: epath.Path,
  images: UInt8[np.ndarray, 'N 32 32 3'],
  cells: Cells,
  batch_size: int,
  advance: Callable[[int], None],
) -> None:
  n = len(images)
  partial = path.with_name(f'{path.name}.partial')
  # On disk: at 50,000 images the five severities take 768 MB.
  whole = np.lib.format.open_memmap(
    partial, 'w+', np.uint8, (n * len(cells.severities), *images.shape[1:])
  )
  for _, severity, made in corruptions.corrupted_set(
    images,
    names=[path.stem],
    severities=cells.severities,
    table=cells.table,
    seed=cells.seed,
    batch=batch_size,
    textures=cells.textures,
  ):
    whole[n * (severity - 1) : n * severity] = made
    advance(1)
  whole.flush()
  partial.replace(path)
