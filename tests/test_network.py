"""The native runtime against JAX: every family, method, batch and library."""

from __future__ import annotations

import concurrent.futures
import contextlib
import ctypes
import dataclasses
import itertools

import exports
import jax
import jax.numpy as jnp
import native_driver
import networks
import numpy as np
import pytest

from rcj import graph as graphs
from rcj import models, native, tree
from rcj.export import program
from rcj.export.deployable import deployable
from rcj.ops.network import Network

pytestmark = pytest.mark.skipif(
  not native.available(), reason='there are no native kernels here'
)
# One image in strips, lanes that stay empty, several groups of images.
BATCHES = (1, 3, 9, 37)


def made(family, method, *, storage='float32', implementation=None):
  frozen = deployable(exports.network(family, method))
  return Network(
    *program.program(frozen, storage=storage), implementation=implementation
  )


def expected(family, method, batch):
  images = np.asarray(exports.images(batch, seed=batch))
  frozen = exports.network(family, method)
  return images, np.asarray(models.predict(frozen, images))


def check(network, family, method, tolerance):
  for batch in BATCHES:
    images, logits = expected(family, method, batch)
    for threads in (1, 2, 3):
      found = network(images, threads=threads)
      error = np.abs(found - logits).max() / np.ptp(logits)
      assert error < tolerance, (batch, threads)


def check_module(module, params, stats):
  nowhere = tree.map_named(lambda *_: None, params)
  frozen = dataclasses.replace(
    exports.dense('resnet20'),
    params=params,
    batch_stats=stats,
    masks=nowhere,
    scores=nowhere,
    model=module,
  )
  network = Network(*program.program(deployable(frozen)))
  for batch in BATCHES:
    images = np.asarray(exports.images(batch, seed=batch))
    logits = np.asarray(models.predict(frozen, images))
    found = network(images, threads=2)
    assert np.abs(found - logits).max() < 1e-5 * np.ptp(logits)


@pytest.mark.parametrize('family', exports.FAMILIES)
@pytest.mark.parametrize('method', exports.METHODS)
def test_logits_are_those_of_jax(family, method):
  # Integers may differ by a tie of the rounding here and there.
  tolerance = 5e-3 if method == 'int8' else 1e-5
  check(made(family, method), family, method, tolerance)


@pytest.mark.parametrize('implementation', native.implementations()[1:])
@pytest.mark.parametrize(
  ('family', 'method'),
  [('resnet20', 'masked'), ('mobile', 'dense'), ('resnet18', 'int8')],
)
def test_every_library_gives_the_same(family, method, implementation):
  network = made(family, method, implementation=implementation)
  check(network, family, method, 5e-3 if method == 'int8' else 1e-5)


@pytest.mark.parametrize('family', exports.FAMILIES)
def test_bfloat16_is_as_near_as_its_eight_bits(family):
  # 2^-9 in every rounding, which add up over the layers.
  check(made(family, 'masked', storage='bfloat16'), family, 'masked', 0.02)


@pytest.mark.slow
@pytest.mark.skipif(native_driver.COMPILER is None, reason='no C++ compiler')
def test_wider_lanes_and_other_products(pytestconfig, monkeypatch):
  """As with AVX-512, its bytes and its bfloat16, in plain C++."""
  units = ('-DRCJ_LANES=16', '-DRCJ_PLAIN_UNITS', '-Wno-psabi')
  flags = native_driver.flags('scalar', '-O2', '-fPIC', *units)
  folder = pytestconfig.cache.mkdir('native') / 'wide'
  sources = native_driver.sources('network')
  path = native_driver.build(folder, 'wide.so', sources, flags, ['-shared'])
  monkeypatch.setattr(native, 'library', lambda _: ctypes.CDLL(str(path)))
  for family, method in itertools.product(exports.FAMILIES, exports.METHODS):
    tolerance = 5e-3 if method == 'int8' else 1e-5
    check(made(family, method), family, method, tolerance)
  for family in exports.FAMILIES:
    network = made(family, 'masked', storage='bfloat16')
    check(network, family, 'masked', 0.02)


def test_integers_are_those_of_jax():
  """Many images, whose classes are the same but for near ties."""
  network = made('resnet20', 'int8')
  images, logits = expected('resnet20', 'int8', 64)
  found = network(images, threads=2)
  differ = np.abs(found - logits).max(-1) > 1e-5 * np.ptp(logits)
  assert differ.mean() < 0.1
  np.testing.assert_array_equal(found.argmax(-1), logits.argmax(-1))


@pytest.mark.parametrize('name', ['conv4', 'resnet8'])
def test_other_networks(name):
  """Flattened maps, and shortcuts that are padded with zeros."""
  module = models.create(name, num_classes=5, width=0.25)
  check_module(module, *networks.random_network(module))


@pytest.mark.parametrize(
  ('family', 'size'),
  # Strips that end within the image, beyond it, and in an empty one.
  [('resnet20', 27), ('resnet20', 40), ('mobile', 37), ('resnet18', 70)],
)
@pytest.mark.parametrize('method', ['masked', 'int8'])
def test_images_of_any_size(family, size, method):
  frozen = deployable(exports.network(family, method))
  shown = dataclasses.replace(frozen.preprocessing, size=size)
  frozen = dataclasses.replace(frozen, preprocessing=shown)
  network = Network(*program.program(frozen))
  rng = np.random.default_rng(size)
  for batch in (1, 3, 9):
    images = rng.random((batch, size, size, 3), np.float32)
    logits = np.asarray(models.predict(frozen, images))
    error = np.abs(network(images, threads=2) - logits).max()
    tolerance = 5e-3 if method == 'int8' else 1e-5
    assert error < tolerance * np.ptp(logits), batch


