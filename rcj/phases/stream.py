"""The training images of a phase, as device batches."""

from __future__ import annotations

import functools
from typing import Any

import jax

from rcj.carry import Env
from rcj.data import ArraySource, TrainStream, crop_and_flip


def open_stream(
  env: Env, key: Any, *, batch_size: int, size: int, variants: bool = False
) -> TrainStream:
  """Batches in an order drawn from `key`.

  Images in memory are used as they are; others are decoded, cropped at random
  to `size` pixels and mirrored by `env.workers` worker processes. With
  `variants`, versions of images take their place.

  Raises:
    ValueError: if the data set has no versions.
  """
  source = env.data.variants if variants else env.data.train
  if source is None:
    raise ValueError(
      f"the data set {env.data.name} has no files of DeepAugment's versions; "
      'load it with deepaugment_root=...'
    )
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
