"""Packing of single arrays: the smallest way, and back without loss."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rcj.export import packing
from rcj.export.errors import MalformedError
from rcj.export.packing import Packing


def at(where, values, size, dtype=np.float32):
  x = np.zeros(size, dtype)
  x[list(where)] = values
  return x


def random(density, dtype=np.float32, size=4096):
  rs = np.random.RandomState(0)
  x = np.clip(rs.randn(size) * 40, -127, 127)
  return np.where(rs.rand(size) < density, x, 0).astype(dtype)


def signs(density, magnitude, dtype=np.float32):
  x = random(density)
  return (np.sign(x) * magnitude).astype(dtype).reshape(8, 8, 8, 8)


def by_channel(density):
  magnitudes = np.arange(1, 9, dtype=np.float32) / 3
  return signs(density, 1) * magnitudes


ARRAYS = {
  'dense': (random(1.0), ('all', 'plain')),
  'a scalar': (np.float32(3.14159).reshape(()), ('all', 'plain')),
  'half of it': (random(0.5), ('bits', 'plain')),
  'a tenth': (random(0.1), ('gaps', 'plain')),
  'nothing': (random(0.0), ('gaps', 'plain')),
  'one with a gap of 300': (at([300], [0.1], 4096), ('gaps', 'plain')),
  'one with a gap of 70000': (at([70000], [0.1], 90000), ('gaps', 'plain')),
  'the last alone': (at([4095], [0.1], 4096), ('gaps', 'plain')),
  'negative zeros': (np.full(4096, -0.0, np.float32), ('all', 'signs')),
  'zeros of both signs': (signs(1.0, 1) * np.float32(0), ('all', 'signs')),
  'binary': (signs(1.0, 0.3), ('all', 'signs')),
  'binary, half of it': (signs(0.5, 0.3), ('bits', 'signs')),
  'binary, a hundredth': (signs(0.01, 0.3), ('gaps', 'signs')),
  'integers as floats': (np.round(random(1.0)), ('all', 'half')),
  'binary, by channel': (by_channel(1.0), ('all', 'channels')),
  'half of it, by channel': (by_channel(0.5), ('bits', 'channels')),
  'a tenth, by channel': (by_channel(0.1), ('gaps', 'channels')),
  'int8': (random(1.0, np.int8), ('all', 'plain')),
  'int8, a tenth': (random(0.1, np.int8), ('gaps', 'plain')),
  'int8, binary': (signs(0.6, 7, np.int8), ('bits', 'signs')),
  'int8, least': (np.full(4096, -128, np.int8), ('all', 'signs')),
  'int32': (np.array(97, np.int32), ('all', 'plain')),
}


def back(x):
  how, parts = packing.pack(x)
  return packing.unpack(how, parts, shape=x.shape, dtype=x.dtype)


def assert_same_bits(found, expected):
  assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
  assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize('name', ARRAYS)
def test_the_way_that_is_chosen_and_its_inverse(name):
  x, (positions, values) = ARRAYS[name]
  how, parts = packing.pack(x)
  assert (how.positions, how.values) == (positions, values)
  assert all(part.size for part in parts.values())
  assert_same_bits(back(x), x)


@settings(max_examples=200, deadline=None)
@given(
  hnp.arrays(
    st.sampled_from([np.float32, np.int8, np.int32]),
    hnp.array_shapes(max_dims=4, max_side=6),
    fill=st.just(0),
  )
)
def test_any_array_comes_back_bit_for_bit(x):
  assert_same_bits(back(x), x)


def test_parts_worked_out_by_hand():
  x = np.tile(at([2, 4, 5, 999], [-0.7, 0.7, 0.7, -0.7], 1000), 60)
  how, parts = packing.pack(x)
  assert how == Packing('gaps', 'signs', 240)
  assert parts['gaps'][:5].tolist() == [2, 1, 0, 993, 2]
  assert parts['gaps'].dtype == np.uint16
  assert parts['signs'].tolist() == [0b01100110] * 30
  np.testing.assert_array_equal(parts['first'], np.float32([-0.7]))
  x = at(range(9), 1 + 2.0**-20 * np.arange(9), 60)
  how, parts = packing.pack(np.concatenate([x] * 20))
  assert how == Packing('bits', 'plain', 180)
  assert parts['bits'][:3].tolist() == [255, 128, 0]
  half = np.float32([1.5, -2, 0.25] * 200)
  how, parts = packing.pack(half)
  assert how == Packing('all', 'half', 600)
  assert parts['values'][:3].tolist() == [0x3FC0, 0xC000, 0x3E80]


def test_channels_worked_out_by_hand():
  x = np.float32([[0.7, 2], [-0.7, -2], [0.7, 0], [0, 2]] * 200)
  how, parts = packing.pack(x)
  assert how == Packing('bits', 'channels', 1200)
  assert parts['bits'][:2].tolist() == [0b11111001, 0b11111001]
  assert parts['first'].tolist() == [np.float32(0.7), 2]
  assert parts['signs'][:3].tolist() == [0b00110000, 0b11000011, 0b00001100]


@pytest.mark.parametrize(
  ('name', 'bits'),
  [
    ('dense', 32 * 4096),
    ('a tenth', 32 * np.count_nonzero(random(0.1))),
    ('int8, a tenth', 8 * np.count_nonzero(random(0.1, np.int8))),
    ('integers as floats', 16 * 4096),
    ('binary', 4096 + 32),
    ('binary, half of it', np.count_nonzero(random(0.5)) + 32),
    ('binary, by channel', 4096 + 8 * 32),
    ('nothing', 0),
  ],
)
def test_bits_of_values(name, bits):
  x = ARRAYS[name][0]
  assert packing.pack(x)[0].value_bits(x.shape, x.dtype) == bits


U8, F32 = np.uint8, np.float32


@pytest.mark.parametrize(
  ('how', 'parts', 'message'),
  [
    (('gaps', 'plain', 2), {'gaps': U8([3, 5]), 'values': F32([1, 2])}, 'run'),
    (('gaps', 'plain', 9), {'gaps': U8([0] * 9)}, 'cannot store 9'),
    (('gaps', 'plain', -1), {}, 'cannot store -1'),
    (('all', 'plain', 7), {'values': F32([1] * 7)}, 'cannot store 7'),
    (('all', 'plain', 8), {'values': F32([1] * 7)}, 'expected parts'),
    (('all', 'plain', 8), {'values': U8([1] * 8)}, 'must be of type float32'),
    (('all', 'half', 8), {'values': F32([1] * 8)}, 'must be of type uint16'),
    (('bits', 'plain', 2), {'bits': U8([1]), 'values': F32([1, 2])}, '1 ent'),
    (('all', 'channels', 8), {'signs': U8([0]), 'first': F32([1])}, 'no chan'),
    (('bits', 'signs', 1), {'bits': U8([1]), 'signs': U8([0])}, 'expected par'),
    (('gaps', 'plain', 1), {'gaps': F32([1]), 'values': F32([1])}, 'uint8 or'),
  ],
)
def test_parts_of_no_such_array_are_refused(how, parts, message):
  with pytest.raises(MalformedError, match=message):
    packing.unpack(Packing(*how), parts, shape=(8,), dtype=np.dtype('float32'))


def test_integers_have_no_halves():
  parts = {'values': np.uint16([1] * 8)}
  with pytest.raises(MalformedError, match='no halves'):
    packing.unpack(
      Packing('all', 'half', 8), parts, shape=(8,), dtype=np.dtype('int8')
    )


@pytest.mark.parametrize(
  'told', [None, [], ['all', 'plain'], ['none', 'plain', 3], ['all', [], 3],
           ['all', 'plain', 3.0], ['all', 'plain', True]]
)  # fmt: skip
def test_no_packing(told):
  with pytest.raises(MalformedError, match='no array is stored as'):
    packing.from_json(told)
