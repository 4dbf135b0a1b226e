"""Recipes and views of paper S2."""

import dataclasses
import json

import jax
import numpy as np
import pytest
import short_runs
from short_runs import equal

from rcj import masks, phases, recipe, s0, s2, sweep, tree
from rcj.s2.recipes import label, levels
from rcj.types import Preprocessing

digits = short_runs.digits
env = short_runs.env


@dataclasses.dataclass
class Family(s2.CARDs):
  """A few steps on digits."""

  model: str = 'resnet8'
  width: float = 0.25
  stem: str = ''
  batch_size: int = 16
  epochs: float = 0.8
  mask_epochs: float = 0.8
  finetune_epochs: float = 0.8
  density: float = 0.1
  rate: float = 0.7
  rewind: float = 0.25
  flip: bool = False
  crop: int = 0

  def preprocessing(self):
    return Preprocessing((0.5,) * 3, (0.5,) * 3, size=32)


def made(method, **fields):
  config = dataclasses.replace(s0.begun(Family, method, s2.VARIANTS), **fields)
  phases_of = config.recipe()
  recipe.check(phases_of)
  return phases_of


def kinds(steps):
  return [type(phase).__name__ for phase in steps]


def trained(steps):
  """The phases up to the results, which these tests do without."""
  return steps[: kinds(steps).index('Evaluate')]


def network(steps, env):
  return recipe.run(trained(steps), env).state


def alive(state):
  return sum(int(m.sum()) for m in jax.tree.leaves(state.masks))


@pytest.mark.parametrize(
  ('method', 'expected'),
  [
    ('dense', ['Init', 'Train']),
    ('ft', ['Init', 'Train', 'Prune', 'Train']),
    ('gmp', ['Init', 'Train']),
    ('lrr', ['Init', 'Train', *2 * ['Prune', 'Train']]),
    ('lth', ['Init', 'Train', *2 * ['Prune', 'Rewind', 'Train']]),
    ('ep', ['Init', 'RandomWeights', 'InitScores', 'Train', 'FreezeMask']),
    ('bp', ['Init', 'RandomWeights', 'InitScores', 'Train', 'FreezeMask']),
  ],
)
def test_every_method_is_a_tuple_of_phases(method, expected):
  assert kinds(made(method)) == [*expected, 'Evaluate', 'Export', 'ModelInfo']


@pytest.mark.parametrize('method', ['ft', 'gmp', 'lrr', 'lth', 'ep', 'bp'])
def test_every_method_ends_at_its_density(env, method):
  state = network(made(method), env)
  n = sum(m.size for m in jax.tree.leaves(state.masks))
  sizes = [m.size for m in jax.tree.leaves(state.masks)]
  want = masks.kept(n, density=0.1)
  if method in ('ep', 'bp'):
    want = sum(
      max(1, masks.kept(x, density=0.1, count='truncate')) for x in sizes
    )
  assert alive(state) == want


def test_lottery_tickets_differ_from_rewinding_by_their_weights_alone(env):
  """Masks of the first level are the same; what is trained then is not."""
  lth, lrr = (trained(made(m, density=0.3))[:-1] for m in ('lth', 'lrr'))
  assert kinds(lth) == [*kinds(lrr), 'Rewind']
  rewound, kept = recipe.run(lth, env), recipe.run(lrr, env)
  equal(rewound.state.masks, kept.state.masks)
  equal(rewound.state.params, rewound.saved['early'].network.params)
  # A quarter of its four steps was taken when the network was saved.
  assert int(rewound.state.step) == 1
  assert int(kept.state.step) == 0
  changed = [
    bool(np.any(a != b))
    for a, b in zip(
      jax.tree.leaves(rewound.state.params),
      jax.tree.leaves(kept.state.params),
      strict=True,
    )
  ]
  assert any(changed)


def test_learned_masks_leave_the_random_weights_as_they_are(env):
  steps = made('ep')
  before = recipe.run(steps[:2], env).state
  after = network(steps, env)
  equal(before.params, after.params)
  binary = network(made('bp'), env)
  for name, mask in tree.leaves(binary.masks).items():
    w = np.abs(tree.leaves(binary.params)[name])[np.asarray(mask)]
    assert len(np.unique(w)) == 1


@pytest.mark.parametrize(
  ('density', 'rate', 'expected'),
  [
    (0.8, 0.2, (0.8,)),
    (0.64, 0.2, (0.8, 0.64)),
    (0.2, 0.5, (0.5, 0.2)),
    (0.05, 0.5, (0.5, 0.25, 0.125, 0.05)),
    (0.9, 0.5, (0.9,)),
  ],
)
def test_levels_reach_the_density(density, rate, expected):
  np.testing.assert_allclose(levels(density, rate), expected)


def test_networks_of_other_densities_share_their_first_levels():
  assert levels(0.05, 0.2)[:6] == levels(0.2, 0.2)[:6]
  assert len(levels(0.05, 0.2)) == 13


def test_runs_share_their_dense_beginning():
  """FT, LTH and LRR take up the network that the dense run trained."""
  begin = {repr(made(m)[:2]) for m in ('dense', 'ft', 'lth', 'lrr')}
  assert len(begin) == 1
  assert made('lrr', density=0.09)[:4] == made('lrr', density=0.1)[:4]


