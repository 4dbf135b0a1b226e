"""Records calls of the native kernels, for kernels/check/replay.cc to repeat.

  python tests/native_cases.py FILE

No kernel runs: every public function that has one is called with the FFI
replaced by something that writes down operands, and gives anything as result.
"""

import pathlib
import struct
import sys

import jax
import jax.numpy as jnp
import numpy as np

from rcj import corruptions, native
from rcj.corruptions.registry import CORRUPTIONS
from rcj.ops import augmix_host, random

# XLA_FFI_DataType.
TYPES = {
  'bool': 1,
  'int8': 2,
  'int16': 3,
  'int32': 4,
  'int64': 5,
  'uint8': 6,
  'uint16': 7,
  'uint32': 8,
  'uint64': 9,
  'float16': 10,
  'float32': 11,
  'float64': 12,
  'bfloat16': 16,
}
# Bytes of operands; of calls with more one of each handler is enough.
LARGE = 300_000
RNG = np.random.default_rng(7)


class Recorder:
  """The calls of handlers, as bytes."""

  def __init__(self):
    self.calls, self.large = [], set()

  def add(self, handler, operands, results, **attributes):
    """Operands are arrays, results (shape, dtype), attributes scalars."""
    operands = [np.asarray(operand) for operand in operands]
    if sum(operand.nbytes for operand in operands) > LARGE:
      if handler in self.large:
        return
      self.large.add(handler)
    parts = [text(handler), number(len(operands))]
    for operand in operands:
      parts += [header(operand.shape, operand.dtype), operand.tobytes()]
    parts += [number(len(results)), *(header(*r) for r in results)]
    parts.append(number(len(attributes)))
    # XLA sorts them.
    for name, value in sorted(attributes.items()):
      value = np.asarray(value)
      parts += [text(name), number(TYPES[value.dtype.name])]
      parts.append(value.tobytes().ljust(8, b'\0'))
    self.calls.append(b''.join(parts))

  def ffi_call(self, target, result, vmap_method=None):
    """What stands for `jax.ffi.ffi_call`."""

    def call(*operands, **attributes):
      operands = [jnp.asarray(operand) for operand in operands]

      def record(*arrays):
        batch = arrays[0].shape[: arrays[0].ndim - operands[0].ndim]
        shape = (*batch, *result.shape)
        self.add(target, arrays, [(shape, result.dtype)], **attributes)
        return anything(shape, result.dtype)

      return jax.pure_callback(
        record, result, *operands, vmap_method=vmap_method
      )

    return call

  def save(self, path):
    calls = [number(len(self.calls)), *self.calls]
    pathlib.Path(path).write_bytes(b''.join(calls))


def number(value):
  return struct.pack('<q', value)


def text(value):
  return number(len(value)) + value.encode()


def header(shape, dtype):
  dtype = np.dtype(dtype)
  values = (TYPES[dtype.name], dtype.itemsize, len(shape), *shape)
  return b''.join(map(number, values))


def anything(shape, dtype):
  if np.issubdtype(dtype, np.floating):
    return RNG.uniform(0.01, 0.99, shape).astype(dtype)
  return RNG.integers(0, 256, shape).astype(dtype)


def photos(*shape):
  """Images of smooth and of flat parts, dark and bright."""
  ramp = RNG.integers(1, 256, (shape[0], 1, 1, 3))
  return (RNG.integers(0, 256, shape) % ramp).astype(np.uint8)


def draw_numbers():
  for count in (1, 63, 64, 65, 5000):
    for draw in (random.uniform, random.normal):
      draw(jax.random.key(1), (count,), implementation='scalar')
  keys = jax.random.split(jax.random.key(2), 6).reshape(2, 3)
  random.bits(keys, 130, stream=5, implementation='scalar')


def corrupt():
  key = jax.random.key(3)
  how = {'implementation': 'scalar'}
  for name in (n for n, c in CORRUPTIONS.items() if not c.on_host):
    for severity, shape in ((5, (1, 8, 8, 3)), (3, (2, 9, 33, 3))):
      case = (name, severity)
      fields = corruptions.draw(key, shape, *case, **how)
      corruptions.apply(photos(*shape), fields, *case, **how)


