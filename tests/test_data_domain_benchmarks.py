"""Copies of published sets of domains, in the layouts that there are."""

import functools
import pickle

import jax
import numpy as np
import pytest
from image_trees import picture, plant

from rcj import data
from rcj.data import domain_benchmarks, registry

CLASSES = ('cat', 'dog')
TINY = domain_benchmarks.Benchmark(
  title='Tiny-Home',
  sizes={'Art': 15, 'Real World': 15},
  classes=2,
  page='https://example.org/tiny',
  paper='https://example.org/paper',
  inner='kfold',
)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
  """A benchmark by the name 'tiny'."""
  reader = functools.partial(registry.domains, benchmark=TINY)
  monkeypatch.setitem(registry._ON_DISK, 'tiny', reader)


def grow(root, names, side=None):
  """Ten cats and five dogs in each domain; sizes differ if not given."""
  for d, domain in enumerate(names):
    for c, n in zip(CLASSES, (10, 5), strict=True):
      for i in range(n):
        path = {f'{domain}/{c}/{i}.jpg': 50 * d + i}
        plant(root, path, side=side or 20 + i)


def arrays(**changed):
  """The same images as one archive, dogs and cats interleaved."""
  kinds = [(d, c, i) for i in range(10) for c in (1, 0) for d in (0, 1)]
  kinds = [(d, c, i) for d, c, i in kinds if c == 0 or i < 5]
  files = [picture(50 * d + 100 * c + i, side=6) for d, c, i in kinds]
  made = {
    'jpeg': np.frombuffer(b''.join(files), np.uint8),
    'offset': np.cumsum([0, *map(len, files)]),
    'label': np.array([c for _, c, _ in kinds], np.uint8),
    'domain': np.array([d for d, _, _ in kinds], np.uint8),
    'domains': np.array(['art', 'real_world']),
    'classes': np.array(CLASSES),
  }
  return {name: changed.get(name, x) for name, x in made.items()}


def packed(tmp_path, **changed):
  np.savez(tmp_path / 'tiny.npz', **arrays(**changed))
  return str(tmp_path / 'tiny.npz')


def load(root, name='tiny', source='Art', **options):
  return data.load(name, root=str(root), source=source, **options)


@pytest.mark.parametrize('folder', ['Real World', 'RealWorld', 'real_world'])
@pytest.mark.parametrize('inner', ['', 'kfold'])
def test_copies_spell_domains_differently(tmp_path, folder, inner):
  grow(tmp_path / inner, ('Art', folder))
  (tmp_path / 'splits').mkdir()
  sets = load(tmp_path)
  assert sets.shifts.keys() == {'Real World'}
  assert sets.name == 'Tiny-Home from Art'
  other = load(tmp_path, source='REAL-WORLD', target='art')
  assert other.shifts.keys() == {'Art'}
  assert 'images of Real World' in other.protocol['test']


def test_an_incomplete_copy_says_what_is_missing_and_where_it_is(tmp_path):
  grow(tmp_path, TINY.sizes)
  (tmp_path / 'Real World' / 'dog' / '0.jpg').unlink()
  words = (
    r'Real World has 14 images of 2 classes, not 15 of 2\. A usual cause is .*'
    r'https://example\.org/tiny'
  )
  with pytest.raises(ValueError, match=words) as error:
    load(tmp_path)
  assert 'Art has' not in str(error.value)
  assert len(load(tmp_path, 'domains').shifts['Real World']) == 14


def test_a_class_too_few_is_found_before_labels_are_compared(tmp_path):
  grow(tmp_path, TINY.sizes)
  for file in (tmp_path / 'Art' / 'dog').iterdir():
    file.rename(tmp_path / 'Art' / 'cat' / f'd{file.name}')
  (tmp_path / 'Art' / 'dog').rmdir()
  with pytest.raises(ValueError, match='Art has 15 images of 1 classes'):
    load(tmp_path)


def test_where_to_get_what_is_not_there(tmp_path):
  with pytest.raises(FileNotFoundError, match=r'no folder.*example\.org/tiny'):
    load(tmp_path / 'none')
  with pytest.raises(FileNotFoundError, match=r'exist.*example\.org/tiny'):
    load(tmp_path / 'none.npz')
  grow(tmp_path, ('Art', 'Clipart'))
  with pytest.raises(
    ValueError, match=r"no domain \['Real World'\].*'Clipart'.*example\.org"
  ):
    load(tmp_path)
  with pytest.raises(ValueError, match=r"no domain \['Clipart'\]"):
    load(tmp_path, target='Clipart')  # there, but not of this benchmark


