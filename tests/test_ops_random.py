"""Counter-based random words, by every implementation."""

import jax
import numpy as np
import pytest

from rcj import native
from rcj.ops import random

# Known answers of Philox 4x32-10, from the tests of Random123
# (https://github.com/DEShawResearch/random123): counter, key, result.
KNOWN = [
  ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
  (
    (0xFFFFFFFF,) * 4,
    (0xFFFFFFFF,) * 2,
    (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
  ),
  (
    (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
    (0xA4093822, 0x299F31D0),
    (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
  ),
]


@pytest.mark.parametrize(('counter', 'key', 'expected'), KNOWN)
def test_reference_is_philox(counter, key, expected):
  words = [np.array([w], np.uint32) for w in (*counter, *key)]
  found = random._philox(words[:4], *words[4:])
  assert [int(w[0]) for w in found] == list(expected)


@pytest.mark.parametrize('implementation', native.implementations())
@pytest.mark.parametrize('count', [1, 63, 64, 200])
def test_native_equals_reference(implementation, count):
  keys = jax.random.split(jax.random.key(3), 5)
  how = {'stream': 7}
  expected = random.bits(keys, count, implementation='reference', **how)
  found = random.bits(keys, count, implementation=implementation, **how)
  np.testing.assert_array_equal(found, expected)
  assert found.shape == (5, count)


def test_key_and_stream_decide():
  keys = jax.random.split(jax.random.key(3), 2)
  found = np.asarray(random.bits(keys, 100))
  assert (found[0] != found[1]).all()
  assert (found != np.asarray(random.bits(keys, 100, stream=1))).all()
  np.testing.assert_array_equal(random.bits(keys, 10), found[:, :10])
  np.testing.assert_array_equal(random.bits(keys[1], 100), found[1])
  mapped = jax.vmap(lambda k: random.bits(k, 100))(keys)
  np.testing.assert_array_equal(mapped, found)
