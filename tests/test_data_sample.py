import io
import tarfile

import numpy as np
import pytest
from image_trees import picture

from rcj import data
from rcj.data.class_lists import IMAGENET100, IMAGENET_R, parents

ROWS = ((4, 'n01494475', 'b.JPEG'), (1, 'n01443537', 'a.JPEG'))


def csv(rows, header='class_index,wnid,file'):
  lines = [header, *(','.join(map(str, row)) for row in rows)]
  return '\n'.join(lines).encode()


def archive(path, files):
  with tarfile.open(path, 'w') as tar:
    for name, content in files.items():
      member = tarfile.TarInfo(f'sample/{name}')
      member.size = len(content)
      tar.addfile(member, io.BytesIO(content))
  return str(path)


def files(**changes):
  return {
    'labels.csv': csv(ROWS),
    'a.JPEG': picture(10, side=6),
    'b.JPEG': picture(20, side=9, width=7),
    **changes,
  }


def load(root):
  return data.load('imagenet100_sample', root=root)


def test_sample(tmp_path):
  sets = load(archive(tmp_path / 's.tar', files()))
  assert sets.train is sets.test
  assert sets.test.classes == ('n01443537', 'n01494475')
  assert sets.test.labels.tolist() == [0, 1]
  assert sets.parents.tolist() == [1, 4]
  assert sets.test[0]['image'].shape == (6, 6, 3)
  assert sets.test[1]['image'].shape == (9, 7, 3)
  assert (sets.test[1]['image'] == 20).all()
  assert '2 images of s.tar' in sets.protocol['test']


@pytest.mark.parametrize(
  ('changes', 'words'),
  [
    ({'labels.csv': csv(ROWS, 'index,wnid,file')}, "lacks.*'class_index'"),
    ({'labels.csv': csv(())}, 'lists 0 images'),
    ({'labels.csv': csv([*ROWS, (6, 'n01498041', 'c.JPEG')])}, r'c\.JPEG'),
    ({'labels.csv': csv([ROWS[0], (2, *ROWS[1][1:])])}, 'is 1, not 2'),
  ],
)
def test_bad_tables(tmp_path, changes, words):
  with pytest.raises(ValueError, match=words):
    load(archive(tmp_path / 's.tar', files(**changes)))


def test_no_table(tmp_path):
  with pytest.raises(ValueError, match=r'no labels\.csv, but a\.JPEG'):
    load(archive(tmp_path / 's.tar', {'a.JPEG': picture(0)}))


def test_damaged_image_is_named(tmp_path):
  sets = load(archive(tmp_path / 's.tar', files(**{'b.JPEG': b'x'})))
  with pytest.raises(ValueError, match=r's\.tar, b\.JPEG: 1 bytes'):
    sets.test[1]


def test_no_archive(tmp_path):
  with pytest.raises(FileNotFoundError, match='is no file'):
    load(str(tmp_path))
  (tmp_path / 's.tar').write_bytes(b'no archive')
  with pytest.raises(ValueError, match=r's\.tar \(10 bytes\) cannot be read'):
    load(str(tmp_path / 's.tar'))


def test_one_image_of_each_class_of_imagenet100(shared_data):
  sets = load(str(shared_data / 'imagenet100_sample.tar'))
  assert sets.test.classes == IMAGENET100
  assert sets.test.labels.tolist() == list(range(100))
  assert IMAGENET_R[:100] == IMAGENET100
  np.testing.assert_array_equal(sets.parents, parents(IMAGENET100))
  assert 'imagenet100 (100 classes, sha256 b9d90b' in sets.protocol['test']
  shapes = [sets.test[i]['image'].shape for i in range(100)]
  assert {min(shape[:2]) for shape in shapes} == {256}
