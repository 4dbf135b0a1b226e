import numpy as np
import pytest

from rcj import data

N = 10
LABELS = np.arange(N)


def values(corruption):
  """Grey of each image: severity, then place in the test set."""
  start = 100 if corruption == 'snow' else 0
  return np.arange(start, start + 5 * N, dtype=np.uint8)


@pytest.fixture
def clean(tmp_path):
  images = np.zeros((2 * N, 32, 32, 3), np.uint8)
  path = tmp_path / 'cifar.npz'
  np.savez(
    path,
    train_images=images,
    train_labels=np.tile(LABELS, 2),
    test_images=images[:N],
    test_labels=LABELS,
  )
  return str(path)


@pytest.fixture
def root(tmp_path):
  folder = tmp_path / 'CIFAR-10-C'
  folder.mkdir()
  np.save(folder / 'labels.npy', np.tile(LABELS, 5))
  for corruption in ('snow', 'fog'):
    images = values(corruption)[:, None, None, None]
    images = np.broadcast_to(images, (5 * N, 32, 32, 3))
    np.save(folder / f'{corruption}.npy', images)
  return folder


def load(clean, root):
  return data.load('cifar10', root=clean, corrupted_root=str(root))


def test_severities_come_one_after_the_other(clean, root):
  sets = load(clean, root).corrupted
  assert sets.cells == tuple(
    (c, s) for c in ('fog', 'snow') for s in range(1, 6)
  )
  for corruption, severity in sets.cells:
    source = sets.open(corruption, severity)
    expected = values(corruption)[N * (severity - 1) : N * severity]
    np.testing.assert_array_equal(source.images[:, 3, 5, 1], expected)
    np.testing.assert_array_equal(source.labels, LABELS)


def test_images_stay_on_disk(clean, root):
  source = load(clean, root).corrupted.open('snow', 2)
  assert isinstance(source.images, np.memmap)
  (batch,) = data.eval_batches(source, batch_size=N)
  np.testing.assert_array_equal(
    batch['image'][:, 0, 0, 0], source.images[:, 0, 0, 0]
  )


def test_protocol_says_who_made_them(clean, root):
  protocol = load(clean, root).protocol
  assert protocol['corrupted'] == 'official CIFAR-10-C, 10 images per cell'
  assert 'corrupted' not in data.load('cifar10', root=clean).protocol


@pytest.mark.parametrize(
  'labels', [np.tile(LABELS, 4), np.repeat(LABELS, 5), np.tile(LABELS, 5)[::-1]]
)
def test_labels_of_another_test_set(clean, root, labels):
  np.save(root / 'labels.npy', labels)
  with pytest.raises(ValueError, match=r'corrupted_root: .*another CIFAR'):
    load(clean, root)


def test_missing_labels(clean, root):
  (root / 'labels.npy').unlink()
  with pytest.raises(
    FileNotFoundError, match=r"corrupted_root: .*labels\.npy.*has \['fog\.npy'"
  ):
    load(clean, root)


def test_missing_folder(clean, tmp_path):
  with pytest.raises(FileNotFoundError, match=r'corrupted_root: .*nowhere'):
    load(clean, tmp_path / 'nowhere')


def test_labels_alone(clean, root):
  for name in ('fog', 'snow'):
    (root / f'{name}.npy').unlink()
  with pytest.raises(ValueError, match='there are no corrupted images'):
    load(clean, root)


@pytest.mark.parametrize('n', [4 * N, 5 * N + 1])
def test_wrong_number_of_images(clean, root, n):
  np.save(root / 'fog.npy', np.zeros((n, 32, 32, 3), np.uint8))
  sets = load(clean, root).corrupted
  sets.open('snow', 1)
  with pytest.raises(ValueError, match=rf'fog\.npy must hold.*50, .*{n}, 32'):
    sets.open('fog', 1)


def test_floats(clean, root):
  np.save(root / 'fog.npy', np.zeros((5 * N, 32, 32, 3), np.float32))
  with pytest.raises(ValueError, match=r'must hold uint8.*holds float32'):
    load(clean, root).corrupted.open('fog', 1)


def test_truncated_file(clean, root):
  path = root / 'fog.npy'
  path.write_bytes(path.read_bytes()[:-100])
  with pytest.raises(ValueError, match=r'fog\.npy .*interrupted copy'):
    load(clean, root).corrupted.open('fog', 1)
