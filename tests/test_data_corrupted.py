import numpy as np
import pytest
from image_trees import plant

from rcj import data
from rcj.data.corrupted_tree import corrupted_tree

CLASSES = ('ant', 'bee')
CELLS = (('fog', 1), ('fog', 2), ('snow', 1), ('snow', 2))


def value(corruption, severity, label, i):
  return 100 * (corruption == 'snow') + 40 * severity + 10 * label + i


def names(folder, corruption, severity):
  return {
    f'{folder}{corruption}/{severity}/{c}/{i}.JPEG': value(
      corruption, severity, label, i
    )
    for label, c in enumerate(CLASSES)
    for i in range(3)
  }


@pytest.fixture(params=['', 'weather/'], ids=['flat', 'grouped'])
def root(request, tmp_path):
  """Two corruptions, two severities, two classes of three images."""
  for cell in CELLS:
    plant(tmp_path, names(request.param, *cell))
  return tmp_path / request.param


@pytest.fixture
def top(tmp_path):
  return tmp_path


def read(root, classes=CLASSES):
  return corrupted_tree(root, classes=classes, origin='official')


def test_every_cell_is_read(root, top):
  for where in {root, top}:
    sets = read(where)
    assert sets.cells == CELLS
    assert sets.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert sets.protocol == 'official, 6 images per cell'
    for cell in sets.cells:
      source = sets.open(*cell)
      for i in range(6):
        example = source[i]
        assert example['label'] == i // 3
        assert (example['image'] == value(*cell, i // 3, i % 3)).all()


def test_other_classes_are_ignored(root):
  plant(root, {'fog/1/cow/0.JPEG': 1, 'snow/2/dog/0.JPEG': 1})
  sets = read(root, ('bee',))
  assert sets.labels.tolist() == [0, 0, 0]
  assert (sets.open('fog', 2)[1]['image'] == value('fog', 2, 1, 1)).all()


def test_files_of_a_cell_are_listed_when_it_is_opened(root):
  sets = read(root)
  (root / 'snow' / '1' / 'bee' / '1.JPEG').rename(
    root / 'snow' / '1' / 'bee' / '7.JPEG'
  )
  sets.open('snow', 2)
  with pytest.raises(ValueError, match=r'same files.*bee/1\.JPEG, bee/7\.JPEG'):
    sets.open('snow', 1)


def test_fewer_images_in_one_cell(root):
  (root / 'snow' / '2' / 'ant' / '2.JPEG').unlink()
  with pytest.raises(ValueError, match=r'snow/2 has 5 images.*fog/1 6.*ant/2'):
    read(root).open('snow', 2)


def test_fewer_images_of_one_class(root):
  plant(root, {'fog/1/cow/0.JPEG': 1, 'fog/1/cow/1.JPEG': 1})
  with pytest.raises(ValueError, match=r'1 of 3 classes have not 3.*cow has 2'):
    read(root, (*CLASSES, 'cow'))


def test_class_that_is_missing_everywhere(root):
  with pytest.raises(FileNotFoundError, match='lacks 1 of 3 classes: cow'):
    read(root, (*CLASSES, 'cow'))


def test_severity_that_one_corruption_lacks(root):
  (root / 'fog' / '1').rename(root / 'fog' / '3')
  with pytest.raises(ValueError, match=r"\[1, 2, 3\].*'fog': \[2, 3\]"):
    read(root)


def test_corruption_that_occurs_twice(root, top):
  plant(top, names('digital/', 'fog', 2))
  with pytest.raises(ValueError, match=r'fog occurs twice: .*fog and .*fog'):
    read(top)


def test_other_layouts(root, top):
  with pytest.raises(ValueError, match=r'ant should hold severities'):
    read(root / 'fog')
  plant(top, {'notes/a.png': 0})
  with pytest.raises(ValueError, match=r'notes should hold.*a\.png'):
    read(top)


def test_nothing_there(tmp_path):
  with pytest.raises(ValueError, match=r'no folders; expected is'):
    read(tmp_path)
  with pytest.raises(FileNotFoundError, match='none is no folder'):
    read(tmp_path / 'none')


def in_memory(labels):
  images = np.zeros((len(labels), 4, 4, 3), np.uint8)
  return data.ArraySource(images, np.array(labels), CLASSES)


def test_cells_with_other_labels():
  cells = {('fog', 1): [0, 1], ('snow', 1): [1, 0]}
  sets = data.CorruptedSets(
    tuple(cells)[::-1],
    np.array([0, 1]),
    'here',
    lambda *cell: in_memory(cells[cell]),
  )
  assert sets.cells == (('fog', 1), ('snow', 1))
  sets.open('fog', 1)
  with pytest.raises(ValueError, match='snow, 1 are not the 2 of the other'):
    sets.open('snow', 1)


def test_unknown_cell(root):
  with pytest.raises(ValueError, match=r"fog, 5; there are \{'fog': \[1, 2\]"):
    read(root).open('fog', 5)


def test_no_cells():
  with pytest.raises(ValueError, match='there are no corrupted images'):
    data.CorruptedSets((), np.array([0]), 'here', lambda *_: None)
