"""Recipes and views of paper S0."""

import dataclasses

import pytest

from rcj import losses, models, phases, s0, schedules, train
from rcj.augment import (
  AugMix,
  AutoAugment,
  CutMix,
  GaussianNoise,
  Noise2Net,
  Views,
)
from rcj.recipe import check


@dataclasses.dataclass
class Family(s0.S0):
  model: str = 'resnet8'
  width: float = 0.5
  teacher_model: str = 'resnet8'

  def schedule(self):
    return schedules.Cosine(self.learning_rate)

  def preprocessing(self):
    return models.preprocessing('resnet8')


def recipe(**fields):
  made = Family(**fields).recipe()
  check(made)
  return made


def kinds(made):
  return [type(phase).__name__ for phase in made]


def label(**fields):
  return recipe(**fields)[-2].method


@pytest.mark.parametrize('method', ['kd', 'at', 'crd'])
def test_a_student_learns_from_a_teacher_trained_before_it(method):
  made = recipe(method=method, teacher='augmix', augment='none')
  learning = ['Init', 'Train', 'Save', 'Init', 'Train']
  assert kinds(made) == [*learning, 'Evaluate', 'Export']
  teacher, student = made[1], made[4]
  assert (teacher.teacher, student.teacher) == (None, 'teacher')
  assert 'jsd' in teacher.terms
  assert set(student.terms) == {'ce', method}
  assert (made[0].width, made[3].width) == (1.0, 0.5)


def test_the_weights_of_the_losses_are_those_of_decision_23():
  def weights(**fields):
    student = recipe(teacher='none', **fields)[4]
    return {name: w.weight for name, w in student.terms.items()}

  assert weights(method='kd') == pytest.approx({'ce': 0.1, 'kd': 0.9})
  assert weights(method='kd', augment='augmix') == pytest.approx(
    {'ce': 0.5, 'kd': 0.5, 'jsd': 6}
  )
  assert weights(method='at') == {'ce': 1, 'at': 1000}
  assert weights(method='crd', augment='augmix') == {
    'ce': 1,
    'crd': 0.8,
    'jsd': 6,
  }


def test_the_teacher_is_read_from_the_file_of_its_name(tmp_path):
  (tmp_path / 'amda.pth').touch()
  made = recipe(method='kd', teacher='amda', teacher_root=str(tmp_path))
  assert made[0] == phases.Load(str(tmp_path / 'amda.pth'), 'resnet8')
  assert kinds(made)[1:3] == ['Save', 'Init']
  trained = recipe(method='kd', teacher='none', teacher_root=str(tmp_path))
  assert isinstance(trained[0], phases.Init)


def test_what_cannot_be_had_says_so(tmp_path):
  with pytest.raises(ValueError, match=r'SWSL .* teacher_root/swsl\.pth'):
    recipe(method='kd', teacher='swsl', teacher_root=str(tmp_path))
  with pytest.raises(ValueError, match='no folder'):
    recipe(method='kd', teacher_root=str(tmp_path / 'nowhere'))
  with pytest.raises(ValueError, match="no method 'hidra'; there are train"):
    recipe(method='hidra')
  with pytest.raises(ValueError, match="no augment 'mix'; there are none"):
    recipe(augment='mix')
  with pytest.raises(ValueError, match='density and nonzero'):
    recipe(method='gw', density=0.1, nonzero=100)
  with pytest.raises(ValueError, match='at_pairs'):
    recipe(method='at', at_pairs='1:1')


def test_stages_are_paired_as_asked():
  made = recipe(method='at', teacher='none', at_pairs='1-1,3-2')
  assert made[4].terms['at'].term == losses.AttentionTransfer(
    pairs=((0, 0), (2, 1))
  )


def test_every_pruned_network_begins_with_the_same_dense_one():
  made = [
    recipe(method=m, augment='augmix', teacher='none')
    for m in ('gw', 'l1', 'random_filter', 'hydra', 'hydra_kd')
  ]
  assert all(other[:2] == made[0][:2] for other in made)


