import numpy as np
import pytest

from rcj.data.sources import ArraySource, shorten, stratified, subset

IMAGES = np.arange(6 * 4 * 4 * 3, dtype=np.uint8).reshape(6, 4, 4, 3)
LABELS = np.array([0, 1, 0, 1, 2, 0])
CLASSES = ('a', 'b', 'c')


def test_array_source():
  source = ArraySource(IMAGES, LABELS, CLASSES)
  assert len(source) == 6
  assert source.labels.dtype == np.int32
  assert source[4]['label'] == 2
  np.testing.assert_array_equal(source[4]['image'], IMAGES[4])


@pytest.mark.parametrize(
  ('images', 'labels', 'words'),
  [
    (IMAGES / 255.0, LABELS, 'uint8.*float64.*divided by 255'),
    (IMAGES.tolist(), LABELS, 'are list'),
    (IMAGES.transpose(0, 3, 1, 2), LABELS, r'\(6, 3, 4, 4\).*channels before'),
    (IMAGES[..., :1], LABELS, 'grey'),
    (IMAGES[:0], LABELS[:0], 'N, H, W > 0'),
    (IMAGES, LABELS[:5], '6 images but 5 labels'),
    (IMAGES, LABELS + 1, r'1 of 6 labels.*0\.\.2.*from 1 to 3'),
    (IMAGES, LABELS - 1, '3 of 6 labels.*from -1 to 1'),
    (IMAGES, np.eye(3)[LABELS], 'one-hot'),
  ],
)
def test_bad_arrays(images, labels, words):
  with pytest.raises(ValueError, match=words):
    ArraySource(images, labels, CLASSES)


class Lazy:
  """A source that is not in memory."""

  labels, classes = LABELS, CLASSES

  def __len__(self):
    return 6

  def __getitem__(self, index):
    return {'image': IMAGES[index], 'label': int(LABELS[index])}


@pytest.mark.parametrize(
  'source', [ArraySource(IMAGES, LABELS, CLASSES), Lazy()]
)
def test_subset(source):
  part = subset(source, np.array([4, 1]))
  assert len(part) == 2
  assert part.classes == CLASSES
  assert part.labels.tolist() == [2, 1]
  assert part[0]['label'] == 2
  np.testing.assert_array_equal(part[1]['image'], IMAGES[1])
  assert isinstance(part, ArraySource) == isinstance(source, ArraySource)


def test_subset_out_of_range():
  with pytest.raises(IndexError, match=r'2 of 3 indices lie outside 0\.\.5'):
    subset(Lazy(), np.array([0, 6, -1]))


@pytest.mark.parametrize('size', [1, 7, 50, 99, 100])
def test_stratified_keeps_proportions(size):
  labels = np.repeat([0, 1, 2], [50, 30, 20])
  chosen = stratified(labels, size, seed=0)
  assert len(set(chosen.tolist())) == len(chosen) == size
  counts = np.bincount(labels[chosen], minlength=3)
  exact = np.array([50, 30, 20]) * size / 100
  assert np.abs(counts - exact).max() < 1
  np.testing.assert_array_equal(chosen, stratified(labels, size, seed=0))


def test_stratified_draws_by_seed():
  labels = np.zeros(100, np.int32)
  assert (stratified(labels, 9, seed=0) != stratified(labels, 9, seed=1)).any()


@pytest.mark.parametrize('size', [-1, 7])
def test_shorten_to_what_is_not_there(size):
  with pytest.raises(ValueError, match=f'{size} images.*there are 6'):
    shorten(Lazy(), size)


def test_shorten_by_nothing():
  source = Lazy()
  assert shorten(source, 0) is source
