"""Random numbers on the host, from a JAX key."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Array, Float32, Key

Stream = np.random.RandomState


def stream_of(key: Key[Array, '']) -> Stream:
  """A stream of NumPy's that depends on the key alone."""
  return Stream(np.asarray(jax.random.bits(key, (4,), np.uint32)))


def uniforms(
  stream: Stream, shape: tuple[int, ...]
) -> Float32[np.ndarray, '*shape']:
  """Numbers in 0..1; `stream` moves on."""
  return stream.random_sample(shape).astype(np.float32)
