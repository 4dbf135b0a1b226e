import numpy as np
import pytest
from image_trees import picture, plant

from rcj import data
from rcj.data.class_lists import IMAGENET_R, parents

WNIDS = IMAGENET_R[:3]


@pytest.fixture
def folder(tmp_path):
  """Three classes, two training images and one of val each."""
  for k, wnid in enumerate(WNIDS):
    plant(
      tmp_path,
      {f'train/{wnid}/images/{wnid}_{i}.JPEG': 10 * k + i for i in range(2)},
      side=64,
    )
    (tmp_path / 'train' / wnid / f'{wnid}_boxes.txt').write_text('')
  # Not in the order of the classes.
  plant(
    tmp_path,
    {f'val/images/val_{i}.JPEG': 100 + (i + 1) % 3 for i in range(3)},
    side=64,
  )
  lines = [
    f'val_{i}.JPEG\t{WNIDS[(i + 1) % 3]}\t0\t0\t62\t62\n' for i in range(3)
  ]
  (tmp_path / 'val' / 'val_annotations.txt').write_text(''.join(lines))
  return tmp_path


def arrays(order):
  """The archive of the same images, classes numbered in this order."""
  made = {'wnids': np.array([WNIDS[k] for k in order])}
  for split, start, n in (('train', 0, 2), ('val', 100, 1)):
    step = 10 if split == 'train' else 1
    files = [
      picture(start + step * k + i, side=64) for k in order for i in range(n)
    ]
    made[f'{split}_jpeg'] = np.frombuffer(b''.join(files), np.uint8)
    made[f'{split}_offset'] = np.cumsum([0, *map(len, files)])
    made[f'{split}_label'] = np.repeat(np.arange(3), n).astype(np.uint8)
  return made


@pytest.fixture(params=['folder', 'npz', 'npz of unsorted classes'])
def root(request, folder):
  if request.param == 'folder':
    return str(folder)
  order = (0, 1, 2) if request.param == 'npz' else (2, 0, 1)
  np.savez(folder / 'tiny.npz', **arrays(order))
  return str(folder / 'tiny.npz')


def check(sets, chosen):
  """Classes `chosen` of the three, each with its own images."""
  assert sets.train.classes == tuple(WNIDS[k] for k in chosen)
  assert sets.train.images.shape == (2 * len(chosen), 64, 64, 3)
  train = {
    (int(k), int(x[0, 0, 0]))
    for k, x in zip(sets.train.labels, sets.train.images, strict=True)
  }
  assert train == {
    (label, 10 * k + i) for label, k in enumerate(chosen) for i in range(2)
  }
  val = {
    (int(k), int(x[0, 0, 0]))
    for k, x in zip(sets.test.labels, sets.test.images, strict=True)
  }
  assert val == {(label, 100 + k) for label, k in enumerate(chosen)}


def test_tiny_imagenet(root):
  sets = data.load('tiny_imagenet', root=root)
  check(sets, (0, 1, 2))
  assert sets.parents.tolist() == parents(WNIDS).tolist()
  assert sets.protocol['train'].startswith('6 of 6 images of Tiny-ImageNet')
  assert '(3 classes, sha256' in sets.protocol['test']


def test_some_classes(root):
  sets = data.load('tiny_imagenet', root=root, classes=WNIDS[:0:-1])
  check(sets, (1, 2))


def test_subset_of_the_training_images(root):
  sets = data.load('tiny_imagenet', root=root, train_size=3)
  assert sorted(sets.train.labels) == [0, 1, 2]


def test_missing_class(root):
  with pytest.raises((ValueError, FileNotFoundError), match=r'1 of 2.*n00'):
    data.load('tiny_imagenet', root=root, classes=(WNIDS[0], 'n00'))


def test_corrupted(root, folder):
  for cell in ('fog/1', 'fog/2'):
    plant(folder, {f'c/{cell}/{w}/val_{w}.JPEG': 7 for w in WNIDS}, side=64)
  sets = data.load('tiny_imagenet', root=root, corrupted_root=str(folder / 'c'))
  assert sets.corrupted.cells == (('fog', 1), ('fog', 2))
  assert sets.corrupted.labels.tolist() == [0, 1, 2]
  assert sets.protocol['corrupted'].startswith(
    'official Tiny-ImageNet-C, 3 images per cell'
  )


def test_val_without_annotations(folder):
  (folder / 'val' / 'val_annotations.txt').unlink()
  with pytest.raises(FileNotFoundError, match="use the data set 'folder'"):
    data.load('tiny_imagenet', root=str(folder))


def test_annotations_of_another_kind(folder):
  (folder / 'val' / 'val_annotations.txt').write_text('val_0.JPEG,n01\n')
  with pytest.raises(ValueError, match=r'1 lines are not.*val_0\.JPEG,n01'):
    data.load('tiny_imagenet', root=str(folder))


def test_class_without_validation_images(folder):
  file = folder / 'val' / 'val_annotations.txt'
  file.write_text(''.join(file.read_text().splitlines(keepends=True)[:2]))
  with pytest.raises(ValueError, match=rf'1 of 3 classes.*{WNIDS[0]}'):
    data.load('tiny_imagenet', root=str(folder))


def test_damaged_image_is_named(folder):
  (folder / 'val' / 'images' / 'val_1.JPEG').write_bytes(b'x')
  with pytest.raises(ValueError, match=r'val_1\.JPEG: 1 bytes'):
    data.load('tiny_imagenet', root=str(folder))


def test_missing_arrays(tmp_path):
  made = arrays((0, 1, 2))
  del made['wnids'], made['val_label']
  np.savez(tmp_path / 'tiny.npz', **made)
  with pytest.raises(ValueError, match=r"lacks \['val_label', 'wnids'\]"):
    data.load('tiny_imagenet', root=str(tmp_path / 'tiny.npz'))


def test_truncated_archive(tmp_path):
  path = tmp_path / 'tiny.npz'
  np.savez(path, **arrays((0, 1, 2)))
  path.write_bytes(path.read_bytes()[:200])
  with pytest.raises(ValueError, match='interrupted copy'):
    data.load('tiny_imagenet', root=str(path))


def test_thirty_classes_of_imagenet100(shared_data):
  sets = data.load(
    'tiny_imagenet', root=str(shared_data / 'tiny_imagenet_30.npz')
  )
  assert sets.train.images.shape == (10200, 64, 64, 3)
  assert sets.test.images.shape == (1500, 64, 64, 3)
  assert set(np.bincount(sets.train.labels)) == {340}
  assert set(np.bincount(sets.test.labels)) == {50}
  assert set(sets.train.classes) <= set(data.IMAGENET100)
  assert sets.parents.shape == (30,)
