import shutil

import numpy as np
import pytest
from image_trees import plant

from rcj import data

CLASSES = ('cat', 'dog')
DOMAINS = ('art', 'photo', 'sketch')


@pytest.fixture(params=['', 'images/'], ids=['PACS', 'Office-31'])
def root(request, tmp_path):
  """Three domains of two classes; ten cats and five dogs in each."""
  for d, domain in enumerate(DOMAINS):
    for c, n in zip(CLASSES, (10, 5), strict=True):
      names = {
        f'pacs/{domain}/{request.param}{c}/{i}.jpg': 50 * d + i
        for i in range(n)
      }
      plant(tmp_path, names)
  return tmp_path / 'pacs'


def load(root, **options):
  return data.load('domains', root=str(root), **options)


def test_one_domain_trains_and_the_others_are_shifts(root):
  sets = load(root, source='photo')
  assert (len(sets.train), len(sets.test)) == (12, 3)
  assert np.bincount(sets.train.labels).tolist() == [8, 4]
  assert np.bincount(sets.test.labels).tolist() == [2, 1]
  assert sets.shifts.keys() == {'art', 'sketch'}
  for d, name in ((0, 'art'), (2, 'sketch')):
    shift = sets.shifts[name]
    assert shift.classes == sets.train.classes == CLASSES
    assert len(shift) == 15
    assert (shift[3]['image'] == 50 * d + 3).all()
  assert sets.rendition is None
  assert sets.protocol.keys() == {'train', 'test', 'shifts'}
  assert 'art 15, sketch 15' in sets.protocol['shifts']


def test_no_image_is_in_both_parts(root):
  sets = load(root, source='photo')
  seen = [
    (int(x['label']), int(x['image'][0, 0, 0]))
    for part in (sets.train, sets.test)
    for x in (part[i] for i in range(len(part)))
  ]
  assert len(set(seen)) == 15
  again = load(root, source='photo')
  for i in range(12):
    np.testing.assert_array_equal(
      sets.train[i]['image'], again.train[i]['image']
    )


def test_one_target(root):
  assert load(root, source='art', target='photo').shifts.keys() == {'photo'}


def test_subset_of_the_training_images(root):
  sets = load(root, source='photo', train_size=6)
  assert np.bincount(sets.train.labels).tolist() == [4, 2]
  assert len(sets.test) == 3


def test_domains_with_other_classes(root):
  (folder,) = root.glob('sketch/**/dog')
  folder.rename(folder.parent / 'cow')
  with pytest.raises(ValueError, match='sketch 2; only one has: cow, dog'):
    load(root, source='art')
  load(root, source='art', target='photo')


@pytest.mark.parametrize(
  ('options', 'words'),
  [
    ({'source': 'film'}, r"no domain \['film'\].*'art', 'photo'"),
    ({'source': 'art', 'target': 'film'}, r"no domain \['film'\]"),
    ({'source': 'art', 'target': 'art'}, 'beside the source'),
  ],
)
def test_unknown_domains(root, options, words):
  with pytest.raises(ValueError, match=words):
    load(root, **options)


def test_one_domain_alone(root):
  for name in ('art', 'sketch'):
    shutil.rmtree(root / name)
  with pytest.raises(ValueError, match=r"beside the source 'photo'"):
    load(root, source='photo')


def test_missing_folder_and_option(tmp_path):
  with pytest.raises(FileNotFoundError, match='expected is domain/class'):
    load(tmp_path / 'none', source='art')
  with pytest.raises(TypeError, match='source'):
    load(tmp_path)
