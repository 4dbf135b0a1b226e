"""How DeepAugment distorts the autoencoder: draws of weights and codes.

The order of draws is that of DeepAugment/CAE_distort_imagenet.py and its
CAE_Model in https://github.com/hendrycks/imagenet-r, slips included, from one
stream in place of its three generators.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from rcj.augment.cae import CODE, LAYERS, Plan, shapes
from rcj.augment.streams import Stream, stream_of, uniforms
from rcj.augment.weight_changes import Change

# The original draws among the first eight weight options and never the ninth.
OPTIONS, CODE_OPTIONS = 8, 9
_LAYERS = {0: (11, 16), 3: (10, 14)}
_NAMES = tuple(LAYERS)


def draw_changes(key: Key[Array, '']) -> list[Change]:
  """One weight option.

  DeepAugment draws it anew, for fresh weights, with probability 0.05 before
  each image.
  """
  stream = stream_of(key)
  return weight_changes(stream, stream.randint(OPTIONS))


def draw_plan(key: Key[Array, ''], height: int, width: int) -> Plan:
  """The distortion of the code of an image of this size."""
  stream = stream_of(key)
  return code(stream, stream.randint(CODE_OPTIONS), height, width)


def code(stream: Stream, option: int | None, height: int, width: int) -> Plan:
  """The draws of one option of the code.

  Args:
    stream: its state moves on.
    option: 0 strengthens bits, 1 zeroes a fifth of the places, 2 negates a
      tenth, 3 permutes ten channels, 4 flips five channels, 5 all, 6 and 7
      convolve with noise and with extra taps, 8 shifts channels by a pixel;
      None changes nothing.
    height: of the image, a multiple of 4.
    width: of the image, a multiple of 4.
  """
  h, w = height // 4, width // 4
  mask, channels = np.ones((h, w), np.float32), np.arange(CODE)
  flip, kernel = np.zeros((CODE, 2), bool), _identity()
  gain = np.ones((CODE, h, w), np.float32)
  if option == 1:
    mask = np.float32(uniforms(stream, (h, w)) > 0.2)
  elif option == 2:
    mask = 2 * np.float32(uniforms(stream, (h, w)) > 0.1) - 1
  elif option == 3:
    channels[:10] = stream.permutation(10)
  elif option in (4, 5):
    flip = _flips(stream, every=option == 5)
  elif option in (6, 7, 8):
    kernel = _kernel(stream, option)
  uniform = uniforms(stream, (CODE, h, w))
  if option == 0:
    by = 2 * np.float32(stream.uniform())
    gain = 3 + by * (2 * uniforms(stream, gain.shape))
  return Plan(
    mask=jnp.asarray(mask),
    channels=jnp.asarray(channels, jnp.int32),
    flip=jnp.asarray(flip),
    kernel=jnp.asarray(kernel),
    uniform=jnp.asarray(uniform.transpose(1, 2, 0)),
    gain=jnp.asarray(gain.transpose(1, 2, 0)),
  )


def _identity() -> np.ndarray:
  kernel = np.zeros((CODE, CODE, 3, 3), np.float32)
  kernel[np.arange(CODE), np.arange(CODE), 1, 1] = 1
  return kernel


def _flips(stream: Stream, *, every: bool) -> np.ndarray:
  """Two of image, row and column; a batch of one image has nothing to flip."""
  stream.randint(1, 4)  # drawn by the original, and not used
  axes = stream.permutation(3)[:2]
  picked = range(CODE) if every else [stream.randint(CODE) for _ in range(5)]
  flip = np.zeros((CODE, 2), bool)
  for channel in picked:
    flip[channel] ^= [1 in axes, 2 in axes]
  return flip


def _kernel(stream: Stream, option: int) -> np.ndarray:
  kernel = _identity()
  if option == 6:
    noise = uniforms(stream, kernel.shape) - np.float32(0.5)
    return kernel + noise * np.float32(0.2)
  if option == 7:
    for j in range(CODE):
      if stream.random_sample() < 0.5:
        other = stream.randint(CODE)
        # -1 is the last row or column, as an index is.
        kernel[j, other, stream.randint(-1, 2), stream.randint(-1, 2)] = 1
    return kernel
  kernel = np.zeros_like(kernel)
  y, x = stream.randint(3, size=2)
  for j in range(CODE):
    if stream.random_sample() < 0.2:
      y, x = stream.randint(3, size=2)
    kernel[j, j, y, x] = 1
  return kernel


def weight_changes(stream: Stream, option: int) -> list[Change]:
  """The changes of one of the nine options, `stream` moves on.

  Raises:
    ValueError: for another option.
  """
  if option not in range(OPTIONS + 1):
    raise ValueError(f'the CAE has weight options 0 to {OPTIONS}, not {option}')
  i, j = (stream.choice(range(*_LAYERS.get(option, (8, 14)))) for _ in 'ij')
  name, shape = _NAMES[i], LAYERS[_NAMES[i]]
  kernel, bias = f'{name}.weight', f'{name}.bias'
  if option == 0:
    # A second layer is reversed twice: its weight is taken for its bias too.
    return [Change(kernel, 'reverse', 0), Change(bias, 'reverse', 0)]
  if option in (1, 2, 3):
    return _of_filters(stream, option, name)
  if option == 4:
    return [_louder(stream, n) for n in (name, _NAMES[j])]
  if option == 5:
    zeros = stream.random_sample() < 0.5
    by = np.rint(uniforms(stream, shape))
    return [Change(kernel, 'times', by if zeros else 2 * by - 1)]
  if option == 6:
    return [Change(kernel, 'rotate', (stream.randint(1, 4), 2, 3))]
  if option == 7:
    by = np.ones((shape[0], 1, 1, 1), np.float32)
    by[[stream.randint(shape[0]) for _ in range(shape[0] // 5)]] = -1
    return [Change(kernel, 'times', by)]
  return [Change(kernel, 'largest')]


def _of_filters(stream: Stream, option: int, name: str) -> list[Change]:
  """Options 1 to 3: one filter after the other, some of them repeatedly."""
  filters = LAYERS[name][0]
  picked = [stream.choice(filters) for _ in range(12 if option == 1 else 25)]
  made = []
  for kind in ('weight', 'bias'):
    shape = shapes()[f'{name}.{kind}']
    times = np.bincount(picked, minlength=shape[0])
    times = times.reshape(-1, *(1,) * (len(shape) - 1))
    by = np.float32((-1.0 if option == 1 else 0.0) ** times)
    op, operand = ('gelu', times) if option == 3 else ('times', by)
    made.append(Change(f'{name}.{kind}', op, operand))
  return made


def _louder(stream: Stream, name: str) -> Change:
  by = 2 * np.float32(stream.uniform())
  by = 1 + by * (4 * uniforms(stream, LAYERS[name]))
  return Change(f'{name}.weight', 'times', by)
