"""The k largest of many float32 values, without sorting them.

Values become order-preserving integers, and the k-th largest is found by
bisection on their bits: 16 passes that each count three thresholds, whatever
the number of values. Entries tied with it are chosen by a second bisection, on
their position, which runs only when some of them must go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32, UInt32

# Values are laid out as [blocks, 16, 32]; XLA sums the middle axis with vector
# instructions, 5 times faster on a CPU than the last one.
_BLOCK = (16, 32)
_LOWEST = np.iinfo(np.int32).min
_MINUS_INF = int(np.float32(-np.inf).view(np.int32)) ^ 0x7FFFFFFF

Flags = Bool[Array, 'blocks 16 32']
# Counts the True values of up to three arrays, in each group.
Counter = Callable[..., list[Int32[Array, ' G']]]


def largest(
  leaves: Sequence[Float[Array, ' *shape']], k: Int32[Array, ' *shape']
) -> list[Bool[Array, ' *shape']]:
  """True at the k largest values, per leaf or over all leaves together.

  Of equal values those with the highest flat index stay. Values of -inf never
  do. NaN must not occur.

  Args:
    leaves: arrays of any shape, compared as float32.
    k: scalar (all leaves together) or `[L]` (each leaf).
  """
  blocks = [-(-x.size // np.prod(_BLOCK)) for x in leaves]
  groups = len(leaves) if k.ndim else 1
  group = np.repeat(np.arange(len(leaves)) % groups, blocks)
  keys = jnp.concatenate([_keys(x) for x in leaves])
  count = _counter(group, groups)
  k = k.reshape(groups)

  def spread(x):
    return x[group][:, None, None]

  def position_reaches(p):
    position = jax.lax.iota(jnp.uint32, keys.size).reshape(keys.shape)
    return position >= spread(p)

  kth = _signed(_bisect(lambda t: keys >= spread(_signed(t)), k, 32, count))
  kth = spread(jnp.maximum(kth, _MINUS_INF + 1))
  n_above, n_tied = count(keys > kth, keys == kth)
  missing = k - n_above
  first = jax.lax.cond(
    jnp.any(n_tied > missing),
    lambda: _bisect(
      lambda p: (keys == kth) & position_reaches(p),
      missing,
      int(keys.size).bit_length(),
      count,
    ),
    lambda: jnp.zeros(groups, jnp.uint32),
  )
  mask = (keys > kth) | ((keys == kth) & position_reaches(first))
  ends = np.cumsum(blocks)
  return [
    mask[end - n : end].reshape(-1)[: x.size].reshape(x.shape)
    for x, n, end in zip(leaves, blocks, ends, strict=True)
  ]


def _keys(x: Float[Array, ' *shape']) -> Int32[Array, 'blocks 16 32']:
  """Integers in the order of the floats, padded with the lowest."""
  bits = jax.lax.bitcast_convert_type(x.astype(jnp.float32), jnp.int32)
  bits = jnp.where(bits == _LOWEST, 0, bits)  # -0.0 equals 0.0
  keys = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).reshape(-1)
  padding = (0, -x.size % np.prod(_BLOCK))
  return jnp.pad(keys, padding, constant_values=_LOWEST).reshape(-1, *_BLOCK)


def _signed(t: UInt32[Array, ' *shape']) -> Int32[Array, ' *shape']:
  """Maps 0..2^32-1 to the int32 range, in order."""
  return jax.lax.bitcast_convert_type(t ^ jnp.uint32(1 << 31), jnp.int32)


def _counter(group: Int[np.ndarray, ' blocks'], groups: int) -> Counter:
  def count(*flags):
    # Counts up to 16 share an int32, so that one pass reads the keys once.
    packed = sum(f.astype(jnp.int32) << 10 * j for j, f in enumerate(flags))
    packed = jnp.sum(packed, axis=1)
    return [
      jax.ops.segment_sum(
        jnp.sum((packed >> 10 * j) & 1023, axis=1),
        group,
        num_segments=groups,
        indices_are_sorted=True,
      )
      for j in range(len(flags))
    ]

  return count


def _bisect(
  reaches: Callable[[UInt32[Array, ' G']], Flags],
  k: Int32[Array, ' G'],
  bits: int,
  count: Counter,
) -> UInt32[Array, ' G']:
  """Largest t of each group that at least k entries reach, two bits a pass."""
  passes = (bits + 1) // 2

  def two_bits(i, t):
    shift = jnp.uint32(2) * (passes - 1 - i).astype(jnp.uint32)
    steps = [t + (jnp.uint32(j) << shift) for j in (1, 2, 3)]
    enough = [n >= k for n in count(*map(reaches, steps))]
    return t + (sum(e.astype(jnp.uint32) for e in enough) << shift)

  start = jnp.zeros(k.shape, jnp.uint32)
  return jax.lax.fori_loop(0, passes, two_bits, start)
