"""Recipes, suites and views of paper S1."""

import dataclasses

import numpy as np
import pytest

from rcj import data, s0, s1, sweep
from rcj.recipe import check


@dataclasses.dataclass
class Family(s1.S1):
  model: str = 'resnet8'
  teacher_model: str = 'resnet8'
  source: str = 'photo'


def recipe(variant='base', **fields):
  config = dataclasses.replace(s1.configure(Family, variant), **fields)
  made = config.recipe()
  check(made)
  return made


def kinds(made):
  return [type(phase).__name__ for phase in made]


SHIPS = ['Evaluate', 'Attack', 'Export']


@pytest.mark.parametrize(
  ('variant', 'expected'),
  [
    ('base', ['Init', 'Train']),
    ('int8', ['Init', 'Train', 'Save', 'Quantize']),
    ('l1', ['Init', 'Train', 'Save', 'Prune', 'Shrink', 'Train']),
    ('kd_int8', ['Init', 'Train', 'Save', 'Init', 'Train', 'Quantize']),
  ],
)
def test_every_network_is_measured_and_attacked(variant, expected):
  made = recipe(variant)
  assert kinds(made) == [*expected, *SHIPS]
  assert (made[-2].images, made[-2].check_images) == (200, 100)


def test_transfer_begins_from_the_network_before_its_compression():
  assert recipe('base')[-2].parent is None
  for variant in ('int8', 'l1', 'l1_int8'):
    made = recipe(variant)
    assert made[2].name == made[-2].parent == 'dense'
  assert recipe('kd')[-2].parent == 'teacher'


@pytest.fixture
def pretrained(tmp_path):
  """A run of resnet8 and a file of resnet20."""
  (tmp_path / 'resnet8' / 'checkpoints').mkdir(parents=True)
  (tmp_path / 'resnet8' / 'config.json').write_text(
    '{"width": 0.25, "stem": ""}'
  )
  (tmp_path / 'resnet20.pth').write_bytes(b'')
  return str(tmp_path)


def test_networks_begin_with_pre_trained_ones(pretrained):
  made = recipe(
    'kd', pretrained_root=pretrained, width=0.25, teacher_model='resnet20'
  )
  teacher, student = made[0], made[3]
  assert kinds(made[:4]) == ['Load', 'Train', 'Save', 'Load']
  assert student.new_head
  assert teacher.new_head
  assert student.path.endswith('resnet8')
  assert teacher.path.endswith('resnet20.pth')


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    ({'model': 'resnet32'}, 'has no resnet32: expected is a file'),
    ({'width': 0.5}, r'resnet8 has width 0.25; width=0.5 cannot'),
    ({'model': 'resnet20', 'width': 2.0}, r'resnet20.pth has width 1.0;'),
    ({'width': 0.25, 'stem': 'half'}, "resnet8 has stem ''; stem='half'"),
    ({'width': 0.25, 'dtype': 'bfloat16'}, "has dtype 'float32'"),
  ],
)
def test_pre_trained_networks_that_do_not_fit(pretrained, fields, message):
  with pytest.raises(ValueError, match=message):
    recipe(pretrained_root=pretrained, **fields)


def test_runs_of_other_sources_share_no_network():
  names = {
    tuple(sorted(Family(source=source).identity().items()))
    for source in ('photo', 'sketch')
  }
  assert len(names) == 2


def test_each_target_is_a_suite():
  source = data.ArraySource(
    np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 0, 1]), ('cat', 'dog')
  )
  sets = data.DataSets(
    'pets',
    source,
    source,
    protocol={'test': 'the other 4 images of photo'},
    shifts={'sketch': source, 'art': source},
  )
  suites = Family(size=8, resize=8).suites(sets)
  assert [suite.name for suite in suites] == ['clean', 'to sketch', 'to art']
  assert suites[1].protocol == (
    'all images of sketch, trained on photo, resized to 8, centre 8'
  )


NETWORKS = (
  s0.Network('small', 'resnet20', 7, width=0.25),
  s0.Network('large', 'resnet32', 7, width=0.25),
)


@dataclasses.dataclass
class Cells(Family):
  width: float = 0.25
  teacher_width: float = 0.25


def test_every_cell_of_the_views_has_a_recipe():
  views = s1.views(NETWORKS, ('photo', 'sketch'), densities=(0.7, 0.4))
  filled, runs = sweep.plan(views, Cells(), [0])
  assert not [run.problem for run in runs if run.problem]
  assert {view.name for view in filled} == {
    *('networks', 'pruned', 'distilled', 'int8'),
    *('claim1', 'claim2', 'claim3', 'claim4'),
  }
  # 2 networks, each as int8 and at 2 densities, and one pair of them taught;
  # int8 of one density and of the pair; both at a common size, the larger one
  # at the size of the smaller one.
  assert len(runs) == 2 * (2 * (2 + 2) + 1 + 2 + 1 + 2 + 1)


def test_claims_compare_two_networks_in_every_panel():
  views = s1.views(NETWORKS, ('photo',), densities=(0.4,))
  for view in views:
    if view.kind == 'claim':
      panels = [cell.panel for cell in view.cells]
      assert {panels.count(panel) for panel in panels} == {2}, view.name
  (against,) = [view for view in views if view.name == 'claim2']
  taught, pruned = (cell.fields for cell in against.cells)
  assert (taught['model'], taught['teacher_model']) == ('resnet20', 'resnet32')
  assert pruned['model'] == 'resnet32'
  assert pruned['nonzero'] == NETWORKS[0].parameters()