def test_pruned_filters_may_be_taken_away_before_fine_tuning():
  how = {'method': 'l1', 'teacher': 'none'}
  masked, shrunk = recipe(**how), recipe(**how, shrink=True)
  assert kinds(masked)[2:4] == ['Prune', 'Train']
  assert kinds(shrunk)[2:5] == ['Prune', 'Shrink', 'Train']
  assert shrunk[:3] == masked[:3]
  inner = recipe(**how, groups='inner')
  assert (masked[2].groups, inner[2].groups) == ('coupled', 'inner')
  assert label(**how, shrink=True) == 'L1 filter, shrunk'
  assert label(**how, groups='inner') == 'L1 filter, inside blocks'
  rounded = recipe(**how, shrink=True, quantize='int8')
  assert kinds(rounded)[2:6] == ['Prune', 'Shrink', 'Train', 'Quantize']
  tuned = {**how, 'quantize': 'int8', 'quantize_epochs': 1.0}
  assert label(**tuned) == 'L1 filter + int8, fine-tuned'
  with pytest.raises(ValueError, match='they need quantize=int8'):
    recipe(**{**tuned, 'quantize': ''})
  with pytest.raises(ValueError, match=r"l1, random_filter prune, not 'gw'"):
    recipe(method='gw', shrink=True)
  with pytest.raises(ValueError, match=r"l1, random_filter prune, not 'hydra'"):
    recipe(method='hydra', groups='inner')
  with pytest.raises(ValueError, match=r"no groups 'outer'.*coupled, inner"):
    recipe(method='l1', groups='outer')


def test_recalibration_is_measured_apart_from_fine_tuning():
  how = {'method': 'l1', 'teacher': 'none', 'augment': 'augmix'}
  plain, made = recipe(**how), recipe(**how, recalibrate=20)
  added = ['RecalibrateBN', 'Evaluate']
  assert kinds(made)[2:6] == ['Prune', *added, 'Train']
  assert (*made[:3], *made[5:]) == plain
  assert (made[3].steps, made[3].batch_size) == (20, plain[1].batch_size)
  assert made[4].method == 'AugMix + L1 filter, recalibrated'
  assert made[4].network != made[-2].network
  with pytest.raises(ValueError, match=r'just pruned by gw.*hydra'):
    recipe(method='hydra', recalibrate=20)


def test_a_network_can_be_its_own_teacher():
  own = recipe(
    method='hydra_kd', augment='augmix', teacher='augmix', teacher_width=0.5
  )
  assert kinds(own)[:4] == ['Init', 'Train', 'Save', 'InitScores']
  other = recipe(method='hydra_kd', augment='augmix', teacher='none')
  assert kinds(other)[:8] == [
    *('Init', 'Train', 'Save', 'Init', 'Train', 'Save', 'Restore'),
    'InitScores',
  ]
  assert other[6] == phases.Restore('dense')


def test_masks_may_see_other_images_than_weights():
  made = recipe(method='hydra', augment='augmix', mask_augment='none')
  masks, weights = made[3], made[5]
  assert masks.trainable == train.SCORES
  assert 'jsd' not in masks.terms
  assert 'jsd' in weights.terms


def test_deepaugment_shows_one_view_and_amda_three_with_jsd():
  made = recipe(method='train', augment='deepaugment')[1]
  assert made.augment.deepaugment == Noise2Net()
  assert made.augment.augmix is None
  assert 'jsd' not in made.terms
  made = recipe(method='train', augment='amda')[1]
  assert made.augment.deepaugment == Noise2Net()
  assert made.augment.augmix == AugMix(severity=3)
  assert 'jsd' in made.terms


def test_autoaugment_and_cutmix_show_one_view_and_have_a_family_each():
  made = recipe(augment='autoaugment')[1]
  assert made.augment == Views(
    padding=4, flip=True, autoaugment=AutoAugment('cifar10')
  )
  assert set(made.terms) == {'ce'}
  made = recipe(method='kd', augment='cutmix', teacher='autoaugment')
  assert made[1].augment.autoaugment == AutoAugment('cifar10')
  assert made[4].augment.cutmix == CutMix(prob=0.5)
  assert {n: w.weight for n, w in made[4].terms.items()} == {
    'ce': 0.5,
    'kd': 0.5,
  }
  made = s0.ImageNet(augment='autoaugment').recipe()[1]
  assert made.augment == Views(autoaugment=AutoAugment('imagenet'))
  made = s0.ImageNet(augment='cutmix').recipe()[1]
  assert made.augment == Views(cutmix=CutMix(prob=1.0))


def test_gaussian_noise_is_one_view_of_its_own_but_no_teacher_of_s0s():
  made = recipe(augment='gaussian')[1]
  assert made.augment == Views(padding=4, flip=True, gaussian=GaussianNoise())
  assert set(made.terms) == {'ce'}
  assert label(method='train', augment='gaussian') == 'Gaussian noise'
  net = s0.Network('ResNet-8', 'resnet8', 10)
  figures = s0.views([net], net, augment='augmix')
  told = {c.fields.get('teacher') for view in figures for c in view.cells}
  assert 'gaussian' not in told
  assert 'cutmix' in told


