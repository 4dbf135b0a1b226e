"""Corrupted test sets as folders: what is in them, stopped and continued."""

import functools
import io
import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
from PIL import Image

from rcj import corruptions, data, files, generate

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLASSES = ('ant', 'bee')
CELLS = generate.Cells(names=('gaussian_noise', 'contrast'), severities=(1, 3))
SMALL = {'name': 'photos', 'resize': 20, 'size': 16}


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
  """Train and val of two classes, three images of noise each."""
  root, rng = tmp_path_factory.mktemp('photos'), np.random.default_rng(0)
  for split in ('train', 'val'):
    for c in CLASSES:
      (root / split / c).mkdir(parents=True)
      for i in range(3):
        shape = (20 + 3 * i, 27 - 2 * i, 3)
        pixels = rng.integers(0, 256, shape, np.uint8)
        Image.fromarray(pixels).save(root / split / c / f'{c}_{i}.png')
  return root


@pytest.fixture(scope='module')
def source(photos):
  return data.FolderSource(photos / 'val')


@pytest.fixture(scope='module')
def expected(source):
  """{(corruption, severity): images}, made in memory."""
  crop = functools.partial(data.resize_center_crop, resize_to=20, size=16)
  images = data.in_memory(source, transform=crop).images
  how = {'names': CELLS.names, 'severities': CELLS.severities}
  return {
    cell[:2]: cell[2] for cell in corruptions.corrupted_set(images, **how)
  }


@pytest.fixture(scope='module')
def lossless(source, tmp_path_factory):
  folder = tmp_path_factory.mktemp('made') / 'lossless'
  generate.imagenet_c(source, folder, CELLS, quality=None, **SMALL)
  return folder


def contents(folder):
  return {
    path.relative_to(folder).as_posix(): path.read_bytes()
    for path in folder.rglob('[!.]*')
    if path.is_file()
  }


def stop_after(n, monkeypatch):
  """Lets a program write so many files, and half of one more."""
  write, count = files.write_whole, iter(range(n))

  def stopping(path, content):
    if next(count, None) is None:
      path.with_name(f'{path.name}.partial').write_bytes(content[:9])
      raise KeyboardInterrupt
    write(path, content)

  monkeypatch.setattr(files, 'write_whole', stopping)


