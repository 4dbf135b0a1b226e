"""Artifacts: the network of a file is the one that was saved."""

import dataclasses
import json

import exports
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from safetensors import safe_open

from rcj import carry as carry_lib
from rcj import experiment, export, files, models, phases, recipe, results, tree
from rcj.export import artifact
from rcj.export.deployable import deployable
from rcj.journal import Journal
from rcj.weights import Biprop


def arrays(frozen):
  variables = {'params': frozen.params, 'batch_stats': frozen.batch_stats}
  return {n: np.asarray(x) for n, x in tree.leaves(variables).items()}


@pytest.mark.parametrize(('family', 'method'), exports.cases('artifact'))
def test_the_network_comes_back(family, method, tmp_path):
  frozen = exports.network(family, method)
  path = tmp_path / 'network.rcj'
  export.save(frozen, path)
  found, expected = export.load(path), deployable(frozen)
  assert found.model == expected.model
  assert found.preprocessing == expected.preprocessing
  assert found.classes == expected.classes
  assert not tree.leaves((found.masks, found.scores))
  have, want = arrays(found), arrays(expected)
  assert have.keys() == want.keys()
  for name, x in want.items():
    assert have[name].dtype == x.dtype
    np.testing.assert_array_equal(have[name], x)
    assert not np.signbit(have[name][have[name] == 0]).any()
  shown = exports.images()
  # The same weights, but two programs: one of them multiplies by the masks.
  np.testing.assert_allclose(
    *(models.predict(found, shown), models.predict(expected, shown)),
    rtol=0,
    atol=1e-6,
  )
  again = tmp_path / 'again.rcj'
  export.save(found, again)
  assert again.read_bytes() == path.read_bytes()


def test_it_answers_as_the_network_that_was_trained(tmp_path):
  for method in ('dense', 'masked', 'hydra'):
    frozen = exports.network('wide', method)
    export.save(frozen, tmp_path / method)
    expected = models.predict(frozen, exports.images())
    found = models.predict(export.load(tmp_path / method), exports.images())
    np.testing.assert_allclose(
      *(found, expected), atol=1e-5 * np.ptp(expected), rtol=0
    )


def test_a_file_tells_where_it_comes_from(tmp_path):
  path = tmp_path / 'network.rcj'
  known = {'config': {'seed': 3, 'ratio': 4.5}, 'results': [{'error': '0.1'}]}
  export.save(exports.network('resnet20', 'masked'), path, provenance=known)
  told = export.describe(path)
  assert told['provenance'] == known
  assert (told['format'], told['version']) == ('rcj artifact', 1)
  assert told['classes'] == list('abcde')
  with safe_open(path, 'np') as file:  # any reader of safetensors sees it
    seen = json.loads(file.metadata()['rcj'])
    stem = file.get_tensor('params/conv_stem/kernel:values')
  assert len(seen.pop('sha256')) == 64
  assert seen == told
  assert 0 < stem.size < 3 * 3 * 3 * 4


def test_sizes(tmp_path):
  dense = exports.network('resnet20', 'dense')
  masked = exports.network('resnet20', 'masked')
  integers = exports.network('resnet20', 'int8')
  of = {
    'dense': export.sizes(dense),
    'masked': export.sizes(masked),
    'int8': export.sizes(integers),
  }
  folded = models.folded(dense)
  numbers = sum(x.size for x in jax.tree.leaves(folded.params))
  assert {s.dense for s in of.values()} == {4 * numbers}
  export.save(masked, tmp_path / 'masked')
  assert of['masked'].packed == (tmp_path / 'masked').stat().st_size
  assert of['masked'].packed < 0.6 * of['dense'].packed
  assert of['int8'].packed < of['masked'].packed
  for s in of.values():
    assert s.gzip < s.packed
  live = sum(int((x != 0).sum()) for x in jax.tree.leaves(folded.params))
  assert of['dense'].weight_bits == 32 * live
  fixed = jax.tree.leaves(models.folded(masked).params)
  live = sum(int((x != 0).sum()) for x in fixed)
  # A handful of entries is stored with its zeros.
  assert 1 <= of['masked'].weight_bits / (32 * live) < 1.01
  assert of['int8'].weight_bits < 12 * live


