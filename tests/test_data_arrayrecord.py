import io
import sys

import numpy as np
import pytest
from PIL import Image

from rcj import data

tfds = pytest.importorskip('tensorflow_datasets')


def png(value, height):
  file = io.BytesIO()
  Image.fromarray(np.full((height, 5, 3), value, np.uint8)).save(file, 'png')
  file.seek(0)
  return file


class Tiny(tfds.core.GeneratorBasedBuilder):
  """Six and three images whose colour says their label."""

  VERSION = tfds.core.Version('1.0.0')

  def _info(self):
    features = {
      'image': tfds.features.Image(encoding_format='png'),
      'label': tfds.features.ClassLabel(names=['cat', 'dog']),
      'file_name': tfds.features.Text(),
    }
    return tfds.core.DatasetInfo(
      builder=self, features=tfds.features.FeaturesDict(features)
    )

  def _split_generators(self, dl_manager):
    return {
      'train': self._generate_examples(6),
      'test': self._generate_examples(3),
    }

  def _generate_examples(self, n):
    for i in range(n):
      image = png(100 * (i % 2), 4 + i)
      yield i, {'image': image, 'label': i % 2, 'file_name': str(i)}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
  """A prepared set; TFDS writes ArrayRecord without TensorFlow."""
  folder = tmp_path_factory.mktemp('tfds')
  Tiny(data_dir=folder, file_format='array_record').download_and_prepare()
  return str(folder)


def test_array_record(root):
  sets = data.load('tfds:tiny', root=root)
  assert (len(sets.train), len(sets.test)) == (6, 3)
  assert sets.train.classes == ('cat', 'dog')
  examples = [sets.train[i] for i in range(6)]
  assert [x['label'] for x in examples] == sets.train.labels.tolist()
  assert sets.train.labels.dtype == np.int32
  for x in examples:
    assert (x['image'] == 100 * x['label']).all()
  heights = sorted(x['image'].shape[0] for x in examples)
  assert heights == [4, 5, 6, 7, 8, 9]
  assert 'tiny/1.0.0' in sets.protocol['train']
  assert 'tensorflow' not in sys.modules


def test_slices_and_versions(root):
  sets = data.load('tfds:tiny:1.0.0', root=root, test_split='train[:50%]')
  assert len(sets.test) == 3


def test_eval_batches(root):
  source = data.load('tfds:tiny', root=root).train
  batches = list(
    data.eval_batches(source, batch_size=4, transform=lambda x: x[:4])
  )
  labels = np.concatenate([b['label'] for b in batches])
  assert labels[:6].tolist() == source.labels.tolist()


def test_missing_set(root, tmp_path):
  with pytest.raises(FileNotFoundError, match=r"'mnist'.*'tiny'.*prepare"):
    data.load('tfds:mnist', root=root)
  with pytest.raises(FileNotFoundError, match='does not exist'):
    data.load('tfds:tiny', root=str(tmp_path / 'nowhere'))


def test_missing_split(root):
  with pytest.raises(ValueError, match=r"no split 'validation'.*'train'"):
    data.load('tfds:tiny', root=root, test_split='validation')


class Tabular(tfds.core.GeneratorBasedBuilder):
  """A set without images."""

  VERSION = tfds.core.Version('1.0.0')

  def _info(self):
    features = tfds.features.FeaturesDict({'x': tfds.features.Text()})
    return tfds.core.DatasetInfo(builder=self, features=features)

  def _split_generators(self, dl_manager):
    return {
      'train': self._generate_examples(),
      'test': self._generate_examples(),
    }

  def _generate_examples(self):
    yield 0, {'x': 'a'}


def test_set_without_images(root):
  Tabular(data_dir=root, file_format='array_record').download_and_prepare()
  with pytest.raises(ValueError, match=r"'image' and 'label'.*\['x'\]"):
    data.load('tfds:tabular', root=root)
