"""Errors by frequency, and the folder that holds them."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import little_sets
import networks
import numpy as np
import pytest
import test_deck
from little_sets import CLASSES
from test_deck import cards, gate
from test_evaluate import mesh, on

from rcj import data, deck, evaluate, fourier, models

SIZE, NORM = 6, 2.0
__all__ = ['cards', 'gate']


class Linear:
  """A network of one matrix, which something else than jax runs."""

  classes = CLASSES

  def __init__(self, scale=1.0):
    rng = np.random.default_rng(1)
    self.weights = scale * rng.standard_normal((SIZE * SIZE * 3, 5))
    self.asked = 0

  def __call__(self, images01):
    self.asked += 1
    return (images01 - 0.5).reshape(len(images01), -1) @ self.weights


@pytest.fixture(scope='module')
def images():
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (11, SIZE, SIZE, 3)).astype(np.uint8)


def source_of(images, network):
  """Labels are the answers to clean images."""
  logits = network(images.astype(np.float32) / 255)
  return data.ArraySource(images, np.argmax(logits, -1), CLASSES)


def one_by_one(network, source, seed=0):
  """The whole map, image by image and frequency by frequency."""
  key, errors = jax.random.key(seed), np.zeros((SIZE, SIZE))
  for (i, j), _ in np.ndenumerate(errors):
    mirrored = int(fourier.mirror(SIZE, i)), int(fourier.mirror(SIZE, j))
    first = min((i, j), mirrored)
    of_wave = jax.random.fold_in(key, first[0] * SIZE + first[1])
    wave = np.float32(fourier.basis(SIZE, i, j))
    for n, image in enumerate(source.images):
      drawn = jax.random.rademacher(
        jax.random.fold_in(of_wave, n), (3,), jnp.float32
      )
      added = NORM * wave[..., None] * np.asarray(drawn)
      x = np.clip(image.astype(np.float32) / 255 + added, 0, 1)
      errors[i, j] += np.argmax(network(x[None])) != source.labels[n]
  return errors / len(source)


def measure(network, source, folder, *, devices=1, **how):
  given = {'norm': NORM, 'told': {'artifact': 'a'}, 'batch_size': 4} | how
  return evaluate.heat_map(network, source, folder, mesh=mesh(devices), **given)


@pytest.mark.parametrize('batch_size', [4, 64])
def test_a_map_is_what_one_image_at_a_time_gives(images, tmp_path, batch_size):
  network = Linear()
  source = source_of(images, network)
  want = one_by_one(network, source)
  assert len(np.unique(want)) > 3
  got = measure(network, source, tmp_path, batch_size=batch_size)
  np.testing.assert_array_equal(got, want)
  middle = got[1:, 1:]
  np.testing.assert_array_equal(middle, middle[::-1, ::-1])


def test_a_jax_network_is_measured_on_any_devices(images, tmp_path):
  frozen = networks.frozen_of(networks.two_layers())
  shown = dataclasses.replace(frozen.preprocessing, size=SIZE)
  frozen = dataclasses.replace(
    frozen, preprocessing=shown, classes=tuple('abcdefghij')
  )

  class OnHost:
    classes = frozen.classes

    def __call__(self, images01):
      return np.asarray(models.predict(frozen, jnp.asarray(images01)))

  network = OnHost()
  labels = np.argmax(network(images.astype(np.float32) / 255)[:, :5], -1)
  source = data.ArraySource(images, labels, CLASSES)
  want = measure(network, source, tmp_path / 'host')
  assert len(np.unique(want)) > 2
  for devices in (1, 4):
    folder = tmp_path / str(devices)
    placed = on(frozen, devices)
    got = measure(placed, source, folder, devices=devices, batch_size=8)
    np.testing.assert_array_equal(got, want)


def test_a_network_that_ignores_images_has_a_flat_map(images, tmp_path):
  network = Linear(scale=0)
  source = data.ArraySource(images, np.arange(11) % 5, CLASSES)
  got = measure(network, source, tmp_path, window=3)
  assert got.shape == (3, 3)
  np.testing.assert_array_equal(got, 8 / 11)


def test_decks_are_asked_about_one_frequency_at_a_time(cards):
  """The gate takes noisy images for clean ones if their grey is off."""
  cards = dataclasses.replace(cards, vote='batch')
  images = test_deck.noisy(test_deck.pictures(3, seed=2))
  source = data.ArraySource(images, np.zeros(3, int), cards.classes)
  frequencies, key = np.array([[8, 8], [8, 9]]), jax.random.key(0)
  want, chosen = [], []
  for i, j in frequencies:
    sign = fourier.signs(key, i * test_deck.SIZE + j, jnp.arange(3))
    wave = jnp.asarray(fourier.basis(test_deck.SIZE, i, j), jnp.float32)
    x = fourier.perturbed(jnp.asarray(images / 255, 'f'), wave, sign, norm=8.0)
    chosen.append(int(deck.nearest(cards.gate, x, per='batch')))
    want.append(np.sum(np.argmax(deck.predict(cards, x), -1) != 0))
  assert len(set(chosen)) == 2
  found = evaluate.wrong_answers(
    *(key, on(cards, 4), source, frequencies), norm=8.0, mesh=mesh(4)
  )
  assert [each.tolist() for each in found] == [[n] for n in want]


class KilledError(Exception):
  pass


@pytest.mark.parametrize('batch_size', [4, 30])
def test_what_was_stopped_continues_with_the_same_bits(
  images, tmp_path, batch_size
):
  network = Linear()
  source = source_of(images, network)
  whole = measure(network, source, tmp_path / 'whole', batch_size=batch_size)
  asked, network.asked = network.asked, 0
  done = []

  def stop(n):
    done.append(n)
    if sum(done) > 6:
      raise KilledError

  folder = tmp_path / 'stopped'
  with pytest.raises(KilledError):
    measure(network, source, folder, batch_size=batch_size, advance=stop)
  with pytest.raises(FileNotFoundError, match=r'no heat_map.npy.*finished'):
    evaluate.read_map(folder)
  network.asked, seen = 0, []
  got = measure(
    network, source, folder, batch_size=batch_size, advance=seen.append
  )
  assert seen[0] == sum(done)
  assert sum(seen) == len(fourier.half_plane(SIZE)[0])
  assert network.asked < asked
  for name in ('heat_map.npy', 'meta.json'):
    read = [(tmp_path / f / name).read_bytes() for f in ('whole', 'stopped')]
    assert read[0] == read[1]
  np.testing.assert_array_equal(got, whole)
  network.asked = 0
  np.testing.assert_array_equal(
    measure(network, source, folder, batch_size=batch_size), whole
  )
  assert network.asked == 0


def test_folders_of_other_maps_are_refused(images, tmp_path):
  network = Linear()
  source = source_of(images, network)
  measure(network, source, tmp_path / 'map', window=1)
  before = (tmp_path / 'map' / 'meta.json').read_bytes()
  other = data.ArraySource(images[::-1], source.labels, CLASSES)
  for changed, words in (
    ({'norm': 1.0}, 'norm: 2.0 there, 1.0 now'),
    ({'seed': 1}, 'seed: 0 there, 1 now'),
    ({'window': 3}, 'window: 1 there, 3 now'),
    ({'told': {'artifact': 'b'}}, "artifact: 'a' there, 'b' now"),
    ({'source': other}, 'crc32'),
  ):
    given = {'source': source, 'window': 1} | changed
    with pytest.raises(ValueError, match=words):
      measure(network, folder=tmp_path / 'map', **given)
  assert (tmp_path / 'map' / 'meta.json').read_bytes() == before
  (tmp_path / 'photos').mkdir()
  (tmp_path / 'photos' / 'one.png').touch()
  with pytest.raises(ValueError, match=r'is not empty and holds no meta.json'):
    measure(network, source, tmp_path / 'photos')


@pytest.mark.parametrize(
  ('changed', 'words'),
  [
    ({'norm': 0.0}, 'above 0, got 0.0'),
    ({'norm': float('nan')}, 'above 0'),
    ({'window': 7}, 'not 7'),
    ({'classes': ('a', 'x', 'c', 'd', 'e')}, "lacks \\['x'\\]"),
    ({'width': 4}, '6 x 4 pixels'),
  ],
)
def test_mistakes_leave_no_folder(images, tmp_path, changed, words):
  given = {'width': SIZE, 'classes': CLASSES} | changed
  cut = images[:, :, : given.pop('width')]
  source = data.ArraySource(cut, np.zeros(11, int), given.pop('classes'))
  with pytest.raises(ValueError, match=words):
    measure(Linear(), source, tmp_path / 'map', **given)
  assert not (tmp_path / 'map').exists()


def test_a_difference_needs_maps_that_were_measured_alike(images, tmp_path):
  network = Linear()
  source = source_of(images, network)
  told = ({'artifact': name, 'protocol': 'x'} for name in 'ab')
  first = measure(network, source, tmp_path / 'a', told=next(told))
  flat = measure(Linear(0), source, tmp_path / 'b', told=next(told))
  got = evaluate.map_difference(tmp_path / 'a', tmp_path / 'b')
  np.testing.assert_array_equal(got, first - flat)
  measure(network, source, tmp_path / 'c', norm=1.0)
  with pytest.raises(ValueError, match=r"(?s)norm: 1.0 there.*protocol: 'abs"):
    evaluate.map_difference(tmp_path / 'a', tmp_path / 'c')
  said = json.loads((tmp_path / 'a' / 'meta.json').read_text())
  assert (said['n'], said['window'], said['norm']) == (11, SIZE, NORM)


def test_spectra_show_what_cells_add(images):
  def waved(images, index):
    added = 40 * fourier.basis(SIZE, 1, 4)[None, :, :, None]
    assert index.tolist() == [2, 9]
    return (images + np.rint(added)).astype(np.uint8)

  source = little_sets.source_of(images // 2)
  suite = evaluate.plain('clean', source, protocol='')
  cells = (evaluate.Cell('', 0), evaluate.Cell('wave', 1, waved))
  part = evaluate.Part(source, (*cells, evaluate.Cell('wave', 2, waved)))
  corrupted = evaluate.Suite('corrupted', source.labels, lambda: [part], '')
  seen = []
  found = evaluate.spectra(
    suite, corrupted, np.array([2, 9]), advance=seen.append
  )
  assert list(found) == ['clean', '', 'wave']
  assert len(seen) == 3
  np.testing.assert_allclose(
    found['clean'], fourier.spectrum(np.float32(source.images[[2, 9]] / 255))
  )
  assert not found[''].any()
  loudest = np.argsort(found['wave'].ravel())[-2:]
  assert set(loudest.tolist()) == {1 * SIZE + 4, 5 * SIZE + 2}
