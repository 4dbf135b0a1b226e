import numpy as np
import pytest

from rcj import data
from rcj.data import renditions
from rcj.data.digits import enlarge


@pytest.fixture(scope='module')
def sets():
  return data.load('digits')


def rows(source):
  return {x.tobytes() for x in source.images}


def test_sizes(sets):
  assert (len(sets.train), len(sets.test)) == (1200, 597)
  assert sets.train.images.shape == (1200, 32, 32, 3)
  assert sets.train.classes == sets.test.classes == sets.rendition.classes
  assert 300 <= len(sets.rendition) <= 600
  assert set(sets.protocol) == {'train', 'test', 'rendition'}


def test_no_image_in_both_parts(sets):
  assert not rows(sets.train) & rows(sets.test)
  assert len(rows(sets.train) | rows(sets.test)) == 1797


def test_split_is_stratified(sets):
  n = np.bincount(np.concatenate([sets.train.labels, sets.test.labels]))
  share = np.bincount(sets.train.labels) - n * 1200 / 1797
  assert np.abs(share).max() < 1


def test_split_is_the_same_each_time(sets):
  again = data.load('digits')
  np.testing.assert_array_equal(sets.train.images, again.train.images)
  np.testing.assert_array_equal(sets.test.labels, again.test.labels)


def test_smaller_training_set(sets):
  small = data.load('digits', train_size=300)
  assert rows(small.train) < rows(sets.train)
  assert len(small.train) == 300
  assert np.ptp(np.bincount(small.train.labels)) <= 2
  np.testing.assert_array_equal(small.test.images, sets.test.images)
  with pytest.raises(ValueError, match=r'1201 images.*there are 1200'):
    data.load('digits', train_size=1201)


def test_enlarged_white_on_black():
  counts = np.zeros((8, 8))
  counts[2:6, 2:6] = 16
  image = enlarge(counts)
  assert (image[14:18, 14:18] == 255).all()
  assert (image[:4] == 0).all()
  assert (image[..., 0] == image[..., 2]).all()


def test_renditions_have_all_digits_in_all_fonts():
  source = renditions.renditions()
  expected = len(renditions.FONTS) * renditions.DRAWINGS
  assert np.bincount(source.labels).tolist() == [expected] * 10
  ink = source.images.mean(axis=(1, 2, 3)) / 255
  assert ink.min() > 0.04
  assert ink.max() < 0.6


def test_rendered_glyphs_have_their_height():
  inked = renditions.renditions().images[..., 0].max(axis=2) > 40
  heights = 32 - inked.argmax(axis=1) - inked[:, ::-1].argmax(axis=1)
  assert heights.min() >= renditions.HEIGHTS[0] - 2
  assert heights.max() <= renditions.HEIGHTS[1]
  assert len(set(heights.tolist())) >= 6


def features(images):
  """Grey images on 8x8 cells, unit length."""
  x = images[..., 0].reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4)).reshape(-1, 64)
  return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_renditions_are_legible_across_fonts():
  """The class means of all other fonts name most glyphs; chance is 10 %."""
  source = renditions.renditions()
  x, per_font = features(source.images), 10 * renditions.DRAWINGS
  font = np.arange(len(x)) // per_font
  right = 0
  for f in range(len(renditions.FONTS)):
    own = font == f
    means = np.stack(
      [x[~own & (source.labels == d)].mean(axis=0) for d in range(10)]
    )
    right += (source.labels[own] == (x[own] @ means.T).argmax(axis=1)).sum()
  assert right / len(x) > 0.6


def test_renditions_look_like_handwriting(sets):
  """Means of real digits name far more rendered ones than chance (10 %)."""
  x = features(sets.train.images)
  means = np.stack([x[sets.train.labels == d].mean(axis=0) for d in range(10)])
  named = (features(sets.rendition.images) @ means.T).argmax(axis=1)
  assert (named == sets.rendition.labels).mean() > 0.4


def test_renditions_are_the_same_each_time():
  first = renditions.renditions()
  renditions.renditions.cache_clear()
  np.testing.assert_array_equal(first.images, renditions.renditions().images)


def test_missing_font(monkeypatch):
  monkeypatch.setattr(renditions, 'FONTS', ('NoSuchFont',))
  renditions.renditions.cache_clear()
  with pytest.raises(FileNotFoundError, match='no font NoSuchFont'):
    renditions.renditions()
