"""DeepAugment from files: which version of an image is shown, and when."""

import collections
import functools
import types

import jax
import numpy as np
import pytest
from image_trees import picture

from rcj import data
from rcj.data.variants import variant_name
from rcj.phases.stream import open_stream

N = 12
FILES = [
  f'{c}/{i}{s}' for c in 'ab' for i, s in enumerate(['.JPEG', '.png'] * 3)
]
# The grey of an image is its index, and tells who made it.
START = {'train': 0, 'val': 0, 'edsr': 100, 'cae': 200}


def plant(root, name, start):
  path = root / name
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(picture(start))


@pytest.fixture
def root(tmp_path):
  """A set of twelve images and its versions in deep/."""
  for i, name in enumerate(FILES):
    for split in ('train', 'val'):
      plant(tmp_path / split, name, i)
    for network in ('edsr', 'cae'):
      where = tmp_path / 'deep' / network
      plant(where, variant_name(name), START[network] + i)
  return tmp_path


def load(root, **options):
  deep = str(root / 'deep')
  return data.load('folder', root=str(root), deepaugment_root=deep, **options)


@pytest.fixture(scope='module')
def mesh():
  axis = (jax.sharding.AxisType.Auto,)
  return jax.make_mesh((4,), ('data',), axis_types=axis)


def shown(source, mesh, *, epochs, workers=0, begin=0):
  """{index: the greys that it had}, epoch by epoch."""
  stream = data.TrainStream(
    source,
    batch_size=4,
    seed=5,
    mesh=mesh,
    transform=functools.partial(data.crop_and_flip, size=8),
    workers=workers,
  )
  stream.set_state({**stream.get_state(), 'step': begin})
  greys = collections.defaultdict(list)
  for _ in range(epochs * stream.steps_per_epoch - begin):
    batch = jax.device_get(next(stream))
    for index, image in zip(batch['index'], batch['image'], strict=True):
      greys[int(index)].append(int(image[0, 0, 0]))
  stream.close()
  return greys


def test_clean_edsr_and_cae_come_equally_often(root, mesh):
  greys = shown(load(root).variants, mesh, epochs=100)
  assert set(greys) == set(range(N))
  counts = collections.Counter()
  for index, seen in greys.items():
    own = {index: 'clean', 100 + index: 'edsr', 200 + index: 'cae'}
    assert set(seen) == set(own)
    counts.update(own[grey] for grey in seen)
  n = counts.total()
  for name in ('clean', 'edsr', 'cae'):
    assert counts[name] / n == pytest.approx(1 / 3, abs=4 * (2 / 9 / n) ** 0.5)


def test_what_is_shown_depends_on_seed_epoch_and_index(root, mesh):
  variants = load(root).variants
  whole = shown(variants, mesh, epochs=4)
  assert shown(variants, mesh, epochs=4) == whole
  steps = N // 4
  rest = shown(variants, mesh, epochs=4, begin=2 * steps)
  assert rest == {index: seen[2:] for index, seen in whole.items()}


def test_labels_and_clean_images_are_those_of_the_set(root):
  sets = load(root)
  assert sets.variants.classes == sets.train.classes
  np.testing.assert_array_equal(sets.variants.labels, sets.train.labels)
  assert len(sets.variants) == N
  assert (sets.variants[3]['image'] == 3).all()
  assert data.load('folder', root=str(root)).variants is None


def test_of_a_subset_its_own_versions_are_shown(root, mesh):
  sets = load(root, train_size=8)
  clean = [int(sets.train[i]['image'][0, 0, 0]) for i in range(8)]
  for index, seen in shown(sets.variants, mesh, epochs=20).items():
    assert {grey % 100 for grey in seen} == {clean[index]}


def test_missing_versions_are_an_error_with_the_command(root):
  for name in FILES[:8]:
    (root / 'deep' / 'cae' / variant_name(name)).unlink()
  with pytest.raises(FileNotFoundError) as e:
    load(root)
  for words in (
    'deepaugment_root: ',
    'lacks 8 of 12 images: a/0.JPEG, a/1.png.JPEG, ',
    'and 3 more',
    'python launch/deepaugment.py --network=cae --weights=FILE '
    f'--images={root}/train --out={root}/deep/cae',
  ):
    assert words in str(e.value)
  with pytest.raises(FileNotFoundError, match='edsr lacks 12 of 12'):
    data.load('folder', root=str(root), deepaugment_root=str(root / 'x'))


def test_a_damaged_version_is_named(root, mesh):
  (root / 'deep' / 'edsr' / 'a' / '0.JPEG').write_bytes(b'no picture')
  with pytest.raises(ValueError, match=r'edsr/a/0\.JPEG.*delete it'):
    shown(load(root).variants, mesh, epochs=20)


def test_sets_without_files_have_no_such_option():
  assert set(data.taking('deepaugment_root')) == {
    *('folder', 'imagenet', 'imagenet100'),
  }
  with pytest.raises(TypeError, match='deepaugment_root'):
    data.load('cifar10', root='x', deepaugment_root='y')


def test_a_phase_takes_versions_only_if_it_wants_them(root, mesh):
  def indices(sets, variants):
    env = types.SimpleNamespace(data=sets, mesh=mesh, workers=0)
    key = jax.random.key(0)
    stream = open_stream(env, key, batch_size=4, size=8, variants=variants)
    images = [jax.device_get(next(stream))['image'] for _ in range(30)]
    stream.close()
    return {int(x) // 100 for image in images for x in image[:, 0, 0, 0]}

  sets = load(root)
  assert indices(sets, variants=True) == {0, 1, 2}
  assert indices(sets, variants=False) == {0}
  plain = data.load('folder', root=str(root))
  with pytest.raises(ValueError, match='deepaugment_root'):
    indices(plain, variants=True)
