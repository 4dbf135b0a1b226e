"""Decks of finished runs: rows, predictions and the file; launch/deck.py."""

import dataclasses
import json

import exports
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_launch_run import launch

from rcj import (
  data,
  deck,
  evaluate,
  experiment,
  export,
  models,
  report,
  results,
)
from rcj.augment import GaussianNoise, Views
from rcj.phases import deck_rows

VIEWS = {'none': Views(flip=True), 'gaussian': Views(gaussian=GaussianNoise())}
LABELS = {'variant': 'lrr', 'seed': 3}
COSTS = {
  **{'parameters': '1000', 'nonzero': '100', 'macs': '70', 'bytes': '4000'},
  **{'method': 'LRR', 'dtype': 'float32'},
}


def artifact(folder, family, augment):
  """The file of a run that was trained so."""
  path = folder / f'{family}_{augment}.rcj'
  origin = {'run': path.stem, 'labels': LABELS, 'config': {'augment': augment}}
  network = exports.network(family, 'dense')
  export.save(network, path, provenance={**origin, 'results': [COSTS]})
  return path


@pytest.fixture(scope='module')
def cards(tmp_path_factory):
  folder = tmp_path_factory.mktemp('cards')
  made = [('resnet20', 'none'), ('resnet20', 'gaussian'), ('wide', 'none')]
  return [deck_rows.read(artifact(folder, *each)) for each in made]


@pytest.fixture(scope='module')
def images():
  x = np.asarray(exports.images(20) * 255).astype(np.uint8)
  labels = np.arange(20, dtype=np.int32) % 5
  return data.ArraySource(x, labels, tuple('abcde'))


def suite(images):
  dark = lambda x, index: x // 2  # noqa: E731
  cells = (evaluate.Cell('', 0), evaluate.Cell('dark', 1, dark))
  part = evaluate.Part(images, cells)
  return evaluate.Suite('corrupted', images.labels, lambda: [part], 'by hand')


def measured(cards, images, workdir, made=None):
  workdir.mkdir(exist_ok=True)
  config = {'variant': 'lrr', 'data_root': '/somewhere', 'seed': 3}
  (workdir / 'config.json').write_text(json.dumps(config))
  made = made or deck_rows.assembled(
    jax.random.key(0), cards, train=images, views=VIEWS.__getitem__
  )
  lines = []
  deck_rows.measure(
    *(made, cards, [suite(images)]),
    method='CARD-Deck of 3',
    workdir=workdir,
    mesh=experiment.data_mesh(),
    labels=LABELS,
    say=lines.append,
  )
  return made, results.read_rows(workdir / 'results.csv'), lines


@pytest.fixture(scope='module')
def run(cards, images, tmp_path_factory):
  workdir = tmp_path_factory.mktemp('deck') / 'three'
  return workdir, *measured(cards, images, workdir)


def test_a_card_is_what_its_artifact_says(cards):
  assert [card.scheme for card in cards] == ['none', 'gaussian', 'none']
  assert cards[0].costs == COSTS
  assert cards[2].origin['run'] == 'wide_none'
  assert 'results' not in cards[0].origin


def test_rows_of_all_votes(run, images):
  workdir, made, rows, lines = run
  assert {(row['network'], row['method']) for row in rows} == {
    ('agnostic', 'CARD-Deck of 3, agnostic'),
    ('adaptive (batch)', 'CARD-Deck of 3, adaptive per batch'),
    ('adaptive (sample)', 'CARD-Deck of 3, adaptive per sample'),
  }
  assert len(rows) == 9  # of two cells and their mean
  with np.load(workdir / 'predictions.npz') as z:
    predictions = dict(z)
  x = jnp.asarray(images.images / 255, jnp.float32)
  for vote, network in deck_rows.NETWORKS.items():
    own = dataclasses.replace(made, vote=vote)
    expected = np.argmax(deck.predict(own, x), -1)
    np.testing.assert_array_equal(
      predictions[f'{network}|corrupted||'], expected
    )
  assert len(lines) == 3


def test_costs_are_those_of_all_members(run, cards):
  _, made, rows, _ = run
  stored = export.deck_sizes(made)
  for row in rows:
    assert (row['run'], row['variant'], row['seed']) == ('three', 'lrr', '3')
    assert (row['parameters'], row['nonzero']) == ('3000', '300')
    assert (row['ratio'], row['macs'], row['dense_macs']) == ('10.0', '210', '')
    assert row['packed_bytes'] == str(stored.packed)
    assert row['weight_bits'] == str(stored.weight_bits)
    assert row['dtype'] == 'float32'


def test_the_file_is_the_deck_and_tells_of_its_members(run, cards):
  workdir, made, rows, _ = run
  path = workdir / 'artifact' / 'deck.rcj'
  found = export.load_deck(path)
  assert (found.vote, found.schemes) == ('batch', made.schemes)
  np.testing.assert_array_equal(found.gate.features, made.gate.features)
  told = export.describe(path)['provenance']
  assert told['members'] == [dict(card.origin) for card in cards]
  assert told['config'] == {'variant': 'lrr', 'seed': 3}
  own = [row for row in rows if row['network'] == 'adaptive (batch)']
  assert told['results'] == own


def test_members_of_one_scheme_have_no_gate(cards, images, tmp_path):
  made, rows, _ = measured([cards[0], cards[2]], images, tmp_path / 'two')
  assert (made.gate, made.vote) == (None, 'all')
  assert {row['network'] for row in rows} == {'agnostic'}


def test_another_deck_is_not_overwritten(run, cards, images):
  workdir, *_ = run
  before = (workdir / 'results.csv').read_bytes()
  with pytest.raises(ValueError, match=r"deck of .*'wide_none'\], not of"):
    measured([cards[0], cards[2]], images, workdir)
  assert (workdir / 'results.csv').read_bytes() == before


def test_artifacts_that_do_not_say_enough(tmp_path):
  path = tmp_path / 'network.rcj'
  export.save(exports.network('resnet20', 'dense'), path)
  with pytest.raises(ValueError, match='does not say how its network was tra'):
    deck_rows.read(path)


@pytest.fixture(scope='module')
def digits(tmp_path_factory):
  """Run directories of two little networks of digits."""
  folders = []
  for augment in ('none', 'gaussian'):
    module = models.create('resnet8', num_classes=10, width=0.25)
    network = dataclasses.replace(
      exports.networks.frozen_of(module, seed=len(folders)),
      classes=tuple('0123456789'),
    )
    folder = tmp_path_factory.mktemp('runs') / augment
    (folder / 'artifact').mkdir(parents=True)
    origin = {'run': augment, 'config': {'augment': augment}}
    export.save(
      network,
      folder / 'artifact' / 'network.rcj',
      provenance={**origin, 'results': [COSTS]},
    )
    folders.append(str(folder))
  return folders


def test_the_launcher_leaves_a_run_directory(digits, tmp_path):
  config = '--config=tests/deck_config.py'
  workdir = tmp_path / 'deck'
  done = launch('deck', *digits, config, f'--workdir={workdir}')
  assert done.returncode == 0, done.stderr
  assert 'CARD-Deck of 2, adaptive per batch, clean: error' in done.stdout
  assert export.load_deck(export.found(workdir)).schemes == (
    'none',
    'gaussian',
  )
  methods = {row.method for row in report.read([workdir])}
  assert 'CARD-Deck of 2, agnostic' in methods
