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
import dataclasses
import multiprocessing
import os
import statistics
import time
from multiprocessing.connection import Connection

import jax
import jax.numpy as jnp
import numpy as np
import rich.table
from rich.console import Console

from rcj import losses, models, native, optimizer, schedules, train, weights
from rcj.augment import AugMix, Views
from rcj.experiment import data_mesh
from rcj.types import Preprocessing, TrainState

_SHOWN = Preprocessing((0.5,) * 3, (0.5,) * 3, size=32)
# {kind: (RCJ_NATIVE, whether the views are AugMix's)}
_KINDS = {
  'clean views': ('auto', False),
  'AugMix, native': ('require', True),
  'AugMix, reference': ('off', True),
}


@dataclasses.dataclass(frozen=True)
class Clean:
  """Three views that are alike, an `rcj.types.Augment`."""

  def __call__(self, key, batch, **how):
    seen = Views()(key, batch, **how)
    return {**seen, 'views': jnp.repeat(seen['views'], 3, axis=1)}


def stepper(batch_size: int, mixed: bool):
  """A function that takes one training step and waits for it."""
  mesh = data_mesh()
  model = models.create('resnet18', num_classes=10, stem='cifar')
  params, stats = models.init(jax.random.key(0), model, size=32)
  nowhere = jax.tree.map(lambda _: None, params)
  sgd = optimizer.SGD(schedules.Cosine(0.1), weight_decay=5e-4)
  tx = sgd.build()
  trees = (jnp.int32(0), params, stats)
  state = TrainState(*trees, None, nowhere, nowhere, {}, {})
  opt_state = tx.init(train.trees(state))
  state = TrainState(*trees, opt_state, nowhere, nowhere, {}, {})
  step = train.compiled(
    train.train_step,
    mesh,
    model=model,
    preprocessing=_SHOWN,
    tx=tx,
    schedule=sgd.schedule.build(1000),
    augment=Views(padding=4, flip=True, augmix=AugMix()) if mixed else Clean(),
    terms={
      'ce': losses.Weighted(1.0, losses.CrossEntropy()),
      'jsd': losses.Weighted(12.0, losses.JSD()),
    },
    effective=weights.Masked(),
    trainable=train.WEIGHTS,
  )
  rng = np.random.default_rng(0)
  batch = {
    'image': rng.integers(0, 256, (batch_size, 32, 32, 3), dtype=np.uint8),
    'label': rng.integers(0, 10, batch_size).astype(np.int32),
    'index': np.arange(batch_size, dtype=np.int32),
  }
  batch = jax.device_put(batch, jax.NamedSharding(mesh, jax.P('data')))
  box = [jax.device_put(state, jax.NamedSharding(mesh, jax.P()))]

  def run():
    box[0], metrics = step(box[0], batch, jax.random.key(0), None, None)
    jax.block_until_ready(metrics)

  return run


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