def test_files_hold_the_corrupted_crops(lossless, expected):
  assert len(contents(lossless)) == 4 * 6 + 1
  for (name, severity), images in expected.items():
    for i, image in enumerate(images):
      c = CLASSES[i // 3]
      file = lossless / name / str(severity) / c / f'{c}_{i % 3}.png'
      np.testing.assert_array_equal(np.asarray(Image.open(file)), image)


def test_jpeg_files_are_of_quality_85(source, expected, tmp_path):
  generate.imagenet_c(source, tmp_path / 'c', CELLS, **SMALL)
  file = io.BytesIO()
  image = Image.fromarray(expected['contrast', 3][4])
  image.save(file, 'jpeg', quality=85, optimize=True)
  written = tmp_path / 'c' / 'contrast' / '3' / 'bee' / 'bee_1.JPEG'
  assert written.read_bytes() == file.getvalue()


@pytest.mark.parametrize('n', [1, 3, 15, 25])
def test_a_stopped_folder_becomes_the_same(
  n, source, lossless, tmp_path, monkeypatch
):
  """Stopped at the first image, within cells and batches, and at the end."""
  folder = tmp_path / 'c'
  write = functools.partial(
    generate.imagenet_c, source, folder, CELLS, quality=None, **SMALL
  )
  with monkeypatch.context() as m:
    stop_after(n, m)
    with pytest.raises(KeyboardInterrupt):
      write(batch_size=4)
  done = {path: path.stat().st_mtime_ns for path in folder.rglob('*.png')}
  write(batch_size=2)
  assert contents(folder) == contents(lossless)
  assert done == {path: path.stat().st_mtime_ns for path in done}


class Counting:
  """A source that counts how often each image is read."""

  def __init__(self, source):
    self.source, self.labels = source, source.labels
    self.classes, self.reads = source.classes, []

  def __len__(self):
    return len(self.source)

  def __getitem__(self, index):
    self.reads.append(index)
    return self.source[index]


def test_an_image_is_read_once_and_only_if_a_cell_lacks_it(source, tmp_path):
  counting = Counting(source)
  write = functools.partial(
    generate.imagenet_c, counting, tmp_path / 'c', CELLS, **SMALL
  )
  write(batch_size=2)
  assert sorted(counting.reads) == list(range(6))
  write(batch_size=2)
  assert len(counting.reads) == 6
  # No files, no names: images are numbered.
  files = (tmp_path / 'c' / 'contrast' / '1').rglob('*.JPEG')
  assert sorted(f.name for f in files) == [f'{i}.JPEG' for i in range(6)]
  (tmp_path / 'c' / 'contrast' / '1' / 'bee' / '4.JPEG').unlink()
  write(batch_size=2)
  assert counting.reads[6:] == [4]


def test_it_is_read_as_generated(photos, source, tmp_path):
  generate.imagenet_c(source, tmp_path, CELLS, **SMALL)
  sets = data.load('imagenet', root=str(photos), corrupted_root=str(tmp_path))
  assert sets.corrupted.cells == tuple(sorted(CELLS))
  assert sets.protocol['corrupted'].startswith('generated by rcj ')
  for words in ('photos', 'table', 'seed 0', 'JPEG quality 85', '6 images'):
    assert words in sets.protocol['corrupted']
  assert 'official' not in sets.protocol['corrupted']
  cell = sets.corrupted.open('contrast', 3)
  np.testing.assert_array_equal(cell.labels, source.labels)
  assert cell[5]['image'].shape == (16, 16, 3)


def test_a_folder_that_is_not_complete_is_not_read(
  photos, source, tmp_path, monkeypatch
):
  stop_after(5, monkeypatch)
  with pytest.raises(KeyboardInterrupt):
    generate.imagenet_c(source, tmp_path, CELLS, **SMALL)
  with pytest.raises(ValueError, match=r'corrupted_root: .* is not complete'):
    data.load('imagenet', root=str(photos), corrupted_root=str(tmp_path))
  (tmp_path / 'generated.json').write_text('{"protocol"')
  with pytest.raises(ValueError, match='cannot be read: JSONDecodeError'):
    data.load('imagenet', root=str(photos), corrupted_root=str(tmp_path))


def test_other_settings_are_refused(source, lossless, tmp_path):
  before = contents(lossless)
  other = generate.Cells(names=CELLS.names, severities=(1, 3), seed=1)
  with pytest.raises(
    ValueError, match=r'quality: None there, 85 now\n  seed: 0 there, 1 now'
  ):
    generate.imagenet_c(source, lossless, other, quality=85, **SMALL)
  fewer = data.subset(source, np.arange(5))
  with pytest.raises(ValueError, match='images: 6 there, 5 now'):
    generate.imagenet_c(fewer, lossless, CELLS, quality=None, **SMALL)
  assert contents(lossless) == before
  (tmp_path / 'mine').touch()
  with pytest.raises(ValueError, match='not empty'):
    generate.imagenet_c(source, tmp_path, CELLS, **SMALL)


@pytest.mark.parametrize(
  ('cells', 'how', 'words'),
  [
    ({'names': ('mist',)}, {}, "unknown corruption 'mist'"),
    ({'names': ()}, {}, 'there must be a corruption'),
    ({'severities': (6,)}, {}, 'severity must be'),
    ({'table': 33}, {}, 'no severity table 33'),
    ({'names': ('frost',), 'textures': '/nowhere'}, {}, 'frost textures'),
    ({}, {'quality': 96}, 'quality of a JPEG is 1 to 95, not 96'),
    ({}, {'size': 21}, 'cannot crop 21 pixels'),
  ],
)
def test_mistakes_leave_nothing(source, tmp_path, cells, how, words):
  with pytest.raises(ValueError, match=words):
    generate.imagenet_c(
      source, tmp_path / 'c', generate.Cells(**cells), **SMALL | how
    )
  assert not (tmp_path / 'c').exists()


N = 6
FIVE = generate.Cells(names=('contrast', 'gaussian_noise'))


@pytest.fixture(scope='module')
def cifar(tmp_path_factory):
  path = tmp_path_factory.mktemp('cifar') / 'cifar.npz'
  rng = np.random.default_rng(1)
  images = rng.integers(0, 256, (10, 32, 32, 3), np.uint8)
  np.savez(
    path,
    train_images=images,
    train_labels=np.arange(10),
    test_images=images[:N],
    test_labels=np.arange(N),
  )
  return path


def test_arrays_are_read_as_generated(cifar, tmp_path):
  test = data.load('cifar10', root=str(cifar)).test
  generate.cifar10_c(test, tmp_path, FIVE, name='cifar10', batch_size=4)
  assert np.load(tmp_path / 'contrast.npy').shape == (5 * N, 32, 32, 3)
  labels = np.load(tmp_path / 'labels.npy')
  np.testing.assert_array_equal(labels, np.tile(test.labels, 5))
  sets = data.load('cifar10', root=str(cifar), corrupted_root=str(tmp_path))
  assert sets.protocol['corrupted'].startswith('generated by rcj ')
  for name, severity, images in corruptions.corrupted_set(
    test.images, names=FIVE.names
  ):
    cell = sets.corrupted.open(name, severity)
    np.testing.assert_array_equal(cell.images, images)


def test_stopped_arrays_become_the_same(cifar, tmp_path, monkeypatch):
  test = data.load('cifar10', root=str(cifar)).test
  write = functools.partial(generate.cifar10_c, test, name='cifar10')
  write(tmp_path / 'whole', FIVE)
  folder, make = tmp_path / 'stopped', corruptions.corrupted_set

  def stopping(images, **how):
    for name, severity, cell in make(images, **how):
      if (name, severity) == ('gaussian_noise', 3):
        raise KeyboardInterrupt
      yield name, severity, cell

  with monkeypatch.context() as m:
    m.setattr(corruptions, 'corrupted_set', stopping)
    with pytest.raises(KeyboardInterrupt):
      write(folder, FIVE, batch_size=4)
  assert not (folder / 'gaussian_noise.npy').exists()
  with pytest.raises(ValueError, match='is not complete'):
    data.load('cifar10', root=str(cifar), corrupted_root=str(folder))
  done = (folder / 'contrast.npy').stat().st_mtime_ns
  write(folder, FIVE)
  assert (folder / 'contrast.npy').stat().st_mtime_ns == done
  assert contents(folder) == contents(tmp_path / 'whole')


def test_what_arrays_cannot_hold(cifar, source, tmp_path):
  test = data.load('cifar10', root=str(cifar)).test
  with pytest.raises(ValueError, match='has all severities'):
    generate.cifar10_c(test, tmp_path / 'c', CELLS, name='cifar10')
  large = data.ArraySource(np.zeros((1, 64, 64, 3), np.uint8), [0], ('a',))
  with pytest.raises(ValueError, match='32x32 pixels, not 64x64'):
    generate.cifar10_c(large, tmp_path / 'c', FIVE, name='large')
  assert not (tmp_path / 'c').exists()
  bad = data.ArraySource(np.zeros((1, 8, 8, 3), np.uint8), [0], ('a/b',))
  with pytest.raises(ValueError, match=r"names of folders: \['a/b'\]"):
    generate.imagenet_c(bad, tmp_path / 'c', CELLS, **SMALL)


def test_the_folder_says_how_it_was_made(lossless):
  said = json.loads((lossless / 'generated.json').read_text())
  assert said['complete'] is True
  made = said['settings']
  assert made['names'] == list(CELLS.names)
  assert (made['seed'], made['quality'], made['size']) == (0, None, 16)


def test_the_program_writes_a_folder(cifar, tmp_path):
  result = subprocess.run(
    [
      *(sys.executable, 'launch/corrupt.py', '--data=cifar10'),
      *(f'--data_root={cifar}', '--names=contrast', '--layout=cifar10_c'),
      f'--out={tmp_path}/c',
    ],
    cwd=ROOT,
    env={
      **os.environ,
      'PYTHONPATH': str(ROOT),
      'XLA_FLAGS': '',
      'JAX_COMPILATION_CACHE_DIR': jax.config.jax_compilation_cache_dir,
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0.5',
    },
    stdin=subprocess.DEVNULL,
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert result.returncode == 0, result.stderr
  assert {p.name for p in (tmp_path / 'c').glob('[!.]*')} == {
    *('contrast.npy', 'generated.json', 'labels.npy'),
  }
