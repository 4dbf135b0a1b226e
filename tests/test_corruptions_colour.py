"""Brightness, saturation, elastic transform, spatter: simple images."""

import numpy as np
import pytest

from rcj import corruptions

COLOURS = np.array([[0, 0, 0], [200, 100, 50], [30, 60, 90]], np.uint8)


def spread(colours):
  """The smallest image that holds these colours, and the way back."""
  image = np.zeros((1, 8, 8, 3), np.uint8)
  image[0, 0, : len(colours)] = colours
  return image


def test_brightness_of_black_is_grey_and_hue_stays():
  values = corruptions.render(spread(COLOURS), {}, 'brightness', 2, table=224)
  expected = [[51, 51, 51], [251, 125.5, 62.75], [47, 94, 141]]
  np.testing.assert_allclose(values[0, 0, :3], expected, rtol=0, atol=1e-9)


def test_saturation_keeps_the_largest_channel_and_the_hue():
  """A tenth of the distance to the largest channel is left at severity 2."""
  values = corruptions.render(spread(COLOURS), {}, 'saturate', 2)
  expected = [[0, 0, 0], [200, 190, 185], [84, 87, 90]]
  np.testing.assert_allclose(values[0, 0, :3], expected, rtol=0, atol=1e-9)


def test_saturation_turns_grey_to_red():
  grey = spread([[100, 100, 100]])
  values = corruptions.render(grey, {}, 'saturate', 5)
  np.testing.assert_allclose(values[0, 0, 0], [100, 80, 80], atol=1e-9)


def test_no_jitter_moves_nothing():
  """At 32 px severity 1 is affine only."""
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (1, 32, 32, 3), np.uint8)
  fields = {
    'jitter': np.zeros((1, 3, 2), np.float32),
    'right': rng.random((1, 32, 32), np.float32),
    'down': rng.random((1, 32, 32), np.float32),
  }
  values = corruptions.render(image, fields, 'elastic_transform', 1)
  np.testing.assert_allclose(values, image, rtol=0, atol=1e-3)


def test_equal_jitter_shifts_the_image():
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (1, 32, 32, 3), np.uint8)
  pixels = np.array([2.0, -1.0])  # right and up
  fields = {
    'jitter': np.tile(pixels / (32 * 0.08), (1, 3, 1)),
    'right': np.zeros((1, 32, 32), np.float32),
    'down': np.zeros((1, 32, 32), np.float32),
  }
  values = corruptions.render(image, fields, 'elastic_transform', 1)
  np.testing.assert_allclose(
    values[0, :-1, 2:], image[0, 1:, :-2], rtol=0, atol=1e-3
  )


@pytest.mark.parametrize('severity', corruptions.SEVERITIES)
def test_spatter_without_drops_leaves_the_image(severity):
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (1, 32, 32, 3), np.uint8)
  fields = {'normal': np.full((1, 32, 32), -9, np.float32)}
  values = corruptions.render(image, fields, 'spatter', severity)
  np.testing.assert_allclose(values, image, rtol=0, atol=1e-3)
