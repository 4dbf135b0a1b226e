"""Random words by counting: the same bits on every device and in any order.

Philox 4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
SC 2011, https://doi.org/10.1145/2063384.2063405. Value i of a stream is word
(i % 64) // 16 of the block with the counter (16 * (i // 64) + i % 16, stream, 0,
0): sixteen blocks side by side fill 64 values.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, UInt32

from rcj.ops import dispatch

_LANES = 16
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_STEPS = (0x9E3779B9, 0xBB67AE85)


def bits(
  key: Key[Array, '*n'],
  count: int,
  *,
  stream: int = 0,
  implementation: str | None = None,
) -> UInt32[Array, '*n count']:
  """`count` random words for each key.

  Args:
    key: of any of JAX's generators; its first 64 random bits are the key of
      Philox.
    count: words per key; more words begin with the same ones.
    stream: 0 to 2^31 - 1; streams of a key are independent.
    implementation: see `rcj.ops.dispatch.run`.
  """
  split = jax.random.bits
  for _ in key.shape:
    split = jax.vmap(split, (0, None, None))
  words = split(key, (2,), jnp.uint32)

  def call(target, words):
    return jax.ffi.ffi_call(
      target,
      jax.ShapeDtypeStruct((*words.shape[:-1], count), jnp.uint32),
      vmap_method='broadcast_all',
    )(words, stream=np.int64(stream))

  return dispatch.run(
    'random_bits',
    words,
    reference=lambda words: _bits(words, count, stream),
    call=call,
    implementation=implementation,
  )


def _bits(
  key: UInt32[Array, '*n 2'], count: int, stream: int
) -> UInt32[Array, '*n count']:
  groups = -(-count // (4 * _LANES))
  block = jnp.arange(groups * _LANES, dtype=jnp.uint32)
  shape = (*key.shape[:-1], len(block))
  first = jnp.broadcast_to(block, shape)
  none = jnp.zeros(shape, jnp.uint32)
  counter = (first, none + jnp.uint32(stream), none, none)
  words = _philox(counter, key[..., :1], key[..., 1:])
  words = jnp.stack(words, -1).reshape(*shape[:-1], groups, _LANES, 4)
  return jnp.swapaxes(words, -1, -2).reshape(*shape[:-1], -1)[..., :count]


def _philox(counter, k0, k1):
  c0, c1, c2, c3 = counter
  for _ in range(10):
    high0, low0 = _product(c0, _MULTIPLIERS[0])
    high1, low1 = _product(c2, _MULTIPLIERS[1])
    c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
    k0, k1 = k0 + np.uint32(_STEPS[0]), k1 + np.uint32(_STEPS[1])
  return c0, c1, c2, c3


def _product(
  x: UInt32[Array, '*s'], by: int
) -> tuple[UInt32[Array, '*s'], UInt32[Array, '*s']]:
  """High and low half of a product of 32-bit words, from 16-bit halves."""
  low, high = x & 0xFFFF, x >> 16
  by_low, by_high = np.uint32(by & 0xFFFF), np.uint32(by >> 16)
  middle = high * by_low + (low * by_low >> 16)
  other = low * by_high + (middle & 0xFFFF)
  return high * by_high + (middle >> 16) + (other >> 16), x * np.uint32(by)
