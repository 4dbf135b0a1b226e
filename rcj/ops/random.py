"""Random numbers by counting: the same on every device and in any order.

Philox 4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
SC 2011, https://doi.org/10.1145/2063384.2063405. Value i of a stream is word
(i % 64) // 16 of the block with the counter (16 * (i // 64) + i % 16, stream,
0, 0): sixteen blocks side by side fill 64 values.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key, UInt32

from rcj.ops import dispatch

_LANES = 16
_GROUP = 4 * _LANES
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
    key: of any of JAX's generators; the key of Philox is its data if these
      are two words, as of threefry, else its first 64 random bits.
    count: words per key; more words begin with the same ones.
    stream: 0 to 2^31 - 1; streams of a key are independent.
    implementation: see `rcj.ops.dispatch.run`.
  """
  return _fill('bits', lambda w: w, key, count, stream, implementation)


def uniform(
  key: Key[Array, '*n'],
  shape: tuple[int, ...],
  *,
  stream: int = 0,
  implementation: str | None = None,
) -> Float32[Array, '*n *shape']:
  """Uniform values strictly between 0 and 1, the same by every implementation.

  They are (w // 512 + 1/2) / 2^23 of the words `bits` gives: odd multiples of
  2^-24, from 2^-24 to 1 - 2^-24.

  Args:
    key: as in `bits`.
    shape: of the values of one key.
    stream: as in `bits`, whose words these are: take another for other values.
    implementation: see `rcj.ops.dispatch.run`.
  """
  values = _fill(
    'uniform', _uniform, key, math.prod(shape), stream, implementation
  )
  return values.reshape(*key.shape, *shape)


def normal(
  key: Key[Array, '*n'],
  shape: tuple[int, ...],
  *,
  stream: int = 0,
  implementation: str | None = None,
) -> Float32[Array, '*n *shape']:
  """Standard normal values, within -5.77..5.77.

  By the method of Box and Muller, "A note on the generation of random normal
  deviates", 1958, https://doi.org/10.1214/aoms/1177706645: of each 64 values u
  that `uniform` gives, i and 32 + i become sqrt(-2 log(u[i])) times the cosine
  and the sine of 2 pi u[32 + i]. All native kernels give the same, which is
  within 1e-6 of that formula and of the reference.

  Args:
    key: as in `bits`.
    shape: of the values of one key.
    stream: as in `bits`, whose words these are: take another for other values.
    implementation: see `rcj.ops.dispatch.run`.
  """
  values = _fill(
    'normal', _normal, key, math.prod(shape), stream, implementation
  )
  return values.reshape(*key.shape, *shape)


def _fill(
  name: str,
  make: Callable[[UInt32[Array, '*n 64']], Array],
  key: Key[Array, '*n'],
  count: int,
  stream: int,
  implementation: str | None,
) -> Array:
  """Values that `make` derives from whole groups of 64 words."""
  words = _words(key)
  dtype = jax.eval_shape(
    make, jax.ShapeDtypeStruct((_GROUP,), jnp.uint32)
  ).dtype

  def reference(key):
    groups = -(-count // _GROUP)
    words = _bits(key, groups, stream)
    return make(words).reshape(*key.shape[:-1], -1)[..., :count]

  def call(target, key):
    return jax.ffi.ffi_call(
      target,
      jax.ShapeDtypeStruct((*key.shape[:-1], count), dtype),
      vmap_method='broadcast_all',
    )(key, stream=np.int64(stream))

  return dispatch.run(
    f'random_{name}',
    words,
    reference=reference,
    call=call,
    implementation=implementation,
  )


def _words(key: Key[Array, '*n']) -> UInt32[Array, '*n 2']:
  data = jax.random.key_data(key)
  if data.shape[-1] == 2:
    return data
  draw = jax.random.bits
  for _ in key.shape:
    draw = jax.vmap(draw, (0, None, None))
  return draw(key, (2,), jnp.uint32)


def _uniform(words: UInt32[Array, '*n']) -> Float32[Array, '*n']:
  return ((words >> 9).astype(jnp.float32) + 0.5) * jnp.float32(2.0**-23)


def _normal(words: UInt32[Array, '*n 64']) -> Float32[Array, '*n 64']:
  first, second = jnp.split(_uniform(words), 2, axis=-1)
  radius = jnp.sqrt(-2 * jnp.log(first))
  # By quarter turns, so that the angle keeps its digits.
  quarter = jnp.round(4 * second)
  angle = (4 * second - quarter) * (math.pi / 2)
  cosine, sine = jnp.cos(angle), jnp.sin(angle)
  quarter = quarter.astype(jnp.int32)
  x = jnp.where(quarter % 2 == 0, cosine, sine)
  y = jnp.where(quarter % 2 == 0, sine, cosine)
  x = jnp.where((quarter + 1) & 2 == 0, x, -x)
  y = jnp.where(quarter & 2 == 0, y, -y)
  return jnp.concatenate([radius * x, radius * y], -1)


def _bits(
  key: UInt32[Array, '*n 2'], groups: int, stream: int
) -> UInt32[Array, '*n groups 64']:
  block = jnp.arange(groups * _LANES, dtype=jnp.uint32)
  shape = (*key.shape[:-1], len(block))
  first = jnp.broadcast_to(block, shape)
  none = jnp.zeros(shape, jnp.uint32)
  counter = (first, none + jnp.uint32(stream), none, none)
  words = _philox(counter, key[..., :1], key[..., 1:])
  words = jnp.stack(words, -1).reshape(*shape[:-1], groups, _LANES, 4)
  return jnp.swapaxes(words, -1, -2).reshape(*shape[:-1], groups, _GROUP)


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
