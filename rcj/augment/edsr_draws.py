"""How DeepAugment distorts EDSR: draws of weight changes and activations.

The order of draws is that of DeepAugment/EDSR_distort_imagenet.py of
https://github.com/hendrycks/imagenet-r, slips included, from one stream in
place of its three generators. NumPy's RandomState keeps its numbers for ever.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from rcj.augment.edsr import BLOCKS, CHANNELS, WHOLE, Plan
from rcj.augment.streams import Stream, stream_of, uniforms
from rcj.augment.weight_changes import Change

OPTIONS = 17
_KERNEL = (CHANNELS, CHANNELS, 3, 3)
# Weight options that change one block, and those that it may be.
_THIRDS = (0, 3, 6, 9)
_BLOCKS = {
  **dict.fromkeys((0, 2, 3, 4, 5, 6, 7, 9), _THIRDS),
  1: (1, 4, 7),
  8: (1, 5, 9),
  10: (1, 5, 9),
}
_LAPLACE = {
  4: ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
  5: ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1)),
}


def draw_changes(key: Key[Array, '']) -> list[Change]:
  """Three weight options in sequence, with replacement.

  DeepAugment draws them anew, for fresh weights, with probability 0.05 before
  each image.
  """
  stream = stream_of(key)
  options = stream.randint(0, OPTIONS, size=3)
  return [c for option in options for c in weight_changes(stream, int(option))]


def draw_plan(key: Key[Array, ''], height: int, width: int) -> Plan:
  """Distortions of the activations of an image of this size."""
  stream = stream_of(key)
  before, body = stream.randint(1, 5), stream.randint(1, 6)
  return activations(stream, before, body, height, width)


def activations(
  stream: Stream, before: int, body: int, height: int, width: int
) -> Plan:
  """The draws of two given options.

  Args:
    stream: its state moves on.
    before: the body; 1 copies channels, 2 zeroes a twentieth of the values, 3
      negates a fortieth of them, 4 nothing.
    body: 1 negates after five blocks, 2 rectifies, 3 reverses, 4 leaves one
      module only, 5 nothing.
    height: of the image.
    width: of the image.
  """
  channels = np.arange(CHANNELS, dtype=np.int32)
  factor = np.ones((CHANNELS, height, width), np.int8)
  if before == 1:
    for _ in range(5):
      one, two = stream.randint(0, 64), stream.randint(0, 64)
      channels[one] = channels[two]  # meant as a swap, but rows are views
  elif before == 2:
    factor = np.rint(uniforms(stream, factor.shape) + np.float32(0.45))
  elif before == 3:
    kept = np.rint(uniforms(stream, factor.shape) + np.float32(0.475))
    factor = 2 * kept - 1
  middle, last = 0, WHOLE
  if body == 1:
    middle = 1
  elif body in (2, 3):
    third = stream.randint(0, 3) == 1
    middle = 2 * body - 2 if third else 2 * body - 1
  elif body == 4:
    skipped = {stream.randint(2, 17) for _ in range(3)}
    last = max(set(range(BLOCKS + 1)) - skipped)
  return Plan(
    channels=jnp.asarray(channels),
    factor=jnp.asarray(factor.transpose(1, 2, 0), jnp.int8),
    middle=jnp.int32(middle),
    last=jnp.int32(last),
  )


def weight_changes(stream: Stream, option: int) -> list[Change]:
  """The changes of one of the 17 options, `stream` moves on.

  Raises:
    ValueError: for another option.
  """
  if option in _BLOCKS:
    return _of_one_block(stream, option)
  if option == 11:
    leaf = _leaf(stream.randint(15), 2)
    return [Change(leaf, 'plus', uniforms(stream, _KERNEL) - np.float32(0.5))]
  if option in (12, 16):
    return _of_five_kernels(stream, option)
  if option in (13, 14, 15):
    return _of_five_blocks(stream, option)
  raise ValueError(f'EDSR has weight options 0 to {OPTIONS - 1}, not {option}')


def _leaf(block: int, conv: int, kind: str = 'weight') -> str:
  return f'body.{block}.body.{conv}.{kind}'


def _of_one_block(stream: Stream, option: int) -> list[Change]:
  i = stream.choice(_BLOCKS[option])
  first, second = _leaf(i, 0), _leaf(i, 2)
  biases = _leaf(i, 0, 'bias'), _leaf(i, 2, 'bias')
  if option == 0:
    return [Change(n, 'reverse', 0) for n in (first, second, *biases)]
  if option in (1, 2):
    by = -1.0 if option == 1 else 0.0
    return [Change(n, 'times', by) for n in (first, biases[0])]
  if option == 3:
    once = np.ones((1, 1, 1, 1), np.int32)
    return [Change(n, 'gelu', once) for n in (first, second)]
  if option in _LAPLACE:
    taps = np.float32(_LAPLACE[option]).reshape(1, 1, 3, 3)
    return [Change(first, 'times', taps)]
  if option == 6:
    by = 2 * np.float32(stream.uniform())
    by = 1 + by * (2 * uniforms(stream, _KERNEL))
    return [Change(second, 'times', by)]
  if option == 7:
    return [Change(first, 'reverse', -1), Change(second, 'times', -1.0)]
  leaf = second if option == 10 else first
  return [Change(leaf, 'convolve', _kernel(stream, option))]


def _kernel(stream: Stream, option: int) -> np.ndarray:
  """What options 8, 9 and 10 convolve kernels with."""
  if option == 9:
    twice = 2 * uniforms(stream, _KERNEL)
    return (twice * np.float32(stream.uniform()) - 1) / 6
  if option == 10:
    return stream.dirichlet([0.1] * 9, _KERNEL[:2]).reshape(_KERNEL)
  kernel = np.zeros(_KERNEL, np.float32)
  for j in range(CHANNELS):
    y, x = stream.randint(3, size=2)
    kernel[:, j, y, x] = stream.choice([1.0, -1.0])
  return kernel


def _of_five_kernels(stream: Stream, option: int) -> list[Change]:
  picked = [(stream.randint(15), 2 * stream.randint(2)) for _ in range(5)]
  leaves = [_leaf(i, j) for i, j in picked]
  if option == 16:
    return [Change(leaf, 'largest') for leaf in leaves]
  made = []
  for leaf in leaves:
    turns = stream.randint(1, 4)
    axes = (2, 3) if stream.randint(0, 2) == 0 else (0, 1)
    made.append(Change(leaf, 'rotate', (turns, *axes)))
  return made


def _of_five_blocks(stream: Stream, option: int) -> list[Change]:
  leaves = [_leaf(stream.randint(15), 0) for _ in range(5)]
  made = []
  for leaf in leaves:
    if option == 15:
      by = np.ones((CHANNELS, 1, 1, 1), np.float32)
      # An assignment: a filter that is picked twice is negated once.
      by[[stream.randint(64) for _ in range(32)]] = -1
    else:
      by = np.rint(uniforms(stream, _KERNEL))
      by = 2 * by - 1 if option == 13 else by
    made.append(Change(leaf, 'times', by))
  return made