def mix(recorder):
  """AugMix by both its kernels; that of the GPU runs on the host."""
  scale, offset = np.full(3, 1 / 255, np.float32), np.zeros(3, np.float32)
  for shape, versions, width, depth, clean in (
    ((1, 1, 1, 3), 1, 3, -1, False),
    ((2, 1, 9, 3), 2, 1, 1, True),
    ((2, 7, 2, 3), 2, 3, -1, True),
    ((1, 17, 67, 3), 1, 9, 8, False),
    ((2, 33, 35, 3), 2, 3, -1, True),
    ((1, 8, 9, 3), 30, 4, 4, False),
    ((0, 8, 8, 3), 0, 3, 3, True),
  ):
    images, rows = photos(*shape), shape[0] * versions
    how = {'width': width, 'depth': depth, 'severity': 10, 'all_ops': True}
    plan = augmix_host.draw_plan(RNG, rows, size=shape[1], **how)
    operands = [images, *vars(plan).values()]
    views = (shape[0], versions + clean, *shape[1:])
    for handler in ('augmix', 'augmix_gpu'):
      for dtype in (jnp.float32, jnp.bfloat16):
        results = [(views, dtype)]
        recorder.add(handler, [*operands, scale, offset], results, clean=clean)
    chains = (rows, width, *shape[1:])
    recorder.add('augmix_chains', operands[:3], [(chains, np.uint8)])
  mix_nonsense(recorder, scale, offset)


def mix_nonsense(recorder, scale, offset):
  """What no plan holds: on a GPU nobody sees it before the kernel."""
  images = photos(2, 9, 13, 3)
  for handler in ('augmix', 'augmix_gpu'):
    for extreme in (np.nan, np.inf, -1e30, 3e38, 300.0):
      op = RNG.integers(-3, 16, (4, 3, 5)).astype(np.int32)
      param = np.full((*op.shape, 3), extreme, np.float32)
      weights, m = np.full((4, 3), extreme), np.full(4, extreme)
      floats = (weights.astype(np.float32), m.astype(np.float32))
      recorder.add(
        handler,
        [images, op, param, *floats, scale, offset],
        [((2, 3, 9, 13, 3), np.float32)],
        clean=True,
      )


def select(recorder):
  """All together and each by itself, with ties, zeros and infinities."""
  few = np.float32([0.0, -0.0, np.inf, -np.inf, 1.5, -1.5])
  leaves = [
    RNG.choice(few, (3, 5)),
    RNG.normal(size=30_001).astype(np.float32),
    RNG.choice(few, 4099),
    np.zeros((0, 2), np.float32),
  ]
  for k in (0, 3000, 20_000, 40_000, [7, 100, 4000, 0]):
    results = [(x.shape, np.bool_) for x in leaves]
    for handler in ('select', 'select_gpu'):
      recorder.add(handler, [np.int32(k).reshape(-1), *leaves], results)
  # Enough of them to look at a sample first.
  many = RNG.normal(size=530_003).astype(np.float32)
  recorder.add('select', [np.int32([999]), many], [(many.shape, np.bool_)])


def gather(recorder):
  """Numbers of rows that do not exist among them."""
  for R, M, D, K in ((1, 1, 1, 1), (2, 9, 67, 1029), (3, 5, 16, 6)):
    x = RNG.normal(size=(R, D)).astype(np.float32)
    weights = RNG.normal(size=(R, K)).astype(np.float32)
    numbers = RNG.integers(-2, M + 2, (R, K)).astype(np.int32)
    for dtype in (np.float32, jnp.bfloat16):
      table = RNG.normal(size=(M, D)).astype(dtype)
      for kind in ('', '_gpu'):
        given, result = (x, table, numbers), ((R, K), np.float32)
        recorder.add(f'gather_dot{kind}', given, [result])
        given, result = (weights, table, numbers), ((R, D), np.float32)
        recorder.add(f'gather_sum{kind}', given, [result])


def main(path):
  recorder = Recorder()
  native.target = lambda op, implementation='native': op
  jax.ffi.ffi_call = recorder.ffi_call
  draw_numbers()
  corrupt()
  jax.effects_barrier()
  mix(recorder)
  select(recorder)
  gather(recorder)
  words = RNG.integers(0, 2**32, (2, 3, 2), dtype=np.uint32)
  for count in (1, 130):
    result = ((2, 3, count), np.uint32)
    stream = np.int64(5)
    for handler in ('random_bits', 'random_bits_gpu'):
      recorder.add(handler, [words], [result], stream=stream)
  recorder.save(path)


if __name__ == '__main__':
  main(sys.argv[1])
