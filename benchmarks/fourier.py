"""Fourier heat maps beside the forward passes that they cannot do without.

  bash -c '. launch/env.sh && .venv/bin/python benchmarks/fourier.py'

A few frequencies of the heat map of a network with random weights at 32 px, in
turns: `evaluate.wrong_answers`; its bound, the compiled network alone on
batches that lie on the device; and the loop that is usually written, which
makes the wave, adds it, clips and normalises image by image on the host, then
shows batches to the same compiled network. The last column is a projection:
514 frequencies of 10,000 images at the measured rate. Medians of interleaved
runs.
"""

import argparse
import os
import platform
from collections.abc import Callable

import jax
import numpy as np
import rich.table
import timing
from rich.console import Console

from rcj import data, evaluate, fourier, models
from rcj.experiment import data_mesh
from rcj.types import Frozen
from rcj.weights import Masked

_SIZE, _NORM = 32, 4.0
_FULL = 10_000 * len(fourier.half_plane(_SIZE)[0])


def network(name: str, width: float) -> Frozen:
  """The network with random weights, folded as artifacts are."""
  module = models.create(name, num_classes=10, width=width, stem='cifar')
  params, stats = models.init(jax.random.key(0), module, size=_SIZE)
  nowhere = jax.tree.map(lambda _: None, params)
  shown = models.preprocessing(name, stem='cifar')
  how = (module, Masked(), shown, tuple('0123456789'))
  return models.folded(Frozen(params, stats, nowhere, nowhere, *how))


def bound(
  frozen: Frozen, source: data.ArraySource, frequencies: int, batch: int
) -> Callable[[], list[jax.Array]]:
  """The forward passes alone."""
  images = jax.device_put(source.images[:batch].astype(np.float32) / 255)
  passes = frequencies * len(source) // batch
  return lambda: [models.predict(frozen, images) for _ in range(passes)]


def wave(i: int, j: int) -> np.ndarray:
  """The real wave of a frequency, by an inverse transform."""
  spectrum = np.zeros((_SIZE, _SIZE), complex)
  spectrum[i, j] += 0.5 + 0.5j
  spectrum[fourier.mirror(_SIZE, i), fourier.mirror(_SIZE, j)] += 0.5 - 0.5j
  return np.fft.ifft2(np.fft.ifftshift(spectrum)).real * _SIZE


def usual(
  frozen: Frozen,
  source: data.ArraySource,
  frequencies: np.ndarray,
  batch: int,
) -> list[int]:
  """Wrong answers for each frequency, images made one by one."""
  rng = np.random.default_rng(0)
  mean, std = (
    np.asarray(x, np.float32)
    for x in (frozen.preprocessing.mean, frozen.preprocessing.std)
  )

  def image(index: int, i: int, j: int) -> np.ndarray:
    sign = rng.choice([-1, 1], 3)
    added = _NORM * wave(i, j)[..., None] * sign
    x = source.images[index].astype(np.float32) / 255
    x = np.clip(x + added.astype(np.float32), 0, 1)
    return (x - mean) / std

  counts = []
  for i, j in frequencies.tolist():
    wrong = 0
    for start in range(0, len(source), batch):
      index = range(start, start + batch)
      logits = models.logits(frozen, np.stack([image(k, i, j) for k in index]))
      answers = np.argmax(logits, -1)
      wrong += int(np.sum(answers != source.labels[start : start + batch]))
    counts.append(wrong)
  return counts


def main() -> None:
  """Times all in turns and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--model', default='resnet20')
  parser.add_argument('--width', type=float, default=0.5)
  parser.add_argument('--batch', type=int, default=250)
  parser.add_argument('--images', type=int, default=500, help='whole batches')
  parser.add_argument('--frequencies', type=int, default=2)
  parser.add_argument('--repeats', type=int, default=3)
  options = parser.parse_args()
  if options.images % options.batch:
    parser.error('--images must be a multiple of --batch')
  rng = np.random.default_rng(0)
  source = data.ArraySource(
    rng.integers(0, 256, (options.images, _SIZE, _SIZE, 3), np.uint8),
    rng.integers(0, 10, options.images),
    tuple('0123456789'),
  )
  frozen = network(options.model, options.width)
  frequencies = fourier.half_plane(_SIZE)[0][: options.frequencies]
  how = (source, len(frequencies), options.batch)
  runs = {
    'the network alone': bound(frozen, *how),
    'rcj': lambda: list(
      evaluate.wrong_answers(
        jax.random.key(0),
        *(frozen, source, frequencies),
        norm=_NORM,
        mesh=data_mesh(),
        batch_size=options.batch,
      )
    ),
    'image by image': lambda: usual(frozen, source, frequencies, options.batch),
  }
  medians = timing.medians(runs, options.repeats)
  show(medians, options.images * len(frequencies), options)


def show(
  medians: dict[str, float], images: int, options: argparse.Namespace
) -> None:
  """Prints the table."""
  table = rich.table.Table(
    *('heat map', 'images/s', 'part of the bound', 'to rcj', 'whole map, h'),
    title=(
      f'{options.model} x {options.width}, batch {options.batch}, medians of '
      f'{options.repeats}\njax {jax.__version__}, '
      f'{jax.devices()[0].device_kind}, {platform.machine()}, '
      f'{len(os.sched_getaffinity(0))} cores'
    ),
  )
  least = next(iter(medians.values()))
  for name, taken in medians.items():
    rate = images / taken
    shown = (least / taken, taken / medians['rcj'], _FULL / rate / 3600)
    table.add_row(name, f'{rate:.0f}', *(f'{x:.2f}' for x in shown))
  Console().print(table)


if __name__ == '__main__':
  main()
