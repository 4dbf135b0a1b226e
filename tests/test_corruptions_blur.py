"""Blurs against scipy and against loops, at sizes the benchmark has not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from rcj import corruptions
from rcj.corruptions import blur, tables, zoom


@pytest.mark.parametrize('shape', [(32, 32), (8, 8), (20, 33)])
def test_defocus_reflects_at_borders_of_any_size(shape):
  rng = np.random.default_rng(1)
  image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
  for severity, (radius, sigma) in enumerate(
    tables.TABLES['defocus_blur'][224]
  ):
    kernel = blur.disk_kernel(radius, sigma)[0].sum(-1)
    expected = ndimage.correlate(
      image.astype(float), kernel[:, :, None].astype(float), mode='mirror'
    )
    values = corruptions.render(
      image[None], {}, 'defocus_blur', severity + 1, table=224
    )
    expected = np.clip(expected, 0, 255)
    np.testing.assert_allclose(values[0], expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize('shape', [(32, 32), (8, 8), (20, 33)])
def test_gaussian_blur_repeats_the_border_of_any_size(shape):
  rng = np.random.default_rng(1)
  image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
  for severity, (sigma,) in enumerate(tables.TABLES['gaussian_blur'][224]):
    expected = ndimage.gaussian_filter(
      image.astype(float), (sigma, sigma, 0), mode='nearest'
    )
    values = corruptions.render(
      image[None], {}, 'gaussian_blur', severity + 1, table=224
    )
    np.testing.assert_allclose(values[0], expected, rtol=0, atol=1e-9)


def shuffled_by_loop(image, offsets, distance):
  image, (height, width, _) = image.copy(), image.shape
  for row in range(height - distance, distance, -1):
    for column in range(width - distance, distance, -1):
      right, down = offsets[row, column]
      image[row, column] = image[row + down, column + right]
  return image


@pytest.mark.parametrize('shape', [(12, 31), (40, 17)])
def test_glass_copies_pixels_one_after_the_other(shape):
  """Severity 5 of 224: looks 4 pixels far, so that long chains arise."""
  rng = np.random.default_rng(2)
  image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
  fields = corruptions.draw(
    jax.random.key(3), (1, *shape, 3), 'glass_blur', 5, table=224
  )
  offsets = np.asarray(fields['offsets'])[0]
  assert offsets.min() == -4
  assert offsets.max() == 3
  assert not offsets[2].any()
  sigma = (1.5, 1.5, 0)
  expected = ndimage.gaussian_filter(image / 255, sigma, mode='nearest')
  expected = (expected * 255).astype(np.uint8)
  for turn in offsets[:2]:
    expected = shuffled_by_loop(expected, turn, 4)
  expected = ndimage.gaussian_filter(1.0 * expected, sigma, mode='nearest')
  values = corruptions.render(image[None], fields, 'glass_blur', 5, table=224)
  np.testing.assert_allclose(values[0], expected, rtol=0, atol=1e-9)


CLIPPED_ZOOM = jax.jit(zoom.clipped_zoom)


@pytest.mark.parametrize('factor', [1.07, 4.5])
def test_zoom_enlarges_the_middle_as_scipy_does(factor):
  image = np.random.default_rng(3).random((11, 30))
  crop = [int(np.ceil(n / factor)) for n in image.shape]
  top = [(n - c) // 2 for n, c in zip(image.shape, crop, strict=True)]
  middle = image[top[0] : top[0] + crop[0], top[1] : top[1] + crop[1]]
  large = ndimage.zoom(middle, factor, order=1)
  top = [(m - n) // 2 for m, n in zip(large.shape, image.shape, strict=True)]
  expected = large[top[0] : top[0] + 11, top[1] : top[1] + 30]
  with jax.enable_x64(True):
    found = CLIPPED_ZOOM(jnp.asarray(image)[None, :, :, None], factor)
  np.testing.assert_allclose(found[0, :, :, 0], expected, rtol=0, atol=1e-12)


def test_motion_goes_along_its_angle():
  """A bright column is smeared by an angle of 0, a bright row is not."""
  image = np.zeros((1, 32, 32, 3), np.uint8)
  image[:, :, 15] = 255
  fields = {'angle': np.zeros(1, np.float32)}
  flat = corruptions.apply(image, fields, 'motion_blur', 3)
  assert (np.diff(flat[0, 16, :16, 0].astype(int)) >= 0).all()
  assert 0 < flat[0, 16, 15, 0] < 255
  assert not flat[0, :, 16:].any()
  turned = image.swapaxes(1, 2)
  np.testing.assert_array_equal(
    corruptions.apply(turned, fields, 'motion_blur', 3), turned
  )
