"""Few images of noise, as the sources of test sets."""

import numpy as np
import pytest

from rcj import data

CLASSES = ('a', 'b', 'c', 'd', 'e')
SIDE = 16


@pytest.fixture(scope='module')
def images():
  """Noise on backgrounds of 14 colours, so that classes differ."""
  rng = np.random.default_rng(0)
  colours = rng.integers(0, 180, (14, 1, 1, 3))
  noise = rng.integers(0, 75, (14, SIDE, SIDE, 3))
  return (colours + noise).astype(np.uint8)


def source_of(images, labels=None):
  labels = np.arange(len(images)) % 5 if labels is None else labels
  return data.ArraySource(images, labels, CLASSES)


class OnDemand:
  """A source of images whose sizes differ; `crop` makes them one size."""

  classes = CLASSES

  def __init__(self, images):
    self.labels = np.arange(len(images), dtype=np.int32) % 5
    self._images = images
    self.read = []

  def __len__(self):
    return len(self._images)

  def __getitem__(self, index):
    self.read.append(index)
    image = np.pad(self._images[index], [(0, index), (0, 0), (0, 0)])
    return {'image': image, 'label': int(self.labels[index])}


def crop(image):
  return image[:SIDE]


HOW = {'names': ('contrast', 'gaussian_noise'), 'severities': (1, 5)}
