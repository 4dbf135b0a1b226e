import json
import pathlib

import numpy as np
import pytest

from rcj.data import class_lists
from rcj.data.class_lists import IMAGENET100, IMAGENET_R

GOLDEN = pathlib.Path(__file__).parent / 'golden' / 'augment'


@pytest.fixture(scope='module')
def reference():
  path = GOLDEN / 'imagenet_r_classes.json'
  return json.loads(path.read_text())


def test_imagenet_r_is_the_reference(reference):
  assert list(IMAGENET_R) == reference['wnids'] == sorted(IMAGENET_R)
  parents = class_lists.parents(IMAGENET_R)
  assert parents.tolist() == reference['indices']
  assert parents.dtype == np.int32


def test_imagenet100_is_its_first_half(reference):
  assert list(IMAGENET100) == reference['wnids'][:100]
  parents = class_lists.parents(IMAGENET100)
  assert parents.tolist() == reference['indices'][:100]


def test_lists_are_known_by_their_hash():
  assert class_lists.name_of(IMAGENET_R) == 'imagenet_r'
  assert class_lists.name_of(IMAGENET100) == 'imagenet100'
  assert class_lists.describe(IMAGENET100) == (
    'imagenet100 (100 classes, sha256 b9d90b750b37)'
  )


def test_one_other_class_is_another_list():
  other = (*IMAGENET100[:99], IMAGENET_R[150])
  assert class_lists.name_of(other) == ''
  assert class_lists.digest(other) != class_lists.digest(IMAGENET100)
  assert 'of its own (100 classes' in class_lists.describe(other)


def test_order_is_not_part_of_a_list():
  assert class_lists.name_of(IMAGENET100[::-1]) == 'imagenet100'
  backwards = class_lists.parents(IMAGENET100[::-1])
  assert backwards.tolist() == class_lists.parents(IMAGENET100)[::-1].tolist()


def test_parents_of_unknown_classes():
  assert class_lists.parents(('cat', 'dog')) is None
  assert class_lists.parents((IMAGENET_R[0], 'n00000001')) is None


def test_the_thousand_classes_are_their_own_parents():
  """TFDS ships the wnids in the order of the labels."""
  datasets = pytest.importorskip('tensorflow_datasets')
  file = 'datasets/imagenet2012/labels.txt'
  wnids = tuple(datasets.core.tfds_path(file).read_text().split())
  assert class_lists.name_of(wnids) == 'imagenet'
  np.testing.assert_array_equal(class_lists.parents(wnids), np.arange(1000))
  chosen = [wnids[i] for i in class_lists.parents(IMAGENET_R)]
  assert chosen == list(IMAGENET_R)


def test_no_class_of_imagenet_r():
  with pytest.raises(ValueError, match=r'none of the 2.*cat.*must be wnids'):
    class_lists.among_renditions(('cat', 'dog'))
