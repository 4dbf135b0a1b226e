import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from rcj.augment import GaussianNoise, Views

N, SIDE = 256, 8
# Far from black and white by more than six times the largest deviation.
GREY = np.full((N, SIDE, SIDE, 3), 128, np.uint8)
noisy = jax.jit(GaussianNoise(0.08).__call__)


@pytest.fixture(scope='module')
def noise():
  """What is added to images in 0..1."""
  return (np.asarray(noisy(jax.random.key(0), GREY)) - 128) / 255


def test_noise_of_every_pixel_and_channel_is_normal(noise):
  sigma = noise.std((1, 2, 3), keepdims=True)
  z = (noise / sigma).ravel()
  assert abs(z.mean()) < 4 / np.sqrt(z.size)
  assert abs((z**4).mean() - 3) < 0.1
  channels = noise[..., 0].ravel(), noise[..., 1].ravel()
  assert abs(np.corrcoef(*channels)[0, 1]) < 4 / np.sqrt(channels[0].size)
  columns = noise[:, :, :-1].ravel(), noise[:, :, 1:].ravel()
  assert abs(np.corrcoef(*columns)[0, 1]) < 4 / np.sqrt(columns[0].size)


def test_each_image_has_a_deviation_of_its_own_uniform_up_to_std(noise):
  sigma = np.sort(noise.std((1, 2, 3)))
  expected = 0.08 * (np.arange(N) + 0.5) / N
  # Kolmogorov's bound at one in ten thousand, and the spread of estimates.
  assert np.abs(sigma - expected).max() < 0.08 * (2.2 / np.sqrt(N) + 0.1)
  # Variances are estimated without bias: E sigma^2 = std^2 / 3.
  assert np.mean(noise**2) == pytest.approx(0.08**2 / 3, rel=0.2)


def test_images_stay_within_what_can_be_shown():
  for byte, bound in ((0, 0), (255, 255)):
    got = np.asarray(noisy(jax.random.key(1), np.full_like(GREY, byte)))
    assert got.dtype == np.float32
    assert got.min() >= 0
    assert got.max() <= 255
    assert 0.45 < (got == bound).mean() < 0.55


def test_noise_depends_on_key_and_position_alone():
  key = jax.random.key(2)
  whole = np.asarray(noisy(key, GREY))
  later = GaussianNoise(0.08)(key, GREY[5:], first=5)
  np.testing.assert_allclose(later, whole[5:], atol=1e-4)
  assert not np.array_equal(whole, noisy(jax.random.key(3), GREY))


def test_clipped_before_it_is_normalised_and_alike_on_four_devices():
  mesh = jax.make_mesh((4,), ('data',), axis_types=(AxisType.Auto,))
  mean, std = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
  x = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
  views = Views(padding=1, flip=True, gaussian=GaussianNoise(1.0))

  def seen(key, images, mesh=None):
    batch = {'image': images, 'label': jnp.zeros(len(images), jnp.int32)}
    how = {'num_classes': 10, 'mean': mean, 'std': std, 'mesh': mesh}
    return views(key, batch, **how)['views']

  key = jax.random.key(4)
  alone = np.asarray(jax.jit(seen)(key, x))
  pixels = alone[:, 0] * np.float32(std) + np.float32(mean)
  assert (pixels.min(), pixels.max()) == pytest.approx((0, 1), abs=1e-6)
  sharded = jax.device_put(x, NamedSharding(mesh, P('data')))
  everywhere = jax.device_put(key, NamedSharding(mesh, P()))
  together = jax.jit(lambda k, images: seen(k, images, mesh))
  got = together(everywhere, sharded)
  assert got.sharding.spec == P('data')
  np.testing.assert_allclose(got, alone, atol=1e-5)
