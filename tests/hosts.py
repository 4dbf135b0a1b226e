"""A tiny experiment that several processes run as one.

As a program (`python tests/hosts.py FOLDER [STEPS]`) it finds its cluster in
the environment; the run is in FOLDER/run, what one process holds of it in
FOLDER/<process>.npz. It also is a config file.
"""

import dataclasses
import os
import pathlib
import signal
import sys
import time
from unittest import mock

import jax
import numpy as np

from rcj import cluster, experiment, losses, phases, results, tree
from rcj import data as data_sets
from rcj.augment import AugMix, Views
from rcj.evaluate import corrupted, plain
from rcj.optimizer import SGD
from rcj.schedules import Cosine
from rcj.types import Preprocessing

SIDE = 8
SHOWN = Preprocessing((0.5,) * 3, (0.5,) * 3, size=SIDE)
BATCH = 8


class OnDemand:
  """Images of different heights, read one by one."""

  def __init__(self, n, seed):
    rng = np.random.default_rng(seed)
    self.labels = (np.arange(n) % 3).astype(np.int32)
    self.classes = ('a', 'b', 'c')
    self.images = rng.integers(0, 256, (n, SIDE, SIDE, 3), np.uint8)

  def __len__(self):
    return len(self.labels)

  def __getitem__(self, index):
    image = np.pad(self.images[index], [(0, index % 3), (0, 0), (0, 0)])
    return {'image': image, 'label': int(self.labels[index])}


def top(image):
  return image[:SIDE]


def distil(steps):
  terms = {
    'ce': losses.Weighted(0.5, losses.CrossEntropy()),
    'kd': losses.Weighted(0.5, losses.KD()),
    'jsd': losses.Weighted(6.0, losses.JSD()),
  }
  return phases.Train(
    terms,
    SGD(Cosine(0.05)),
    steps=steps,
    batch_size=BATCH,
    augment=Views(flip=True, augmix=AugMix()),
    teacher='teacher',
  )


@dataclasses.dataclass
class Config:
  variant: str = 'kd'
  seed: int = 3
  steps: int = 3
  checkpoint_every: int = 1000

  def recipe(self):
    init = phases.Init('resnet8', SHOWN, width=0.25)
    if self.variant == 'init':
      return init, phases.Evaluate('untrained')
    if self.variant == 'terminated':
      return init, terminate, *[pause] * 200, phases.Evaluate('untrained')
    return (
      init,
      phases.Save('teacher'),
      init,
      distil(self.steps),
      phases.Prune('magnitude', density=0.3),
      phases.Evaluate('KD'),
      phases.Export(),
    )

  def load_data(self):
    images = OnDemand(37, 0)
    memory = data_sets.ArraySource(images.images, images.labels, images.classes)
    return data_sets.DataSets('noise', memory, OnDemand(13, 1))

  def suites(self, sets):
    how = {'transform': top}
    return (
      plain('clean', sets.test, protocol='noise', **how),
      corrupted(
        sets.test, names=('gaussian_noise',), severities=(3,), table=32, **how
      ),
    )

  def identity(self):
    return {'seed': self.seed}


def terminate(carry, env):
  """A phase in which the cluster asks to stop."""
  os.kill(os.getpid(), signal.SIGTERM)
  return carry


def pause(carry, env):
  """A phase while the signal is on its way."""
  time.sleep(0.02)
  return carry


def rows_seen(sets):
  """Indices of the images that this process trains on in an epoch."""
  stream = data_sets.TrainStream(
    OnDemand(len(sets.train), 0),
    batch_size=BATCH,
    seed=5,
    mesh=experiment.data_mesh(),
    transform=lambda rng, image: top(image),
  )
  batches = [next(stream) for _ in range(stream.steps_per_epoch)]
  stream.close()
  return [
    np.concatenate([shard.data for shard in batch['index'].addressable_shards])
    for batch in batches
  ]


def run(folder, **fields):
  config = Config(**fields)
  with (
    mock.patch.object(results, 'add_rows', wraps=results.add_rows) as rows,
    mock.patch.object(
      results, 'add_predictions', wraps=results.add_predictions
    ) as predictions,
  ):
    carry = experiment.execute(
      config, folder / 'run', prefixes=folder / 'shared'
    )
  writes = [rows.call_count, predictions.call_count]
  (folder / f'{jax.process_index()}.writes').write_text(f'{writes}')
  held = {
    name: np.asarray(x)
    for part in ('params', 'batch_stats', 'masks')
    for name, x in tree.leaves({part: getattr(carry.state, part)}).items()
  }
  seen = rows_seen(config.load_data())
  np.savez(folder / f'{jax.process_index()}.npz', rows=seen, **held)


def get_config(arg='kd'):
  return Config(variant=arg)


if __name__ == '__main__':
  found = cluster.detect(os.environ)
  if found is not None:
    jax.distributed.initialize(**found)
  folder, *steps = sys.argv[1:]
  run(pathlib.Path(folder), steps=int(*steps) or 3)
