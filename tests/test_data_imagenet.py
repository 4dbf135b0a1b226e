import json
import pathlib
import shutil

import pytest
from image_trees import plant

from rcj import data
from rcj.data.class_lists import IMAGENET100, IMAGENET_R

GOLDEN = pathlib.Path(__file__).parent / 'golden' / 'augment'
OTHER = 'n01440764'  # the first of the 1000, which is not in ImageNet-R
THREE = (OTHER, *IMAGENET_R[:2])


def tree(classes, folder, n):
  return {
    f'{folder}{c}/{c}_{i}.JPEG': 2 * k + i
    for k, c in enumerate(classes)
    for i in range(n)
  }


@pytest.fixture(scope='module')
def hundred(tmp_path_factory):
  """ImageNet, -C and -R with the hundred classes and one more, few images."""
  root = tmp_path_factory.mktemp('imagenet')
  classes = (*IMAGENET100, OTHER)
  plant(root, tree(classes, 'train/', 2), side=2)
  plant(root, tree(classes, 'val/', 1), side=2)
  for cell in ('fog/1', 'fog/2'):
    plant(root, tree(classes, f'c/weather/{cell}/', 1), side=2)
  plant(root, tree((*IMAGENET_R[:102],), 'r/', 1), side=2)
  (root / 'r' / 'README.txt').write_text('renditions')
  return root


def load100(root):
  return data.load(
    'imagenet100',
    root=str(root),
    corrupted_root=str(root / 'c'),
    rendition_root=str(root / 'r'),
  )


def test_imagenet100_takes_its_classes_out_of_all(hundred):
  sets = load100(hundred)
  assert sets.name == 'imagenet100'
  assert (len(sets.train), len(sets.test)) == (200, 100)
  parts = (sets.train, sets.test, sets.rendition, sets.corrupted.open('fog', 2))
  for part in parts:
    assert part.classes == IMAGENET100
    for i in (0, len(part) - 1):
      example = part[i]
      per_class = len(part) // 100
      assert example['label'] == i // per_class == part.labels[i]
      grey = 2 * (i // per_class) + i % per_class
      assert (example['image'] == grey).all()


def test_parents_are_labels_among_the_thousand(hundred):
  path = GOLDEN / 'imagenet_r_classes.json'
  indices = json.loads(path.read_text())['indices']
  assert load100(hundred).parents.tolist() == indices[:100]


def test_protocol_identifies_the_class_list(hundred):
  protocol = load100(hundred).protocol
  assert protocol.keys() == {'train', 'test', 'corrupted', 'rendition'}
  for text in protocol.values():
    assert 'imagenet100 (100 classes, sha256 b9d90b750b37)' in text
  assert protocol['train'].startswith('200 of 200 images')
  assert protocol['corrupted'].startswith(
    'official ImageNet-C, 100 images per cell'
  )
  assert protocol['rendition'].startswith('official ImageNet-R, 100 images')


def test_subset_of_the_training_images(hundred):
  sets = data.load('imagenet100', root=str(hundred), train_size=100)
  assert sorted(sets.train.labels) == list(range(100))
  assert '100 of 200 images (stratified, seed 0)' in sets.protocol['train']
  assert sets.corrupted is None
  assert sets.rendition is None


@pytest.fixture
def three(tmp_path):
  """Three classes, one of which ImageNet-R does not show."""
  plant(tmp_path, tree(THREE, 'train/', 3))
  plant(tmp_path, tree(THREE, 'val/', 2))
  plant(tmp_path, tree(THREE[1:], 'r/', 1))
  return tmp_path


def load3(root, **options):
  return data.load('imagenet', root=str(root), **options)


def test_all_classes(three):
  sets = load3(three, rendition_root=str(three / 'r'))
  assert sets.name == 'imagenet'
  assert sets.train.classes == sets.test.classes == THREE
  assert sets.rendition.classes == THREE[1:]
  assert sets.parents is None
  assert 'own (3 classes' in sets.protocol['test']
  assert '2 classes' in sets.protocol['rendition']


def test_some_classes(three):
  sets = load3(three, classes=THREE[:0:-1])
  assert sets.train.classes == THREE[1:]
  assert sets.parents.tolist() == [1, 2]


def test_missing_classes_are_listed(three):
  with pytest.raises(
    FileNotFoundError, match=rf'train lacks 98 of 100 .*{IMAGENET100[2]}'
  ):
    data.load('imagenet100', root=str(three))


def test_class_that_only_val_has(three):
  shutil.rmtree(three / 'train' / OTHER)
  with pytest.raises(ValueError, match=rf'only one has: {OTHER}'):
    load3(three)


def test_class_of_val_with_fewer_images(three):
  (three / 'val' / OTHER / f'{OTHER}_1.JPEG').unlink()
  with pytest.raises(ValueError, match=rf'have not 2.*{OTHER} has 1.*copy'):
    load3(three)


def flatten(folder):
  for file in sorted(folder.glob('*/*')):
    number = len(list(folder.glob('*.JPEG'))) + 1
    file.rename(folder / f'ILSVRC2012_val_{number:08}.JPEG')


def test_val_as_it_is_shipped(three):
  flatten(three / 'val')
  for folder in (three / 'val').glob('n*'):
    folder.rmdir()
  with pytest.raises(ValueError, match=r'6 files.*folder per class by the'):
    load3(three)


def test_val_that_is_half_sorted(three):
  shutil.copy(
    three / 'val' / OTHER / f'{OTHER}_0.JPEG',
    three / 'val' / 'ILSVRC2012_val_00000007.JPEG',
  )
  with pytest.raises(ValueError, match=r'mixes two layouts: 3 .*1 images'):
    load3(three)


def test_archives_that_are_not_unpacked(three):
  shutil.rmtree(three / 'train')
  (three / 'train').mkdir()
  (three / 'train' / f'{OTHER}.tar').write_bytes(b'')
  with pytest.raises(ValueError, match='Unpack each archive'):
    load3(three)


@pytest.mark.parametrize('option', ['corrupted_root', 'rendition_root'])
def test_wrong_option_is_named(three, option):
  with pytest.raises(FileNotFoundError, match=rf'^{option}: .*none'):
    load3(three, **{option: str(three / 'none')})


def test_rendition_that_lacks_a_class(three):
  shutil.rmtree(three / 'r' / THREE[1])
  with pytest.raises(
    FileNotFoundError, match=rf'^rendition_root: .*1 of 2 classes: {THREE[1]}'
  ):
    load3(three, rendition_root=str(three / 'r'))


def test_classes_that_imagenet_r_does_not_show(three):
  with pytest.raises(ValueError, match=r'^rendition_root: none of the 1'):
    load3(three, classes=[OTHER], rendition_root=str(three / 'r'))