def test_operations_that_nothing_absorbs():
  """Sums of one result, of results with other readers; large kernels."""
  nodes = (
    graphs.Relu('a', ('image',), maximum=0.7),
    graphs.Conv('b', ('a',), features=6, size=5, stride=3, bias=True),
    graphs.Relu('c', ('b',)),
    graphs.Add('d', ('c', 'c')),
    graphs.Conv('e', ('d',), features=6, size=7, bias=True),
    graphs.Add('f', ('e', 'b')),
    graphs.Depthwise('g', ('f',), size=5, stride=2, bias=True),
    graphs.Relu('h', ('e',)),
    graphs.MaxPool('i', ('h',), size=2),
    graphs.MeanPool('j', ('g',)),
    graphs.MeanPool('k', ('i',)),
    graphs.Add('l', ('j', 'k')),
    graphs.Dense('m', ('l',), features=5),
  )
  module = models.GraphNet(graphs.Graph(nodes, 'm', (), 'l'))
  check_module(module, *models.init(jax.random.key(3), module, size=32))


def test_what_is_no_number_stays_so():
  network = made('resnet20', 'masked')
  images = np.asarray(exports.images(3)).copy()
  images[1, 5, 5] = np.nan
  found = np.isnan(network(images))
  assert found[1].all()
  assert not found[[0, 2]].any()


def test_it_runs_inside_a_jax_program():
  network = made('resnet20', 'masked')
  images, logits = expected('resnet20', 'masked', 5)
  found = jax.jit(lambda x: network.traced(x, threads=2))(jnp.asarray(images))
  np.testing.assert_allclose(found, logits, atol=1e-5 * np.ptp(logits))
  each = jax.vmap(lambda x: network.traced(x[None])[0])(jnp.asarray(images))
  np.testing.assert_allclose(each, logits, atol=1e-5 * np.ptp(logits))


def test_many_callers_at_once():
  network = made('resnet20', 'masked')
  images, logits = expected('resnet20', 'masked', 9)

  def call(i):
    found = network(images, threads=1 + i % 3)
    return np.abs(found - logits).max() < 1e-5 * np.ptp(logits)

  with concurrent.futures.ThreadPoolExecutor(6) as pool:
    assert all(pool.map(call, range(30)))


def test_threads_do_not_change_a_bit():
  network = made('mobile', 'masked')
  images = np.asarray(exports.images(16))
  np.testing.assert_array_equal(
    network(images, threads=1), network(images, threads=3)
  )


def test_operations_absorb_what_nothing_else_reads():
  graph = deployable(exports.network('resnet18', 'dense')).model.graph
  fused = program.fused(graph)
  kinds = [type(x.node) for x in fused]
  assert graphs.Relu not in kinds
  assert graphs.Add not in kinds
  assert sum(x.add is not None for x in fused) == 8


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    (lambda x: x[0], r'expected float32 images \[batch, 32, 32, 3\]'),
    (lambda x: x[:, :16], r'expected float32 images'),
    (lambda x: x.astype(np.float64), 'got float64'),
  ],
)
def test_other_images_are_refused(change, words):
  network = made('resnet20', 'masked')
  with pytest.raises(ValueError, match=words):
    network(change(np.asarray(exports.images(2))))


def test_threads_are_checked():
  network, images = made('resnet20', 'masked'), np.asarray(exports.images(1))
  for threads in (0, 2**32):
    for run in (network, network.traced):
      with pytest.raises(ValueError, match='1 to 1024'):
        run(images, threads=threads)


@pytest.mark.parametrize(
  ('changes', 'told'),
  [
    # The mean of bytes as floats, which floats are multiplied with.
    ({(-2, 12): -1, (-1, 10): -1}, 'another storage than its input'),
    # The classifier reads itself.
    ({(-1, 1): 10**6}, 'unknown kind or value'),
    # A mean of a mean.
    ({(-1, 0): 4, (-1, 3): 16}, 'does not fit its input'),
  ],
)
def test_programs_that_would_leave_their_memory(changes, told):
  frozen = deployable(exports.network('resnet20', 'int8'))
  words, numbers = program.program(frozen)
  for place, word in changes.items():
    words[8:].reshape(-1, 14)[place] = word
  with pytest.raises(ValueError, match=told):
    Network(words, numbers)


def test_no_images_are_no_logits():
  network = made('resnet20', 'masked')
  assert network(np.zeros((0, 32, 32, 3), np.float32)).shape == (0, 5)


def test_broken_programs_are_refused_with_words():
  frozen = deployable(exports.network('mobile', 'masked'))
  words, numbers = program.program(frozen)
  rng = np.random.default_rng(0)
  images = np.asarray(exports.images(2))
  for _ in range(300):
    broken = words.copy()
    place = rng.integers(len(words))
    broken[place] = rng.choice([-(2**62), -1, 0, 1, 2, 3, 77, 2**31, 2**62])
    with contextlib.suppress(ValueError):
      network = Network(broken, numbers)
      if (broken[:8] == words[:8]).all():
        network(images)
  for broken in (words[:-1], words[:5], words[:0]):
    with pytest.raises(ValueError, match='expected a header'):
      Network(broken, numbers)
  with pytest.raises(ValueError, match='no network'):
    Network(words, numbers[: len(numbers) // 2])
  numbers = numbers.copy()
  numbers[7] = np.nan
  with pytest.raises(ValueError, match='not a number'):
    Network(words, numbers)


def test_networks_of_integers_have_their_own_storage():
  frozen = deployable(exports.network('resnet20', 'int8'))
  with pytest.raises(ValueError, match='integers cannot be stored as bfloat16'):
    program.program(frozen, storage='bfloat16')
