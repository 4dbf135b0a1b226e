import codecs
import pickle

import numpy as np
import pytest

from rcj import data

N = 20


@pytest.fixture
def arrays():
  rng = np.random.default_rng(0)
  return {
    f'{split}_{what}': value
    for split in ('train', 'test')
    for what, value in (
      ('images', rng.integers(0, 256, (5 * N, 32, 32, 3), np.uint8)),
      ('labels', np.arange(5 * N) % 10),
    )
  }


def dump(path, content):
  path.write_bytes(pickle.dumps(content, protocol=2))


def planes(images):
  """Rows as in the original files: red, green, blue."""
  return np.stack(
    [images[..., c].reshape(-1, 1024) for c in range(3)], 1
  ).reshape(-1, 3072)


@pytest.fixture
def folder10(tmp_path, arrays):
  folder = tmp_path / 'cifar-10-batches-py'
  folder.mkdir()
  for i in range(5):
    part = slice(i * N, (i + 1) * N)
    dump(
      folder / f'data_batch_{i + 1}',
      {
        b'data': planes(arrays['train_images'][part]),
        b'labels': arrays['train_labels'][part].tolist(),
      },
    )
  test = {
    b'data': planes(arrays['test_images']),
    b'labels': arrays['test_labels'].tolist(),
  }
  dump(folder / 'test_batch', test)
  names = [f'class{i}'.encode() for i in range(10)]
  dump(folder / 'batches.meta', {b'label_names': names})
  return folder


@pytest.mark.parametrize('inside', [True, False])
def test_batches(folder10, arrays, inside):
  sets = data.load('cifar10', root=str(folder10 if inside else folder10.parent))
  np.testing.assert_array_equal(sets.train.images, arrays['train_images'])
  np.testing.assert_array_equal(sets.train.labels, arrays['train_labels'])
  np.testing.assert_array_equal(sets.test.images, arrays['test_images'])
  assert sets.train.classes[9] == 'class9'


def test_batches_of_cifar100(tmp_path, arrays):
  for split in ('train', 'test'):
    content = {
      b'data': planes(arrays[f'{split}_images']),
      b'fine_labels': list(range(100)),
      b'coarse_labels': [0] * 100,
    }
    dump(tmp_path / split, content)
  names = [f'fine{i}'.encode() for i in range(100)]
  dump(tmp_path / 'meta', {b'fine_label_names': names})
  sets = data.load('cifar100', root=str(tmp_path))
  assert sets.train.labels.tolist() == list(range(100))
  assert sets.test.classes[99] == 'fine99'


def test_npz(tmp_path, arrays):
  path = tmp_path / 'set.npz'
  np.savez(path, **arrays)
  sets = data.load('cifar10', root=str(path))
  np.testing.assert_array_equal(sets.test.images, arrays['test_images'])
  assert sets.train.classes[0] == 'airplane'
  np.savez(path, **arrays, classes=np.array([*'abcdefghij']))
  assert data.load('cifar10', root=str(path)).test.classes[9] == 'j'


def test_training_subset(tmp_path, arrays):
  path = tmp_path / 'set.npz'
  np.savez(path, **arrays)
  sets = data.load('cifar10', root=str(path), train_size=30)
  assert np.bincount(sets.train.labels).tolist() == [3] * 10
  assert len(sets.test) == 5 * N
  assert '30 of 100' in sets.protocol['train']


def test_missing_files(folder10):
  (folder10 / 'data_batch_3').unlink()
  with pytest.raises(FileNotFoundError) as e:
    data.load('cifar10', root=str(folder10))
  for words in ("['data_batch_3']", "'data_batch_4'", 'kriz/cifar.html'):
    assert words in str(e.value)


@pytest.mark.parametrize('name', ['nowhere', 'nowhere.npz'])
def test_missing_everything(tmp_path, name):
  with pytest.raises(FileNotFoundError, match=r'does not exist.*kriz/cifar'):
    data.load('cifar10', root=str(tmp_path / name))


def test_truncated_batch(folder10):
  path = folder10 / 'data_batch_2'
  path.write_bytes(path.read_bytes()[:2000])
  with pytest.raises(ValueError, match=r'data_batch_2 \(2,000 bytes\).*interr'):
    data.load('cifar10', root=str(folder10))


@pytest.mark.parametrize('keep', [0.5, 0.001])
def test_truncated_npz(tmp_path, arrays, keep):
  path = tmp_path / 'set.npz'
  np.savez(path, **arrays)
  whole = path.read_bytes()
  path.write_bytes(whole[: int(keep * len(whole))])
  with pytest.raises(ValueError, match=r'set\.npz.*bytes.*interrupted'):
    data.load('cifar10', root=str(path))


def test_wrong_batch_shapes(folder10):
  bad = {b'data': np.zeros((4, 3071), np.uint8), b'labels': [0] * 4}
  dump(folder10 / 'test_batch', bad)
  with pytest.raises(ValueError, match=r'test_batch.*\[N,3072\].*\[4, 3071\]'):
    data.load('cifar10', root=str(folder10))
  dump(folder10 / 'test_batch', {b'labels': [0] * 4})
  with pytest.raises(ValueError, match=r"lacks \['data'\].*\['labels'\]"):
    data.load('cifar10', root=str(folder10))
  dump(folder10 / 'test_batch', [1, 2])
  with pytest.raises(ValueError, match='holds a list'):
    data.load('cifar10', root=str(folder10))


def test_labels_out_of_range(folder10):
  bad = {b'data': np.zeros((4, 3072), np.uint8), b'labels': [0, 1, 10, -1]}
  dump(folder10 / 'test_batch', bad)
  with pytest.raises(ValueError, match=r'2 of 4 labels lie outside 0\.\.9'):
    data.load('cifar10', root=str(folder10))


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'train_images': None}, r"lacks \['train_images'\]; it has"),
    ({'train_images': np.zeros((5 * N, 64, 64, 3), np.uint8)}, r'32,32,3.*64'),
    ({'test_labels': np.full(5 * N, 10)}, r'set\.npz: 100 of 100 labels'),
    ({'classes': np.array(['a', 'b'])}, 'names 2 classes'),
    ({'test_images': np.array([None])}, 'plain arrays'),
  ],
)
def test_wrong_npz(tmp_path, arrays, change, words):
  path = tmp_path / 'set.npz'
  content = {k: v for k, v in (arrays | change).items() if v is not None}
  np.savez(path, **content)
  with pytest.raises(ValueError, match=words):
    data.load('cifar10', root=str(path))


class Evil:
  def __reduce__(self):
    return codecs.lookup, ('utf-8',)


def test_pickles_cannot_run_code(folder10):
  dump(folder10 / 'test_batch', {b'data': Evil()})
  with pytest.raises(ValueError, match=r'asks for _codecs.lookup'):
    data.load('cifar10', root=str(folder10))
