"""What AugMix costs a training step: ResNet-18, CIFAR stem, 32 px, JSD.

  bash -c '. launch/env.sh && .venv/bin/python benchmarks/augmented_training.py'

One optimisation step on three views of each image (clean and two versions of
AugMix, as the Jensen-Shannon loss needs them), with the native kernel and with
the pure-JAX reference, beside the same step on three clean views. What a step
takes longer than on clean views is the share that the network waits for its
images. Each kind runs in a process of its own, because RCJ_NATIVE is read once;
they step in turns. Medians.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from multiprocessing.connection import Connection

import jax
import rich.table
import steps
from rich.console import Console

from rcj import models, native
from rcj.augment import AugMix, Views
from rcj.types import Preprocessing

_SHOWN = Preprocessing((0.5,) * 3, (0.5,) * 3, size=32)
# {kind: (RCJ_NATIVE, whether the views are AugMix's)}
_KINDS = {
  'clean views': ('auto', False),
  'AugMix, native': ('require', True),
  'AugMix, reference': ('off', True),
}


def stepper(batch_size: int, mixed: bool):
  """A function that takes one training step and waits for it."""
  model = models.create('resnet18', num_classes=10, stem='cifar')
  views = Views(padding=4, flip=True, augmix=AugMix())
  augment = views if mixed else steps.Clean()
  start = steps.stepper(
    model, batch_size, _SHOWN, augment=augment, terms=steps.JSD
  )
  return lambda: jax.block_until_ready(start())


def serve(pipe: Connection, batch_size: int, mode: str, mixed: bool) -> None:
  """Takes a step, and says how long it took, whenever it is asked to."""
  os.environ['RCJ_NATIVE'] = mode
  run = stepper(batch_size, mixed)
  run()
  while pipe.recv():
    begin = time.perf_counter()
    run()
    pipe.send(time.perf_counter() - begin)


def main() -> None:
  """Times the kinds in turns and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--batch', type=int, default=64)
  parser.add_argument('--repeats', type=int, default=5)
  options = parser.parse_args()
  spawn = multiprocessing.get_context('spawn')
  pipes = {}
  for kind, (mode, mixed) in _KINDS.items():
    pipes[kind], theirs = spawn.Pipe()
    spawn.Process(
      target=serve, args=(theirs, options.batch, mode, mixed), daemon=True
    ).start()
  seconds = {kind: [] for kind in pipes}
  for turn in range(options.repeats + 1):
    for kind, pipe in pipes.items():
      pipe.send(True)
      took = pipe.recv()
      if turn:  # the first turn waits for the processes to compile
        seconds[kind].append(took)
  for pipe in pipes.values():
    pipe.send(False)
  medians = {kind: statistics.median(s) for kind, s in seconds.items()}
  table = rich.table.Table(
    title=f'ResNet-18 CIFAR stem, batch {options.batch} in three views, '
    f'median of {options.repeats}'
  )
  for column in ('step on', 'ms', 'fastest .. slowest', 'waits for images'):
    table.add_column(column, justify='right')
  for kind, times in seconds.items():
    waits = 1 - medians['clean views'] / medians[kind]
    table.add_row(
      kind,
      f'{1000 * medians[kind]:.0f}',
      f'{1000 * min(times):.0f} .. {1000 * max(times):.0f}',
      f'{100 * waits:.1f} %',
    )
  Console().print(table)
  kernels = ', '.join(native.implementations()) or native.why_not()
  print(f'jax {jax.__version__}, native kernels: {kernels}')


if __name__ == '__main__':
  main()
