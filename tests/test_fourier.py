"""Waves, perturbations and spectra."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import fourier


@pytest.fixture
def waves(golden):
  return golden('compress/fourier_basis')


@pytest.mark.parametrize(('size', 'atol'), [(32, 1e-12), (224, 1e-7)])
def test_waves_are_those_of_the_reference(waves, size, atol):
  for (i, j), want in zip(
    waves[f'ij_{size}'], waves[f'basis_{size}'], strict=True
  ):
    got = fourier.basis(size, int(i), int(j))
    np.testing.assert_allclose(got, want, rtol=0, atol=atol)


@pytest.mark.parametrize('size', [6, 7])
def test_a_wave_has_norm_1_and_two_mirrored_frequencies(size):
  for i in range(size):
    for j in range(size):
      wave = fourier.basis(size, i, j)
      np.testing.assert_allclose(np.linalg.norm(wave), 1, rtol=1e-12)
      amplitude = np.abs(np.fft.fftshift(np.fft.fft2(wave)))
      mirrored = fourier.mirror(size, i), fourier.mirror(size, j)
      assert set(zip(*np.nonzero(amplitude > 1e-9), strict=True)) == {
        (i, j),
        mirrored,
      }
      np.testing.assert_array_equal(wave, fourier.basis(size, *mirrored))


def test_odd_sizes_are_mirrored_at_the_middle():
  assert fourier.mirror(7, 0) == 6
  assert fourier.mirror(7, 3) == 3
  assert fourier.mirror(6, 0) == 0
  assert fourier.mirror(6, 1) == 5


@pytest.mark.parametrize(
  ('size', 'window', 'count'),
  [(32, None, 514), (224, 63, 1985), (6, 3, 5), (6, 4, 12), (7, 7, 25)],
)
def test_the_half_plane_holds_each_wave_of_the_window_once(size, window, count):
  frequencies, number = fourier.half_plane(size, window=window)
  window = window or size
  assert frequencies.shape == (count, 2)
  assert number.shape == (window, window)
  assert set(number.ravel()) == set(range(count))
  first = size // 2 - window // 2
  for (row, column), k in np.ndenumerate(number):
    place = first + row, first + column
    mirrored = tuple(fourier.mirror(size, p) for p in place)
    assert tuple(frequencies[k]) in (place, mirrored)


@pytest.mark.parametrize('window', [0, 7])
def test_windows_that_do_not_fit_are_refused(window):
  with pytest.raises(ValueError, match=f'not {window}'):
    fourier.half_plane(6, window=window)


def test_a_frequency_outside_is_refused():
  with pytest.raises(ValueError, match=r'got \(0, 6\)'):
    fourier.basis(6, 0, 6)


def test_perturbed_images_are_those_of_the_reference(waves):
  got = fourier.perturbed(
    jnp.asarray(waves['pert_x']),
    jnp.asarray(waves['basis_32'][waves['pert_basis_index']], jnp.float32),
    jnp.asarray(waves['pert_sign'], jnp.float32),
    norm=float(waves['pert_v']),
  )
  np.testing.assert_allclose(got, waves['pert_out_clip01'], atol=1e-6)
  strong = fourier.perturbed(
    jnp.asarray(waves['pert_x']),
    jnp.asarray(waves['basis_32'][0], jnp.float32),
    jnp.asarray(waves['pert_sign'], jnp.float32),
    norm=1e3,
  )
  assert set(np.unique(strong)) == {0, 1}


def test_a_sign_depends_on_seed_frequency_and_image_alone():
  draw = jax.jit(fourier.signs)
  key = jax.random.key(3)
  signs = np.asarray(draw(key, 5, jnp.arange(64)))
  assert set(np.unique(signs)) == {-1, 1}
  assert abs(signs.mean()) < 0.3
  some = jnp.array([40, 7])
  np.testing.assert_array_equal(draw(key, 5, some), signs[[40, 7]])
  assert (np.asarray(draw(key, 6, jnp.arange(64))) != signs).any()
  assert (np.asarray(draw(jax.random.key(4), 5, jnp.arange(64))) != signs).any()


def test_the_spectrum_of_a_wave_is_at_its_frequencies():
  wave = np.float32(fourier.basis(8, 2, 5))
  images = np.stack([2 * wave, -4 * wave])[..., None] * np.ones(3, 'f')
  got = fourier.spectrum(images)
  want = np.zeros((8, 8))
  # Two amplitudes of equal squares, which sum to H * W * |x|^2 (Parseval).
  want[2, 5] = want[6, 3] = 3 * np.sqrt(8 * 8 / 2)
  np.testing.assert_allclose(got, want, atol=1e-4)


def test_spectra_of_many_images_are_means(monkeypatch):
  monkeypatch.setattr('rcj.fourier.spectra._AT_ONCE', 2)
  images = np.random.default_rng(0).random((5, 4, 6, 3))
  each = [
    np.abs(np.fft.fftshift(np.fft.fft2(x[..., c])))
    for x in images
    for c in range(3)
  ]
  np.testing.assert_allclose(fourier.spectrum(images), np.mean(each, axis=0))
  with pytest.raises(ValueError, match=r'got \[0, 4, 6, 3\]'):
    fourier.spectrum(images[:0])


def test_rings_are_means_by_distance():
  y, x = np.mgrid[-3:3, -3:3]
  distance = np.rint(np.hypot(y, x))
  np.testing.assert_allclose(fourier.radial(distance), [0, 1, 2])
  one = np.zeros((7, 7))
  one[3, 4] = 8
  np.testing.assert_allclose(fourier.radial(one), [0, 1, 0, 0])
