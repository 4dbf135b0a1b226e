"""Decks as files: what was saved comes back, anything else is an error."""

import dataclasses

import exports
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import deck, export, native, tree
from rcj.export import artifact, container, decks, runtime
from rcj.export.errors import ArtifactError, MalformedError

SCHEMES = ('augmix', 'none', 'augmix')


def features():
  """Random ones of two schemes for images of 32 px."""
  rs = np.random.RandomState(0)
  return rs.uniform(0, 4, (2, 12, 3 * 17)).astype(np.float16)


@pytest.fixture(scope='module')
def cards():
  """A sparse, a dense and an integer member, and a gate."""
  members = [
    exports.network('mobile', 'masked'),
    exports.network('resnet20', 'dense'),
    exports.network('resnet20', 'int8'),
  ]
  gate = deck.Gate(jnp.asarray(features()), ('none', 'augmix'))
  return deck.assembled(members, SCHEMES, gate=gate, vote='sample')


@pytest.fixture(scope='module')
def data(cards):
  return decks.encode(cards, provenance={'run': 'a'})


@pytest.fixture(scope='module')
def path(data, tmp_path_factory):
  found = tmp_path_factory.mktemp('deck') / 'deck.rcj'
  found.write_bytes(data)
  return found


def arrays(network):
  variables = {'params': network.params, 'batch_stats': network.batch_stats}
  return {n: np.asarray(x) for n, x in tree.leaves(variables).items()}


def test_the_deck_comes_back(cards, path):
  found = export.load_deck(path)
  assert (found.schemes, found.vote) == (SCHEMES, 'sample')
  assert found.gate.schemes == ('none', 'augmix')
  np.testing.assert_array_equal(found.gate.features, features())
  for own, member in zip(found.members, cards.members, strict=True):
    alone = artifact.decode(artifact.encode(member))
    assert (own.model, own.preprocessing) == (alone.model, alone.preprocessing)
    expected = arrays(alone)
    assert arrays(own).keys() == expected.keys()
    for name, x in arrays(own).items():
      assert x.tobytes() == expected[name].tobytes()


def test_equal_decks_make_equal_bytes(cards, data, path, tmp_path):
  assert decks.encode(cards, provenance={'run': 'a'}) == data
  again = tmp_path / 'again.rcj'
  export.save_deck(export.load_deck(path), again, provenance={'run': 'a'})
  assert again.read_bytes() == data


def test_an_open_file_votes_as_the_deck(path):
  network = runtime.opened('jax', path)
  assert network.classes == tuple('abcde')
  assert network.metadata.preprocessing.size == 32
  assert network.metadata.provenance == {'run': 'a'}
  images = exports.images(3)
  expected = deck.predict(export.load_deck(path), images)
  np.testing.assert_allclose(network(np.asarray(images)), expected, atol=1e-5)


@pytest.mark.skipif(not native.available(), reason='no native kernels here')
@pytest.mark.parametrize('vote', deck.VOTES)
def test_native_members_vote_as_the_deck(vote, cards, tmp_path):
  path = tmp_path / 'deck.rcj'
  export.save_deck(dataclasses.replace(cards, vote=vote), path)
  images = np.asarray(exports.images(6, seed=3))
  expected = runtime.opened('jax', path)(images)
  found = runtime.opened('native', path, threads=2)(images)
  # The member of integers may have a tie that is rounded to the other side.
  np.testing.assert_allclose(found, expected, atol=5e-3 * np.ptp(expected))


def test_sizes_are_sums_but_those_of_the_file(cards):
  alone = [export.sizes(member) for member in cards.members]
  found = export.deck_sizes(cards)
  assert found.packed == len(decks.encode(cards))
  assert found.dense == sum(s.dense for s in alone)
  assert found.weight_bits == sum(s.weight_bits for s in alone)
  ungated = dataclasses.replace(cards, gate=None, vote='all')
  stored = features().nbytes
  gate = found.packed - export.deck_sizes(ungated).packed
  assert stored < gate < stored + 200
  assert found.gzip < found.packed


def test_files_of_one_network_and_of_decks_are_told_apart(path, tmp_path):
  with pytest.raises(MalformedError, match=r'deck of 3 networks.*load_deck'):
    export.load(path)
  alone = tmp_path / 'network.rcj'
  export.save(exports.network('resnet20', 'dense'), alone)
  with pytest.raises(MalformedError, match=r'one network.*export\.load'):
    export.load_deck(alone)
  assert len(export.describe(path)['members']) == 3


def forged(data, change):
  record, tensors = container.read(data)
  tensors = dict(tensors)
  change(record, tensors)
  return container.write(record, tensors)


def record(**fields):
  return lambda record, tensors: record.update(fields)


