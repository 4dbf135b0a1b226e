"""CARD-Decks: the vote, the gate, and both on padded batches of devices."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import networks
import numpy as np
import pytest
from jax.sharding import AxisType

from rcj import data, deck, evaluate, models
from rcj.augment import AugMix, GaussianNoise, Views
from rcj.types import Preprocessing

SIZE = 16
SCHEMES = {
  'none': Views(padding=2, flip=True),
  'gaussian': Views(padding=2, flip=True, gaussian=GaussianNoise(0.5)),
}


def pictures(n, seed=0):
  """uint8 images with the weak high frequencies of photographs."""
  rs = np.random.RandomState(seed)
  cycles = np.fft.fftfreq(SIZE) * SIZE
  falls = 1 / (1 + np.hypot(cycles[:, None], cycles[None, :])) ** 1.5
  noise = np.fft.fft2(rs.randn(n, SIZE, SIZE, 3), axes=(1, 2))
  x = np.fft.ifft2(noise * falls[None, :, :, None], axes=(1, 2)).real
  x = 128 + 40 * x / x.std((1, 2, 3), keepdims=True)
  return np.clip(x, 0, 255).astype(np.uint8)


def noisy(images, sigma=0.25, seed=1):
  noise = 255 * sigma * np.random.RandomState(seed).randn(*images.shape)
  return np.clip(images + noise, 0, 255).astype(np.uint8)


def member(seed):
  found = networks.frozen_of(networks.two_layers(), seed)
  return dataclasses.replace(
    found,
    preprocessing=Preprocessing((0.5, 0.4, 0.1 * seed), (0.3,) * 3, SIZE),
    classes=tuple('abcdefghij'),
  )


@pytest.fixture(scope='module')
def gate():
  return deck.built(jax.random.key(0), pictures(60), SCHEMES, count=40)


@pytest.fixture(scope='module')
def cards(gate):
  """Two members of each scheme, in no order."""
  schemes = ('gaussian', 'none', 'none', 'gaussian')
  return deck.assembled([member(i) for i in range(4)], schemes, gate=gate)


@pytest.fixture(scope='module')
def shown():
  """Clean and noisy images in 0..1."""
  clean = pictures(8, seed=2)
  return jnp.asarray(clean / 255, jnp.float32), jnp.asarray(
    noisy(clean) / 255, jnp.float32
  )


def softmax_of(network, images):
  return np.asarray(jax.nn.softmax(models.predict(network, images)))


def of_scheme(cards, scheme, images):
  """Mean softmax of some members, one after the other."""
  pairs = zip(cards.members, cards.schemes, strict=True)
  found = [softmax_of(m, images) for m, s in pairs if scheme in (s, 'all')]
  return np.mean(found, 0)


def test_the_vote_is_the_mean_of_softmaxes(golden):
  z = golden('compress/deck_ensemble')
  found = np.exp(deck.log_mean_softmax(jnp.asarray(z['logits'])))
  np.testing.assert_allclose(found, z['probs'], rtol=2e-5, atol=1e-7)
  np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)


def test_certain_members_do_not_overflow():
  found = deck.log_mean_softmax(jnp.array([[[1e4, 0.0]], [[0.0, 1e4]]]))
  np.testing.assert_allclose(found, np.log(0.5) * np.ones((1, 2)), rtol=1e-6)


def test_a_deck_of_one_is_its_member(shown):
  alone = deck.assembled([member(3)], ['augmix'])
  found = np.exp(deck.predict(alone, shown[0]))
  np.testing.assert_allclose(found, softmax_of(member(3), shown[0]), atol=1e-6)


def test_each_member_normalises_in_its_own_way(cards, shown):
  found = np.exp(deck.predict(cards, shown[0]))
  expected = of_scheme(cards, 'all', shown[0])
  np.testing.assert_allclose(found, expected, atol=1e-6)


def test_features_of_a_wave_are_in_its_ring():
  across = np.cos(2 * np.pi * 5 * np.arange(SIZE) / SIZE)
  wave = np.stack([np.broadcast_to(across, (SIZE, SIZE))] * 3, -1)
  images = 0.5 + wave[None] * np.array([0.1, 0.2, 0.0])
  found = np.asarray(deck.features(jnp.asarray(images, jnp.float32)))
  rings = found.reshape(3, SIZE // 2 + 1)
  cycles = np.fft.fftfreq(SIZE) * SIZE
  radius = np.hypot(cycles[:, None], cycles[None, :])
  in_ring = np.sum((radius >= 4.5) & (radius < 5.5))
  expected = np.zeros_like(rings)
  expected[:, 0] = np.log1p(0.5 * SIZE**2)
  # A cosine has half its amplitude at each of its two frequencies.
  for channel, height in enumerate((0.1, 0.2, 0.0)):
    strength = height * SIZE**2 / 2
    expected[channel, 5] = 2 * np.log1p(strength) / in_ring
  np.testing.assert_allclose(rings, expected, atol=2e-4)


def test_distances_are_those_of_the_definition(gate, shown):
  own = np.asarray(deck.features(shown[0]), np.float64)
  stored = np.asarray(gate.features, np.float64)
  apart = np.linalg.norm(own[None, :, None] - stored[:, None], axis=-1)
  expected = np.sort(apart, -1)[..., :10].mean(-1)
  np.testing.assert_allclose(
    deck.distances(gate, shown[0]), expected, rtol=1e-3
  )


def test_the_gate_knows_clean_images_from_noisy_ones(gate, shown):
  assert gate.schemes == ('none', 'gaussian')
  for expected, images in enumerate(shown):
    assert deck.nearest(gate, images, per='batch') == expected
    each = np.asarray(deck.nearest(gate, images, per='sample'))
    assert (each == expected).all()


def test_a_gate_stores_one_version_of_augmix():
  schemes = {'none': Views(), 'augmix': Views(flip=True, augmix=AugMix())}
  key = jax.random.key(1)
  found = deck.built(key, pictures(12), schemes, count=1000)
  assert found.features.shape == (2, 12, 3 * (SIZE // 2 + 1))
  assert found.features.dtype == jnp.float16
  plain, mixed = np.asarray(found.features, np.float32)
  each = np.asarray(deck.features(jnp.asarray(pictures(12) / 255)))
  np.testing.assert_allclose(np.sort(plain, 0), np.sort(each, 0), atol=0.01)
  assert np.abs(plain - mixed).max(1).min() > 0.01


def test_each_batch_and_each_image_is_asked_of_its_scheme(cards, shown):
  clean, strong = shown
  batch = dataclasses.replace(cards, vote='batch')
  sample = dataclasses.replace(cards, vote='sample')
  for scheme, images in (('none', clean), ('gaussian', strong)):
    expected = of_scheme(cards, scheme, images)
    for network in (batch, sample):
      found = np.exp(deck.predict(network, images))
      np.testing.assert_allclose(found, expected, atol=1e-6)
  mixed = jnp.concatenate([clean, strong])
  apart = [
    of_scheme(cards, s, x)
    for s, x in zip(cards.gate.schemes, shown, strict=True)
  ]
  found = np.exp(deck.predict(sample, mixed))
  np.testing.assert_allclose(found, np.concatenate(apart), atol=1e-6)
  together = np.exp(deck.predict(batch, mixed))
  sides = [of_scheme(cards, s, mixed) for s in cards.gate.schemes]
  assert any(np.allclose(together, side, atol=1e-6) for side in sides)


def mesh(devices):
  return jax.make_mesh(
    (devices,),
    ('data',),
    axis_types=(AxisType.Auto,),
    devices=jax.devices()[:devices],
  )


class OnHost:
  """The deck as something that is not asked through JAX's arrays."""

  def __init__(self, cards):
    self.cards, self.classes = cards, cards.classes

  def __call__(self, images01):
    return np.asarray(deck.predict(self.cards, jnp.asarray(images01)))


