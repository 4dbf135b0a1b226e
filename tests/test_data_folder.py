import io

import numpy as np
import pytest
from PIL import Image

from rcj import data

CLASSES = ('ant', 'bee', 'cat')


def picture(i, side=8):
  file = io.BytesIO()
  Image.fromarray(np.full((side, side + i, 3), 10 * i, np.uint8)).save(
    file, 'png'
  )
  return file.getvalue()


@pytest.fixture
def root(tmp_path):
  """Four images in each of three classes and two splits."""
  for split in ('train', 'val'):
    for c, name in enumerate(CLASSES):
      folder = tmp_path / split / name
      folder.mkdir(parents=True)
      for i in range(4):
        (folder / f'{i}.png').write_bytes(picture(4 * c + i))
  return tmp_path


def test_folder(root):
  sets = data.load('folder', root=str(root))
  assert sets.train.classes == sets.test.classes == CLASSES
  assert sets.train.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
  for i in range(12):
    example = sets.train[i]
    assert example['label'] == i // 4
    assert example['image'].shape == (8, 8 + i, 3)
    assert (example['image'] == 10 * i).all()
  assert sets.train.skipped == ()


def test_hidden_files_are_ignored(root):
  (root / 'train' / '.DS_Store').write_bytes(b'x')
  (root / 'train' / 'ant' / '.DS_Store').write_bytes(b'x')
  assert len(data.FolderSource(root / 'train')) == 12


@pytest.mark.parametrize('suffix', ['.JPG', '.jpeg', '.webp', '.bmp', '.PNG'])
def test_suffixes(root, suffix):
  # What a file is, its bytes say: ImageNet has a PNG that is called JPEG.
  (root / 'train' / 'ant' / f'4{suffix}').write_bytes(picture(1))
  assert len(data.FolderSource(root / 'train')) == 13


def test_missing_split(root):
  with pytest.raises(FileNotFoundError, match=r'test is no folder.*train, val'):
    data.load('folder', root=str(root), test_split='test')


def test_missing_root(root):
  with pytest.raises(FileNotFoundError, match='root/split/class/image'):
    data.load('folder', root=str(root / 'no' / 'where'))


def test_no_classes(tmp_path):
  (tmp_path / 'a.png').write_bytes(picture(0))
  with pytest.raises(ValueError, match='no class folders, but 1 files'):
    data.FolderSource(tmp_path)


def test_empty_class(root):
  (root / 'train' / 'dog').mkdir()
  with pytest.raises(ValueError, match=r'1 of 4 classes.*dog.*12 images'):
    data.FolderSource(root / 'train')


def test_no_images_at_all(root):
  for file in (root / 'val').glob('*/*'):
    file.unlink()
  with pytest.raises(ValueError, match='3 of 3 classes have no images'):
    data.load('folder', root=str(root))


def test_foreign_file(root):
  (root / 'train' / 'ant' / 'notes.txt').write_text('x')
  with pytest.raises(ValueError, match=r'1 of 13 files are no images.*notes'):
    data.FolderSource(root / 'train')


def test_damaged_file_is_named_when_it_is_read(root):
  path = root / 'train' / 'bee' / '1.png'
  path.write_bytes(path.read_bytes()[:50])
  source = data.FolderSource(root / 'train')
  with pytest.raises(
    ValueError, match=r"bee/1\.png: 50 bytes.*on_error='skip'"
  ):
    source[5]


def test_skipped_files_are_counted(root):
  (root / 'train' / 'ant' / 'notes.txt').write_text('x')
  path = root / 'train' / 'bee' / '1.png'
  path.write_bytes(path.read_bytes()[:50])
  with pytest.warns(UserWarning, match=r'left out 2 of 13 files.*notes'):
    source = data.FolderSource(root / 'train', on_error='skip')
  assert len(source) == 11
  assert len(source.skipped) == 2
  assert [source[i]['label'] for i in range(11)] == source.labels.tolist()


def test_class_of_which_nothing_is_left(root):
  for file in (root / 'train' / 'bee').iterdir():
    file.write_bytes(b'x')
  with pytest.raises(ValueError, match=r'1 of 3 classes have no images.*bee'):
    data.FolderSource(root / 'train', on_error='skip')


def test_splits_with_other_classes(root):
  (root / 'val' / 'cat').rename(root / 'val' / 'cow')
  with pytest.raises(ValueError, match='only one has: cat, cow'):
    data.load('folder', root=str(root))


def test_unknown_on_error(root):
  with pytest.raises(ValueError, match="'raise' or 'skip', not 'ignore'"):
    data.FolderSource(root / 'train', on_error='ignore')