def test_the_progressive_schedule_is_of_masks_below_one_half():
  train = made('bp', progressive=0.1, mask_scope='global')[3]
  assert train.gradual == phases.Gradual(0.1, initial=0.5, end=0.1, updates=10)
  assert made('bp', progressive=0.1, density=0.6)[3].gradual is None


def test_random_weights_may_be_scaled_by_the_density():
  assert made('ep')[1].density == 1
  assert made('ep', mask_scaled=True)[1].density == 0.1


def test_attacks_begin_from_the_dense_network_too():
  steps = made('lrr', attack_images=20)
  (attack,) = [p for p in steps if isinstance(p, phases.Attack)]
  assert steps[2] == phases.Save(attack.parent)
  (attack,) = [
    p for p in made('ep', attack_images=20) if isinstance(p, phases.Attack)
  ]
  assert attack.parent is None


def test_labels_name_augmentation_and_method():
  config = s0.begun(Family, 'lrr', s2.VARIANTS)
  assert label(config) == 'LRR'
  config.augment = 'gaussian'
  assert label(config) == 'Gaussian noise + LRR'
  config.quantize = 'int8'
  assert label(config) == 'Gaussian noise + LRR + int8'


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    ({'method': 'omp'}, "'omp'.*dense, ft, gmp"),
    ({'density': 1.0}, 'density is a fraction'),
    ({'rewind': 0.0}, 'rewind is a fraction'),
    ({'augment': 'mixup'}, "'mixup'"),
    ({'mask_norm': 'group'}, "'group'"),
    ({'mask_scope': 'blob', 'method': 'ep'}, "'layer' or 'global', not 'blob'"),
    ({'ratio': 7.0, 'shrink': True}, 'ratio, shrink are fields of S0'),
    ({'quantize': 'int4'}, "no quantize 'int4'"),
    ({'method': 'bp', 'pretrained_root': 'nets'}, 'on random weights'),
  ],
)
def test_what_cannot_be_run_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    dataclasses.replace(Family(), **fields).recipe()


def test_views_name_runs_that_exist():
  views = s2.views(densities=(0.2, 0.05), augments=('none', 'augmix'))
  filled, runs = sweep.plan(views, Family(), [0], label='')
  # Two augmentations of one dense and six pruned networks at two densities.
  assert len(runs) == 2 * (1 + 6 * 2)
  assert not [run for run in runs if run.problem]
  assert all(cell.runs for view in filled for cell in view.cells)
  assert {v.name for v in views} >= {'sparsity', 'methods', 'card_lrr'}


def test_model_info_is_what_robustbench_wants(tmp_path):
  from rcj import results
  from rcj.phases.model_info import write

  shared = dict.fromkeys(results.COLUMNS, '') | {
    'network': 'network', 'method': 'AugMix + LRR', 'n': 500,
    'parameters': 1000, 'nonzero': 50,
  }  # fmt: skip
  cells = [
    ('clean', '', '', 0.1, 'test'),
    ('corrupted', 'fog', 3, 0.2, 'generated'),
    ('corrupted', 'snow', 3, 0.4, 'generated'),
    ('corrupted', 'mean', '', 0.3, 'generated'),
  ]
  names = ('suite', 'corruption', 'severity', 'error', 'protocol')
  results.add_rows(
    tmp_path,
    [{**shared, **dict(zip(names, cell, strict=True))} for cell in cells],
  )
  (tmp_path / 'config.json').write_text('{"model": "resnet8", "width": 0.5}')
  write(tmp_path, 'network', 'cifar10')
  told = json.loads((tmp_path / 'model_info.json').read_text())
  assert (told['clean_acc'], told['corruptions_acc']) == ('90.00', '70.00')
  assert told['dataset'] == 'cifar10'
  assert '50 of 1,000 parameters' in told['footnote']
  assert '2 corruptions at severities 3 of 500 images' in told['footnote']


def test_a_deck_waits_for_its_own_seeds():
  """A later seed does not stand in for one that is missing."""
  (deck,) = [
    d
    for d in s2.decks(density=0.05, augments=('none', 'augmix'))
    if d.name == 'lrr-1'
  ]
  runs = {frozenset(c.fields.items()): ('a', 'b') for c in deck.cells}
  assert s2.dealt(deck, runs) == ('a', 'a')
  runs[frozenset(deck.cells[1].fields.items())] = (None, 'b')
  assert s2.dealt(deck, runs) is None
  assert s2.dealt(deck, {}) is None


def test_views_of_decks_name_a_network_of_each_run():
  deck = s2.Dealt(
    'LRR deck of 2', 'decks/lrr', {'a': 'x', 'b': 'y'}, gated=True
  )
  alone = s2.Dealt('plain', 'decks/p', {'a': 'x'}, gated=False)
  views = {v.name: v for v in s2.deck_views([deck, alone])}
  assert set(views) == {'decks', 'deck_memory', 'claim5', 'claim6'}
  assert [c.network for c in views['claim5'].cells] == [
    'adaptive (batch)',
    'agnostic',
  ]
  assert [c.runs for c in views['claim6'].cells[:2]] == [
    ('decks/lrr',),
    ('x',),
  ]
  assert {v.name for v in s2.deck_views([alone])} == {*views} - {'claim5'}
  assert s2.deck_views([]) == ()
