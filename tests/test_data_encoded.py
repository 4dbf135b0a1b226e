import pickle

import numpy as np
import pytest
from image_trees import picture

from rcj.data.encoded import EncodedSource

FILES = (picture(10), picture(20, side=5))
NAMES = ('a.tar, x', 'a.tar, y')


def test_images_are_decoded_when_read():
  source = EncodedSource(FILES, NAMES, np.array([1, 0]), ('cat', 'dog'))
  source = pickle.loads(pickle.dumps(source))  # as it travels to workers
  assert len(source) == 2
  assert source.labels.dtype == np.int32
  assert source[1]['image'].shape == (5, 5, 3)
  assert (source[0]['image'] == 10).all()
  assert source[0]['label'] == 1


def test_damaged_file_is_named():
  source = EncodedSource((b'x', FILES[1]), NAMES, np.array([0, 0]), ('cat',))
  with pytest.raises(ValueError, match=r'a\.tar, x: 1 bytes'):
    source[0]


@pytest.mark.parametrize(
  ('names', 'labels', 'words'),
  [
    (NAMES[:1], [0, 0], '2 files, 1 names and 2 labels'),
    (NAMES, [0, 1], r'1 of 2 labels lie outside 0\.\.0'),
  ],
)
def test_parts_that_do_not_fit(names, labels, words):
  with pytest.raises(ValueError, match=words):
    EncodedSource(FILES, names, np.array(labels), ('cat',))
