import dataclasses

import numpy as np
import pytest

from rcj import data
from rcj.data.restricted import restrict

CLASSES = ('dog', 'ant', 'cow', 'bee')
LABELS = np.array([0, 3, 1, 2, 3, 0])
SOURCE = data.ArraySource(
  np.arange(6, dtype=np.uint8)[:, None, None, None]
  * np.ones((6, 4, 4, 3), 'u1'),
  LABELS,
  CLASSES,
)


def test_labels_count_the_sorted_names():
  part = restrict(SOURCE, ('dog', 'bee', 'dog'))
  assert part.classes == ('bee', 'dog')
  assert part.parents.tolist() == [3, 0]
  assert part.labels.tolist() == [1, 0, 0, 1]
  assert part.labels.dtype == np.int32
  assert [part[i]['label'] for i in range(len(part))] == [1, 0, 0, 1]
  assert [part[i]['image'][0, 0, 0] for i in range(4)] == [0, 1, 4, 5]


def test_all_classes():
  assert len(restrict(SOURCE, CLASSES)) == 6


def test_images_in_another_order_are_noticed():
  part = restrict(SOURCE, ('bee', 'dog'))
  other = dataclasses.replace(SOURCE, labels=np.roll(LABELS, 1))
  moved = dataclasses.replace(part, source=other)
  assert moved[0]['label'] == 1
  with pytest.raises(ValueError, match=r'image 1 has.*3 \(bee\).*order'):
    [moved[i] for i in range(4)]


@pytest.mark.parametrize(
  ('classes', 'words'),
  [
    (('bee', 'emu'), '1 of 2 classes are missing: emu; there are 4: dog'),
    ((), 'one name or more'),
    ('bee', "not 'bee'"),
  ],
)
def test_bad_lists(classes, words):
  with pytest.raises(ValueError, match=words):
    restrict(SOURCE, classes)


def test_class_without_images():
  source = dataclasses.replace(SOURCE, labels=np.zeros(6, np.int32))
  with pytest.raises(ValueError, match='1 of 2 classes have no images: bee'):
    restrict(source, ('bee', 'dog'))
