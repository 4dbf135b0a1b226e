import math

import numpy as np
import pytest
from PIL import Image

from rcj.data import crops


def noise(height, width):
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (height, width, 3), np.uint8)


def boxes(height, width, n=4000):
  generator = np.random.default_rng(1)
  return [crops.crop_box(generator, height, width) for _ in range(n)]


def test_random_boxes_are_within_the_image():
  for top, left, h, w in boxes(60, 80):
    assert 0 <= top <= top + h <= 60
    assert 0 <= left <= left + w <= 80


def test_random_boxes_have_their_area_and_aspect():
  drawn = boxes(600, 800)
  areas = np.array([h * w / 480_000 for _, _, h, w in drawn])
  aspects = np.array([w / h for _, _, h, w in drawn])
  assert areas.min() > 0.078
  assert areas.min() < 0.1
  assert areas.max() > 0.9
  assert aspects.min() > 0.74
  assert aspects.max() < 1.345
  # Small crops always fit, so that their aspect is log-uniform, mean 0.
  assert abs(np.log(aspects[areas < 0.3]).mean()) < 0.02
  tops = np.array([t / (600 - h) for t, _, h, _ in drawn if h < 600])
  assert abs(tops.mean() - 0.5) < 0.02


@pytest.mark.parametrize(
  ('height', 'width', 'box'),
  [(10, 1000, (0, 493, 10, 13)), (1000, 10, (493, 0, 13, 10))],
)
def test_narrow_images_are_cropped_in_the_middle(height, width, box):
  middle = [b for b in boxes(height, width, 50) if b[2] * b[3] > 100]
  assert middle
  assert set(middle) == {box}


def test_random_resized_crop_is_pillow_on_the_box():
  image = noise(50, 70)
  crop = crops.random_resized_crop(np.random.default_rng(5), image, 24)
  top, left, h, w = crops.crop_box(np.random.default_rng(5), 50, 70)
  part = Image.fromarray(image).crop((left, top, left + w, top + h))
  expected = part.resize((24, 24), Image.Resampling.BILINEAR)
  np.testing.assert_array_equal(crop, np.asarray(expected))


def test_flip_half_of_the_time():
  image, generator = noise(3, 5), np.random.default_rng(0)
  flipped = 0
  for _ in range(400):
    out = crops.random_flip(generator, image)
    same = (out == image).all()
    flipped += not same
    assert same or (out == image[:, ::-1]).all()
  assert abs(flipped - 200) < 5 * math.sqrt(100)


def test_crop_and_flip_depends_on_the_generator_alone():
  image = noise(40, 30)
  a, b, c = (
    crops.crop_and_flip(np.random.default_rng(s), image, 16) for s in (1, 1, 2)
  )
  assert a.shape == (16, 16, 3)
  assert a.dtype == np.uint8
  np.testing.assert_array_equal(a, b)
  assert (a != c).any()


@pytest.mark.parametrize(('height', 'width'), [(40, 60), (61, 40), (40, 40)])
def test_center_crop(height, width):
  image = noise(height, width)
  out = crops.resize_center_crop(image, 32, 28)
  short = min(height, width)
  w, h = 32 * width // short, 32 * height // short
  large = Image.fromarray(image).resize((w, h), Image.Resampling.BILINEAR)
  left, top = round((w - 28) / 2), round((h - 28) / 2)
  expected = large.crop((left, top, left + 28, top + 28))
  np.testing.assert_array_equal(out, np.asarray(expected))


def test_center_crop_larger_than_the_image():
  with pytest.raises(ValueError, match='cannot crop 64 pixels'):
    crops.resize_center_crop(noise(8, 8), 32, 64)
