"""Reading training images: decoding, random crop, and the whole pipeline.

  bash -c '. launch/env.sh && .venv/bin/python benchmarks/decode.py'

Files are JPEGs of 500 x 375 pixels. Times, in turns, with simplejpeg and with
Pillow: decoding alone, and with ImageNet's random crop to 224 pixels and flip,
on one thread; then `data.TrainStream`, whose batches lie on the devices in the
end, read by threads (0 workers) and by worker processes, after their start.
Medians of the interleaved runs.
"""

import argparse
import contextlib
import functools
import importlib
import os
import pathlib
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator

import jax
import numpy as np
import photos
import rich.table
from rich.console import Console

from rcj import data
from rcj.experiment import data_mesh

_decode = importlib.import_module('rcj.data.decode')
_BATCH = 32
_CROP = functools.partial(data.crop_and_flip, size=224)
_PILLOW = 'Pillow'


@contextlib.contextmanager
def decoder(name: str) -> Iterator[None]:
  """Decoding by Pillow, as where simplejpeg is not installed, or by both."""
  installed = _decode.simplejpeg
  _decode.simplejpeg = None if name == _PILLOW else installed
  try:
    yield
  finally:
    _decode.simplejpeg = installed


def alone(files: list[bytes], name: str, crop: bool) -> float:
  """Images per second of one thread."""
  generator = np.random.default_rng(0)
  start = time.perf_counter()
  with decoder(name):
    for file in files:
      image = _decode.decode(file)
      if crop:
        _CROP(generator, image)
  return len(files) / (time.perf_counter() - start)


def pipeline(source: data.FolderSource, workers: int, steps: int) -> float:
  """Images per second of the training stream, once it runs."""
  stream = data.TrainStream(
    source,
    batch_size=_BATCH,
    seed=0,
    mesh=data_mesh(),
    transform=_CROP,
    workers=workers,
  )
  for _ in range(4 + 2 * workers):  # more than are read ahead
    jax.block_until_ready(next(stream))
  start = time.perf_counter()
  for _ in range(steps):
    jax.block_until_ready(next(stream))
  seconds = time.perf_counter() - start
  stream.close()
  return steps * _BATCH / seconds


def contestants(
  source: data.FolderSource, options: argparse.Namespace
) -> dict[str, tuple[int, Callable[[], float]]]:
  """{name: (threads or processes that read, function to images/s)}."""
  files = [pathlib.Path(f).read_bytes() for f in source.files]
  decoders = (_PILLOW, *(['simplejpeg'] if _decode.simplejpeg else []))
  made = {}
  for crop in (False, True):
    for name in decoders:
      what = 'decode + crop' if crop else 'decode'
      made[f'{what}, {name}'] = 1, functools.partial(alone, files, name, crop)
  for workers in options.workers:
    readers = workers or min(8, os.cpu_count() or 1)
    made[f'TrainStream, {workers} workers'] = (
      readers,
      functools.partial(pipeline, source, workers, options.steps),
    )
  return made


def main() -> None:
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--runs', type=int, default=5, help='runs of each')
  parser.add_argument('--images', type=int, default=256)
  parser.add_argument('--steps', type=int, default=24, help='of TrainStream')
  parser.add_argument('--workers', type=int, nargs='+', default=(0, 1, 2))
  options = parser.parse_args()
  with tempfile.TemporaryDirectory() as folder:
    photos.write(pathlib.Path(folder), options.images)
    source = data.FolderSource(folder)
    each = contestants(source, options)
    rates = {name: [] for name in each}
    for _ in range(options.runs):
      for name, (_, run) in each.items():
        rates[name].append(run())
    mean = np.mean([os.path.getsize(f) for f in source.files]) / 1000
  table = rich.table.Table(
    title=(
      f'{options.images} JPEGs of {photos.WIDTH} x {photos.HEIGHT}, {mean:.0f} '
      f'kB, {options.runs} interleaved runs\njax {jax.__version__}, '
      f'{platform.machine()}, {len(os.sched_getaffinity(0))} cores'
    )
  )
  first = f'decode + crop, {_PILLOW}'
  base = statistics.median(rates[first])
  for column in ('', 'images/s', 'best', 'readers', 'images/s per reader'):
    table.add_column(column, justify='right')
  table.add_column(f'ratio to\n{first}', justify='right')
  for name, (readers, _) in each.items():
    rate = statistics.median(rates[name])
    table.add_row(
      name, f'{rate:.0f}', f'{max(rates[name]):.0f}', str(readers),
      f'{rate / readers:.0f}', f'{rate / base:.2f}',
    )  # fmt: skip
  Console(width=110).print(table)


if __name__ == '__main__':
  main()