def test_binary_weights_take_one_bit_each():
  """Of kernels that learned scores select; BatchNorm gives channels scales."""
  dense = exports.dense('resnet18')
  rs = np.random.RandomState(0)

  def score(name, w):
    learned = name.endswith('kernel') and not name.startswith('head')
    return jnp.asarray(rs.randn(*w.shape), jnp.float32) if learned else None

  scores = tree.map_named(score, dense.params)
  binary = dataclasses.replace(dense, scores=scores, effective=Biprop(0.3))
  params = tree.leaves(models.folded(binary).params)
  live = {n: int(np.count_nonzero(x)) for n, x in params.items()}
  learned = [n for n, x in params.items() if score(n, x) is not None]
  ones = sum(live[n] for n in learned)
  gains = sum(params[n].shape[-1] for n in learned)
  found = export.sizes(binary)
  expected = ones + 32 * (gains + sum(live.values()) - ones)
  assert 1 <= found.weight_bits / expected < 1.01  # small kernels stay plain
  assert ones > 0.25 * found.dense / 4
  assert found.packed < 0.1 * found.dense
  back = artifact.decode(artifact.encode(binary))
  for name, x in tree.leaves(back.params).items():
    np.testing.assert_array_equal(x, params[name])


def broken_weights(value):
  frozen = exports.network('resnet20', 'dense')
  head = frozen.params['head']
  head = {**head, 'bias': head['bias'].at[0].set(value)}
  return dataclasses.replace(frozen, params={**frozen.params, 'head': head})


@pytest.mark.parametrize(
  ('frozen', 'known', 'message'),
  [
    (lambda: broken_weights(np.nan), None, 'head/bias holds NaN'),
    (lambda: broken_weights(np.inf), None, 'training diverged'),
    (
      lambda: dataclasses.replace(
        exports.network('resnet20', 'dense'), classes=('a', 'b')
      ),
      *(None, '5 classes, got 2'),
    ),
    (lambda: exports.network('resnet20', 'dense'), float('nan'), 'JSON'),
    (lambda: exports.network('resnet20', 'dense'), ' ' * 2**23, 'too long'),
  ],
)
def test_what_cannot_be_read_is_not_written(frozen, known, message, tmp_path):
  path = tmp_path / 'network.rcj'
  path.write_text('an older file')
  with pytest.raises(ValueError, match=message):
    export.save(frozen(), path, provenance=known)
  assert path.read_text() == 'an older file'
  assert list(tmp_path.iterdir()) == [path]


def test_a_kill_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / 'network.rcj'
  export.save(exports.network('resnet20', 'dense'), path)
  before = path.read_bytes()

  def killed(self, target):
    raise KeyboardInterrupt

  monkeypatch.setattr(type(files.epath.Path(path)), 'replace', killed)
  with pytest.raises(KeyboardInterrupt):
    export.save(exports.network('resnet20', 'masked'), path)
  assert path.read_bytes() == before


@pytest.fixture
def env(tmp_path):
  return carry_lib.Env(
    data=tiny.Noise().load_data(),
    suites=(),
    mesh=experiment.data_mesh(),
    journal=Journal(tmp_path, enabled=False),
    key=jax.random.key(0),
    workdir=tmp_path,
    labels={'seed': 0},
  )


def test_the_phase_writes_the_network_and_what_is_known_of_it(env):
  (env.workdir / 'config.json').write_text('{"seed": 0}')
  row = dict.fromkeys(results.COLUMNS, '')
  rows = [{**row, 'network': n, 'suite': n} for n in ('pruned', 'other')]
  results.add_rows(env.workdir, rows)
  steps = (
    phases.Init('resnet8', tiny.Tiny().preprocessing(), width=0.25),
    phases.Prune(score='magnitude', density=0.2),
    phases.Export('pruned'),
  )
  carry = recipe.run(steps, env)
  path = env.workdir / 'artifact' / 'pruned.rcj'
  network = carry_lib.frozen(carry, env.data.train.classes)
  shown = exports.images()
  expected = models.predict(network, shown)
  found = models.predict(export.load(path), shown)
  np.testing.assert_allclose(
    *(found, expected), atol=1e-5 * np.ptp(expected), rtol=0
  )
  known = export.describe(path)['provenance']
  assert known['config'] == {'seed': 0}
  assert [row['suite'] for row in known['results']] == ['pruned']
  assert known['labels'] == {'seed': 0}


def test_a_network_that_diverged_is_no_error_but_no_file_either(env):
  init = phases.Init('resnet8', tiny.Tiny().preprocessing(), width=0.25)
  carry = init(carry_lib.Carry(), env)
  params = jax.tree.map(lambda x: x * np.nan, carry.state.params)
  state = dataclasses.replace(carry.state, params=params)
  phases.Export()(dataclasses.replace(carry, state=state), env)
  assert not (env.workdir / 'artifact').exists()


def test_two_exports_need_two_labels():
  with pytest.raises(ValueError, match="Export, has the label 'network'"):
    recipe.check((phases.Export(), phases.Evaluate('a'), phases.Export()))