def member(i, **fields):
  return lambda record, tensors: record['members'][i].update(fields)


def gate(function):
  def change(record, tensors):
    made = function(tensors['gate:features'].copy())
    tensors['gate:features'] = np.ascontiguousarray(made)

  return change


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (record(members=[]), '1 to 64 members, not 0'),
    (record(members=[{}] * 65), '1 to 64 members, not 65'),
    (record(members=[1, 2, 3]), 'no member of a deck: 1'),
    (record(members=[{}]), 'a graph of operations'),
    (lambda r, t: r['members'].pop(), 'no part of any of its members'),
    (lambda r, t: r['members'].append(r['members'][0]), 'expected parts'),
    (member(1, classes=list('abcdf')), 'share classes'),
    (member(1, packing={}), 'not those of its graph'),
    (member(2, model=None), 'a graph of operations'),
    (record(schemes=['none']), "3 networks and the schemes \\['none'\\]"),
    (record(schemes=None), 'schemes must be a list'),
    (record(schemes=[1, 2, 3]), 'schemes must be a list'),
    (record(schemes=['none'] * 3), 'each scheme must have members'),
    (record(vote='most'), "got 'most'"),
    (record(vote=['all']), "got \\['all'\\]"),
    (record(vote=None), 'got None'),
    (record(gate=None), 'a list of schemes and their features'),
    (record(gate=[['none'], 'augmix']), 'a list of schemes and their'),
    (record(gate=['none', 'none', 'augmix']), 'each scheme must have members'),
    (record(gate=['none', 'gaussian']), 'each scheme must have members'),
    (lambda r, t: t.pop('gate:features'), 'a list of schemes and their feat'),
    (gate(lambda x: x[:, :9]), 'stores \\[2, 10 or more, 51\\]'),
    (gate(lambda x: x[..., :50]), 'stores \\[2, 10 or more, 51\\]'),
    (gate(lambda x: x[0]), 'stores \\[2, 10 or more, 51\\]'),
    (gate(lambda x: x.astype(np.float32)), 'must be finite .* float16'),
    (gate(lambda x: x * np.float16(np.nan)), 'must be finite'),
    (lambda r, t: t.update(more=np.zeros(3, np.uint8)), 'is no part'),
    (lambda r, t: t.update({'7/x:y': np.zeros(3, np.uint8)}), 'is no part'),
    (lambda r, t: t.update({'0/x:y': np.zeros(3, np.uint8)}), 'is no part'),
  ],
)
def test_files_that_were_made_to_hurt(data, change, message):
  with pytest.raises(MalformedError, match=message):
    decks.decode(forged(data, change))


def test_members_share_the_limit_of_one_network(data, monkeypatch):
  each = [
    sum(x.size for x in jax.tree.leaves(m.params))
    for m in decks.decode(data).members
  ]
  monkeypatch.setattr(decks.description, 'MAX_PARAMETERS', max(each) + 10**4)
  with pytest.raises(MalformedError, match='parameters and more of all memb'):
    decks.decode(data)


def test_flipped_bits_and_truncation(data):
  rs = np.random.RandomState(0)
  for place in [*range(16), *rs.randint(16, len(data), 60)]:
    changed = bytearray(data)
    changed[place] ^= 1 << rs.randint(8)
    try:
      decks.decode(bytes(changed))
    except ArtifactError:
      continue
    assert container.read(bytes(changed))[0] == container.read(data)[0], place
  for end in range(0, len(data), len(data) // 20):
    with pytest.raises(ArtifactError):
      decks.decode(data[:end])


WEIRD = (None, True, 0, -1, 2**40, 0.5, '', 'none', [], [[]], ['none'], {})


def test_any_part_of_the_record_may_be_anything(data):
  rs = np.random.RandomState(1)
  told, _ = container.read(data)
  places = [('members',), ('schemes',), ('vote',), ('gate',)]
  places += [('members', i) for i in range(3)]
  places += [
    ('members', i, key) for i in range(3) for key in told['members'][i]
  ]
  places += [(key, i) for key in ('schemes', 'gate') for i in range(2)]
  for _ in range(40):
    *parents, last = places[rs.randint(len(places))]

    def change(record, tensors, parents=parents, last=last):
      for key in parents:
        record = record[key]
      record[last] = WEIRD[rs.randint(len(WEIRD))]

    try:
      decks.decode(forged(data, change))
    except ArtifactError:
      continue


def test_decks_too_large_for_a_file(cards):
  many = dataclasses.replace(
    cards, members=cards.members[:1] * 65, schemes=('none',) * 65
  )
  with pytest.raises(ValueError, match='up to 64 members, not 65'):
    decks.encode(many)
