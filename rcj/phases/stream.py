"""The training images of a phase, as device batches."""

from __future__ import annotations

import functools
from typing import Any

import jax

from rcj.carry import Env
from rcj.data import ArraySource, TrainStream, crop_and_flip


def open_stream(
  env: Env, key: Any, *, batch_size: int, size: int
) -> TrainStream:
  """Batches in an order drawn from `key`.

  Images in memory are used as they are; others are decoded, cropped at random
  to `size` pixels and mirrored by `env.workers` worker processes.
  """
  source = env.data.train
  in_memory = isinstance(source, ArraySource)
  return TrainStream(
    source,
    batch_size=batch_size,
    seed=int(jax.random.bits(key)),
    mesh=env.mesh,
    transform=None
    if in_memory
    else functools.partial(crop_and_flip, size=size),
    workers=0 if in_memory else env.workers,
  )