@pytest.mark.parametrize('name', ['tiny', 'domains'])
def test_an_archive_is_read_into_memory(tmp_path, name):
  sets = load(packed(tmp_path), name, source='art', target='real_world')
  (shift,) = sets.shifts.values()
  assert shift.images.shape == (15, 6, 6, 3)
  shown = zip(shift.labels, shift.images[:, 0, 0, 0], strict=True)
  expected = {(c, 50 + 100 * c + i) for c in (0, 1) for i in range(10 - 5 * c)}
  assert set(shown) == expected
  assert sets.train.images.shape == (12, 6, 6, 3)
  assert len(sets.test) == 3
  assert np.bincount(sets.train.labels).tolist() == [8, 4]
  both = np.concatenate([sets.train.images, sets.test.images])[:, 0, 0, 0]
  assert len(set(both.tolist())) == 15
  assert sets.train.classes == shift.classes == CLASSES


@pytest.mark.parametrize(
  ('changed', 'words'),
  [
    ({'domain': np.full(30, 2)}, 'domain: 30 of 30 labels lie outside'),
    ({'domain': np.zeros(29, int)}, '30 images, but 29 of domain'),
    ({'label': np.zeros(30, int)}, r'art: 1 of 2 classes.*dog'),
    ({'domains': np.array(['a', 'b'])}, r"no domain .*\['a', 'b'\]"),
  ],
)
def test_archives_that_do_not_fit(tmp_path, changed, words):
  with pytest.raises(ValueError, match=words):
    load(packed(tmp_path, **changed), 'domains', source='art')


def test_an_archive_without_domains(tmp_path):
  made = arrays()
  del made['domain'], made['domains']
  np.savez(tmp_path / 'tiny.npz', **made)
  with pytest.raises(
    ValueError, match=r"lacks \['domain', 'domains'\].*'jpeg'"
  ):
    load(tmp_path / 'tiny.npz')


def test_parts_of_folders_are_cropped_to_one_size(tmp_path):
  """Images of any size: a batch to train on, and a shift to measure."""
  grow(tmp_path, TINY.sizes)
  sets = load(tmp_path, train_size=8)
  mesh = jax.make_mesh((4,), ('data',), (jax.sharding.AxisType.Auto,))
  stream = data.TrainStream(
    pickle.loads(pickle.dumps(sets.train)),  # as it travels to workers
    batch_size=4,
    seed=0,
    mesh=mesh,
    transform=functools.partial(data.crop_and_flip, size=16),
  )
  seen = {}
  for batch in (jax.device_get(next(stream)) for _ in range(2)):
    assert batch['image'].shape == (4, 16, 16, 3)
    greys = batch['image'][:, 0, 0, 0]
    seen |= dict(zip(batch['index'].tolist(), greys, strict=True))
  stream.close()
  own = [sets.train[i]['image'][0, 0, 0] for i in range(8)]
  assert [seen[i] for i in range(8)] == own
  (shift,) = sets.shifts.values()
  crop = functools.partial(data.resize_center_crop, resize_to=18, size=16)
  batches = list(data.eval_batches(shift, batch_size=8, transform=crop))
  images = np.concatenate([b['image'][b['valid']] for b in batches])
  assert images.shape == (15, 16, 16, 3)
  greys = [shift[i]['image'][0, 0, 0] for i in range(15)]
  np.testing.assert_array_equal(images[:, 0, 0, 0], greys)


def test_published_sizes():
  """Totals as the papers and pages give them."""
  totals = {
    domain_benchmarks.OFFICE31: (4110, 31),
    domain_benchmarks.PACS: (9991, 7),
    domain_benchmarks.OFFICE_HOME: (15588, 65),
  }
  for benchmark, expected in totals.items():
    found = sum(benchmark.sizes.values()), benchmark.classes
    assert found == expected


@pytest.mark.parametrize('name', ['office31', 'pacs', 'office_home'])
def test_named_in_the_registry(tmp_path, name):
  with pytest.raises(FileNotFoundError, match=r'can be had from https://'):
    data.load(name, root=str(tmp_path / 'none'), source='x')
  assert name in data.taking('source')


def test_pacs(shared_data):
  sets = load(shared_data / 'pacs_64.npz', 'pacs', source='photo')
  assert sets.train.images.shape == (1336, 64, 64, 3)
  assert len(sets.test) == 334
  assert list(sets.shifts) == ['art_painting', 'cartoon', 'sketch']
  assert [len(x) for x in sets.shifts.values()] == [2048, 2344, 3929]
  assert len(sets.train.classes) == 7
  # Photographs have colours, sketches none.
  colour = {
    name: float(np.ptp(x.images.astype(np.int16), axis=-1).mean())
    for name, x in {'photo': sets.train, **sets.shifts}.items()
  }
  assert colour['sketch'] < 1 < 20 < colour['photo']