def test_augmentations_that_cannot_be_say_so_before_anything_is_trained():
  with pytest.raises(ValueError, match=r"policy 'svhn'; there are cifar10"):
    recipe(augment='autoaugment', autoaugment_policy='svhn')
  with pytest.raises(ValueError, match=r'prob .* got 0'):
    recipe(augment='cutmix', cutmix_prob=0.0)
  with pytest.raises(ValueError, match='CRD tells images apart'):
    recipe(method='crd', augment='cutmix')


@pytest.mark.parametrize('augment', ['deepaugment', 'amda'])
def test_deepaugment_from_files_takes_the_place_of_noise2net(augment):
  how = {'data': 'folder', 'deepaugment_root': 'deep'}
  made = recipe(method='kd', augment=augment, teacher='augmix', **how)
  teacher, student = made[1], made[4]
  assert (teacher.variants, student.variants) == (False, True)
  assert student.augment.deepaugment is None
  assert (student.augment.augmix is None) == (augment == 'deepaugment')
  assert ('jsd' in student.terms) == (augment == 'amda')
  with pytest.raises(ValueError, match=r"folder, imagenet, .*not 'cifar10'"):
    recipe(augment=augment, data='cifar10', deepaugment_root='deep')


def test_labels_tell_what_differs():
  assert label(method='train') == 'standard'
  assert label(method='kd', augment='augmix') == 'AugMix + KD'
  assert label(method='kd', teacher='none') == 'KD'
  assert label(method='at', teacher='augmix') == 'AT, AugMix teacher'
  assert label(method='at', augment='cutmix', teacher='autoaugment') == (
    'CutMix + AT, AutoAugment teacher'
  )
  assert label(method='lw') == 'layer weight'
  assert (
    label(method='hydra', augment='augmix', mask_augment='none')
    == 'AugMix + Hydra, standard masks'
  )


STUDENTS = (
  s0.Network('small', 'resnet8', 10, width=0.5),
  s0.Network('smaller', 'resnet8', 10, width=0.25, prune='lw'),
)
LARGE = s0.Network('large', 'resnet8', 10)


def test_there_is_a_view_of_every_table_and_figure():
  names = [v.name for v in s0.views(STUDENTS, LARGE, augment='amda')]
  assert sorted(names) == [
    *(f'figure{i}' for i in range(1, 7)),
    *(f'table{i}' for i in range(1, 5)),
  ]
  alone = s0.views(STUDENTS[:1], LARGE, augment='augmix')
  doubled = {'figure3', 'figure5', 'table3'}
  assert doubled.isdisjoint(v.name for v in alone)


def test_ratios_out_of_reach_are_left_out():
  option_a = s0.Network('ResNet-20', 'resnet20', 10)
  reached = {
    method: {
      cell.fields['ratio']
      for view in s0.views([option_a], LARGE, augment='augmix')
      if view.name in ('figure2', 'figure4')
      for cell in view.cells
      if cell.fields['method'] == method and 'ratio' in cell.fields
    }
    for method in ('gw', 'l1', 'hydra')
  }
  # Only the inner channels of its blocks can go as filters.
  assert reached == {
    'gw': {5, 10, 20, 40},
    'l1': {5, 10, 20},
    'hydra': {5, 10, 20, 40},
  }


def why_not(config):
  """'' if the experiment can run, else what it lacks."""
  try:
    check(config.recipe())
  except ValueError as e:
    return str(e)
  return ''


@pytest.mark.parametrize('augment', ['augmix', 'amda'])
def test_every_cell_is_a_recipe(augment):
  for view in s0.views(STUDENTS, LARGE, augment=augment):
    places = [(c.panel, c.series, c.x) for c in view.cells]
    if view.kind != 'lines':
      assert len(set(places)) == len(places), view.name
    for cell in view.cells:
      lacks = why_not(dataclasses.replace(Family(), **cell.fields))
      swsl = 'swsl' in cell.fields.values()
      assert bool(lacks) == swsl, (cell, lacks)


def test_table_2_prunes_to_the_size_of_the_small_network():
  (view,) = (
    v for v in s0.views(STUDENTS, LARGE, augment='augmix') if v.name == 'table2'
  )
  small = STUDENTS[0].parameters()
  pruned = [c for c in view.cells if c.panel == 'large, pruned']
  assert {c.fields['nonzero'] for c in pruned} == {small}
  assert small < LARGE.parameters()


def test_the_widened_network_is_pruned_to_the_counts_of_the_plain_one():
  (view,) = (
    v
    for v in s0.views(STUDENTS, LARGE, augment='augmix')
    if v.name == 'figure4'
  )
  wide = [c for c in view.cells if 'twice' in c.series]
  assert {c.fields['width'] for c in wide} == {0.705}
  left = {c.fields['nonzero'] for c in wide}
  total = STUDENTS[0].parameters()
  assert left == {round(total / r) for r in (1, 5, 10, 20, 40)}