@pytest.mark.parametrize('vote', ['batch', 'sample'])
def test_padding_has_no_say(cards, vote):
  """Black rows are nearest to clean images; seven would outvote the ninth."""
  network = dataclasses.replace(cards, vote=vote)
  images = noisy(pictures(9, seed=8))
  labels = np.arange(9, dtype=np.int32)
  source = data.ArraySource(images, labels, cards.classes)
  part = evaluate.Part(source, (evaluate.Cell('', 0),))
  expected = of_scheme(cards, 'gaussian', jnp.asarray(images / 255)).argmax(-1)
  other = of_scheme(cards, 'none', jnp.asarray(images / 255)).argmax(-1)
  assert expected[8] != other[8]
  for devices, on_host in itertools.product((1, 4), (False, True)):
    spread = jax.NamedSharding(mesh(devices), jax.P())
    placed = OnHost(network) if on_host else jax.device_put(network, spread)
    (found,) = evaluate.classify(placed, part, mesh=mesh(devices), batch_size=8)
    np.testing.assert_array_equal(found, expected)


def test_mistakes_are_told(gate, shown):
  one, two = member(0), member(1)
  with pytest.raises(ValueError, match='the scheme of each, got 0 networks'):
    deck.assembled([], [])
  with pytest.raises(ValueError, match='got 1 networks'):
    deck.assembled([one], ['none', 'none'])
  other = dataclasses.replace(two, classes=tuple('jihgfedcba'))
  with pytest.raises(ValueError, match=r"share classes .* \['j', 'i', 'h'"):
    deck.assembled([one, other], ['none'] * 2)
  how = dataclasses.replace(two.preprocessing, size=32)
  wide = dataclasses.replace(two, preprocessing=how)
  with pytest.raises(ValueError, match=r'images of \[16, None\].*\[32, None\]'):
    deck.assembled([one, wide], ['none'] * 2)
  with pytest.raises(ValueError, match="'batch' without a gate"):
    deck.assembled([one], ['none'], vote='batch')
  with pytest.raises(ValueError, match="got 'most' with a gate"):
    deck.assembled([one, two], gate.schemes, gate=gate, vote='most')
  with pytest.raises(ValueError, match=r"trained with \['augmix', 'none'\]"):
    deck.assembled([one, two], ['none', 'augmix'], gate=gate)
  few = dataclasses.replace(gate, features=gate.features[:, :9])
  with pytest.raises(ValueError, match=r'10 or more, 27\].*\[2, 9, 27\]'):
    deck.assembled([one, two], gate.schemes, gate=few)
  with pytest.raises(ValueError, match='9 images'):
    deck.built(jax.random.key(0), pictures(9), SCHEMES)
  with pytest.raises(ValueError, match="got \\['none'\\]"):
    deck.built(jax.random.key(0), pictures(20), {'none': Views()})
  with pytest.raises(ValueError, match='square images'):
    deck.features(shown[0][:, :8])
