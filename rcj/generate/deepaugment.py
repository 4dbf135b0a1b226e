"""Distorted copies of a folder of images, as DeepAugment trains on them."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import os
import pathlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
import rich.console
from etils import epath
from jaxtyping import Array, UInt8

from rcj.augment.weight_changes import apply_changes
from rcj.data.decode import decode
from rcj.data.listing import SUFFIXES, is_image
from rcj.data.variants import variant_name
from rcj.files import write_whole
from rcj.generate.folder import encoded, filled, progress
from rcj.generate.networks import Network, Weights
from rcj.generate.schedule import Schedule, schedule

# Images that are read, and that are written, while one is distorted.
_AHEAD = 8


def deepaugment(
  network: Network,
  weights: Weights,
  images: str | os.PathLike[str],
  folder: epath.PathLike,
  *,
  seed: int = 0,
  part: int = 1,
  parts: int = 1,
  console: rich.console.Console | None = None,
) -> list[str]:
  """Writes a distorted copy of every image below a folder.

  Hendrycks et al. 2021, https://arxiv.org/abs/2006.16241: the image is resized
  to `network.side`, goes through the network with distorted weights and
  activations, and is clipped, truncated to bytes and saved as a JPEG of
  Pillow's own quality, under `data.variants.variant_name` of its path.

  Which weights and activations an image gets depends on the seed, its place
  among the sorted paths and their number (see `generate.schedule`), and nothing
  on what was written before or elsewhere: a folder that was stopped continues,
  and parts may be made by several processes or machines, one per device. On
  other devices last bits differ.

  Args:
    network: `EDSR` or `CAE`.
    weights: of the network, by `rcj.deepaugment.load`.
    images: folder; images lie anywhere below, links to folders are followed.
    folder: a new one, or one that was begun with the same arguments.
    seed: of all randomness.
    part: which of the parts to write, from 1.
    parts: into how many the images are shared out.
    console: where people read.

  Returns:
    What could not be read, one line per image; these have no copies.

  Raises:
    FileNotFoundError: if there are no images.
    ValueError: for a part out of range, a folder inside of `images`, or one
      that was begun otherwise.
    BlockingIOError: if another process writes the part.
  """
  if not 1 <= part <= parts:
    raise ValueError(f'part must be one of 1 to {parts}, not {part}')
  files = _files(pathlib.Path(images), pathlib.Path(folder))
  made = {
    'network': network.name,
    'weights': _checksum(weights),
    'images': len(files),
    'files': f'{zlib.crc32(repr(files).encode()):08x}',
    'side': network.side,
    'seed': seed,
    'parts': parts,
  }
  words = f'DeepAugment by {network.name}, seed {seed}'
  console = console or rich.console.Console(quiet=True)
  label = '' if parts == 1 else f'-{part}-of-{parts}'
  with filled(folder, made, words=words, console=console, part=label) as out:
    n = len(files)
    plan = schedule(jax.random.key(seed), n)
    job = _Job(network, weights, pathlib.Path(images), out, files, plan)
    places = range(n * (part - 1) // parts, n * part // parts)
    return job.run(places, console)


@dataclasses.dataclass(frozen=True)
class _Job:
  """What is distorted how; images are told by their place in the schedule."""

  network: Network
  weights: Weights
  images: pathlib.Path
  out: epath.Path
  files: list[str]
  schedule: Schedule

  def run(
    self, places: Iterable[int], console: rich.console.Console
  ) -> list[str]:
    """Writes what is missing; gives what could not be read."""
    missing = [p for p in places if not self._copy(p).exists()]
    unread = []
    with (
      concurrent.futures.ThreadPoolExecutor() as pool,
      progress(self.network.name, len(missing), console=console) as advance,
    ):
      distorted = self._distorted(pool, missing, unread)
      for _ in _ahead(pool, self._write, distorted, _AHEAD):
        advance(1)
    return unread

  def _distorted(
    self,
    pool: concurrent.futures.Executor,
    places: list[int],
    unread: list[str],
  ) -> Iterator[tuple[int, UInt8[Array, 'h w 3']]]:
    """Place and copy of each image, which the device may not have yet."""
    drawn = dict.fromkeys(int(self.schedule.drawn[p]) for p in places)
    sets = _ahead(pool, self._changed, drawn, 1)
    present, weights = -1, None
    for place, read in _ahead(pool, self._read, places, _AHEAD):
      if present != self.schedule.drawn[place]:
        present, weights = self.schedule.drawn[place], next(sets)
      if isinstance(read, str):
        unread.append(read)
      else:
        yield place, self.network.distort(weights, *read)

  def _changed(self, drawn: int) -> Weights:
    """The weights that are drawn before a place, on the device."""
    changes = self.network.draw_changes(self.schedule.weights_key(drawn))
    return jax.device_put(apply_changes(self.weights, changes))

  def _read(self, place: int) -> tuple[int, str | tuple[Any, Any]]:
    """Image and plan, or why there is no image."""
    index = int(self.schedule.order[place])
    file = self.images / self.files[index]
    try:
      image = self.network.seen(decode(file.read_bytes()))
    except (ValueError, OSError) as e:
      return place, f'{file}: {e}'
    key = self.schedule.plan_key(index)
    return place, (image, self.network.draw_plan(key, *image.shape[:2]))

  def _write(self, made: tuple[int, UInt8[Array, 'h w 3']]) -> None:
    place, pixels = made
    path = self._copy(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, encoded(np.asarray(pixels), kind='jpeg'))

  def _copy(self, place: int) -> epath.Path:
    return self.out / variant_name(self.files[self.schedule.order[place]])


def _ahead(
  pool: concurrent.futures.Executor,
  function: Callable[[Any], Any],
  items: Iterable[Any],
  n: int,
) -> Iterator[Any]:
  """Results in order, of which `n` more are under way."""
  waiting = collections.deque()
  for item in items:
    waiting.append(pool.submit(function, item))
    if len(waiting) > n:
      yield waiting.popleft().result()
  for future in waiting:
    yield future.result()


def _files(images: pathlib.Path, folder: pathlib.Path) -> list[str]:
  """Sorted paths of the images below a folder."""
  if folder.resolve().is_relative_to(images.resolve()):
    raise ValueError(
      f'{folder} lies inside of {images}, whose images would next be '
      'distorted twice; choose a folder beside it'
    )
  found = []
  for at, folders, names in os.walk(images, followlinks=True):
    folders[:] = [name for name in folders if name[0] != '.']
    below = os.path.relpath(at, images)
    found += [
      os.path.normpath(os.path.join(below, name))
      for name in names
      if is_image(name) and name[0] != '.'
    ]
  if not found:
    raise FileNotFoundError(
      f'{images} holds no images: no files that end in {", ".join(SUFFIXES)}'
    )
  return sorted(found)


def _checksum(weights: Weights) -> str:
  content = b''.join(np.asarray(weights[n]).tobytes() for n in sorted(weights))
  return f'{zlib.crc32(content):08x}'
