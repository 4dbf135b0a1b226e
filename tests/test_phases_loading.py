"""Networks of files and of other runs, with their classifier or a new one."""

import dataclasses
import pathlib

import exports
import jax
import numpy as np
import pytest
import tiny
from safetensors.numpy import save_file

from rcj import carry as carry_lib
from rcj import (
  export,
  losses,
  models,
  optimizer,
  phases,
  recipe,
  schedules,
  tree,
)
from rcj.checkpoint import opened
from rcj.phases.loop import save

INIT = phases.Init('resnet8', tiny.Tiny().preprocessing(), width=0.25)


@pytest.fixture(scope='module')
def digits():
  return tiny.Tiny().load_data()


@pytest.fixture
def env(tmp_path, digits):
  return tiny.environment(tmp_path, digits)


def network(env, *steps):
  carry = tiny.through(env, *steps)
  return carry_lib.frozen(carry, env.data.train.classes)


def split(frozen):
  """Leaves of the classifier, and all others."""
  known = tree.leaves({'params': frozen.params, 'stats': frozen.batch_stats})
  head = {n for n in known if '/head/' in n}
  return (
    {n: np.asarray(x) for n, x in known.items() if n in head},
    {n: np.asarray(x) for n, x in known.items() if n not in head},
  )


def equal(some, others):
  jax.tree.map(np.testing.assert_array_equal, some, others)


def is_transferred(new, old, classes=10):
  """All is the same but the classifier, which has the data's classes."""
  head, rest = split(new)
  old_head, old_rest = split(old)
  equal(rest, old_rest)
  assert head['params/head/kernel'].shape[-1] == classes
  assert new.model.num_classes == classes
  assert head['params/head/kernel'].std() > 0
  assert head.keys() == old_head.keys()


def short(**options):
  return phases.Train(
    terms={'ce': losses.Weighted(1.0, losses.CrossEntropy())},
    optimizer=optimizer.SGD(schedules.Cosine(0.01)),
    steps=1,
    batch_size=16,
    **options,
  )


def torch_names(params, stats):
  """A ResNet-20 as a file of torch would hold it."""
  found = {}
  for name, x in tree.leaves({'params': params, 'stats': stats}).items():
    _, *path, leaf = name.split('/')
    module = '.'.join(path).replace('conv_stem', 'conv1')
    module = module.replace('bn_stem', 'bn1').replace('head', 'linear')
    for s in (1, 2, 3):
      for b in (1, 2, 3):
        module = module.replace(f'stage{s}_block{b}', f'layer{s}.{b - 1}')
    x = np.asarray(x)
    if leaf == 'kernel':
      x = x.transpose(3, 2, 0, 1) if x.ndim == 4 else x.T
    leaf = {'mean': 'running_mean', 'var': 'running_var', 'bias': 'bias'}.get(
      leaf, 'weight'
    )
    found[f'{module}.{leaf}'] = np.ascontiguousarray(x)
  return found


@pytest.fixture(scope='module')
def thousand(tmp_path_factory):
  """The path of a network of 1000 classes, and the network."""
  module = models.create('resnet20', num_classes=1000)
  variables = models.init(jax.random.key(0), module, size=32)
  path = tmp_path_factory.mktemp('torch') / 'r20.safetensors'
  save_file(torch_names(*variables), path)
  return path, models.load_torch(path, 'resnet20')


def test_a_network_of_1000_classes_answers_on_those_of_the_data(env, thousand):
  path, whole = thousand
  parents = np.arange(10) * 7 + 3
  env = dataclasses.replace(
    env, data=dataclasses.replace(env.data, parents=parents)
  )
  found = network(env, phases.Load(str(path), 'resnet20'))
  head = {name: x[..., parents] for name, x in whole.params['head'].items()}
  equal(
    (found.params, found.batch_stats),
    ({**whole.params, 'head': head}, whole.batch_stats),
  )
  assert found.model.num_classes == 10
  other = network(env, phases.Load(str(path), 'resnet20', new_head=True))
  assert (other.params['head']['kernel'] != head['kernel']).any()


def test_without_known_classes_a_network_of_1000_is_refused(env, thousand):
  words = '1000 classes, the data has 10; new_head=True'
  with pytest.raises(ValueError, match=words):
    tiny.through(env, phases.Load(str(thousand[0]), 'resnet20'))


def test_a_pytorch_file_gets_a_new_classifier(env, thousand):
  path, whole = thousand
  load = phases.Load(str(path), 'resnet20', new_head=True)
  new = network(env, load)
  is_transferred(new, whole)
  assert new.preprocessing == whole.preprocessing
  other = dataclasses.replace(env, key=jax.random.key(1))
  assert (
    network(other, load).params['head']['kernel']
    != new.params['head']['kernel']
  ).any()


@pytest.fixture
def runs(env, tmp_path):
  """Leaves the run directory of phases, under another seed than `env`."""

  def leave(*steps):
    folder = tmp_path / 'runs' / str(len(list(tmp_path.glob('runs/*'))))
    with opened(folder / 'checkpoints') as checkpoints:
      theirs = dataclasses.replace(
        env, key=jax.random.key(5), checkpoints=checkpoints
      )
      recipe.run(steps, theirs)
    (folder / 'results.csv').touch()
    return str(folder)

  return leave


def five(env):
  """The environment of data of five classes."""
  train = env.data.train
  train = dataclasses.replace(
    train, labels=train.labels % 5, classes=tuple('abcde')
  )
  return dataclasses.replace(
    env, data=dataclasses.replace(env.data, train=train)
  )


def test_the_network_of_a_run_is_trained_on_with_a_new_classifier(env, runs):
  folder = runs(INIT, phases.Save('unused'))
  old = network(env, phases.Load(folder, 'resnet8'))
  start = network(dataclasses.replace(env, key=jax.random.key(5)), INIT)
  equal((old.params, old.batch_stats), (start.params, start.batch_stats))
  assert old.model == INIT.module(10)
  assert old.preprocessing == INIT.preprocessing
  load = phases.Load(folder, new_head=True)
  other = five(env)
  new = network(other, load)
  is_transferred(new, old, classes=5)
  # What `Init` would have drawn there.
  equal(new.params['head'], network(other, INIT).params['head'])
  trained = network(other, load, short())
  assert (
    trained.params['head']['kernel'] != new.params['head']['kernel']
  ).any()
  moved = trained.batch_stats['bn_stem']['mean']
  assert (moved != new.batch_stats['bn_stem']['mean']).any()


def test_what_masks_removed_is_zero_and_may_grow_again(env, runs):
  small = phases.Prune(score='magnitude', density=0.3)
  folder = runs(INIT, small)
  found = tiny.through(env, phases.Load(folder)).state
  assert not tree.leaves((found.masks, found.scores))
  pruned = tiny.through(
    dataclasses.replace(env, key=jax.random.key(5)), INIT, small
  )
  kernel = pruned.state.params['stage1_block1']['conv1']['kernel']
  mask = pruned.state.masks['stage1_block1']['conv1']['kernel']
  assert 0.1 < mask.mean() < 0.6
  np.testing.assert_array_equal(
    found.params['stage1_block1']['conv1']['kernel'],
    np.where(mask, kernel, 0),
  )


def test_a_shrunk_network_is_compared_with_what_it_was(env, runs):
  folder = runs(
    *(INIT, phases.Prune(score='l1_filter', density=0.5), phases.Shrink())
  )
  carry = tiny.through(env, phases.Load(folder, 'resnet8'))
  assert carry.origin == INIT.module(10)
  carry = tiny.through(five(env), phases.Load(folder, new_head=True))
  assert carry.origin == INIT.module(5)
  assert carry.model.num_classes == 5


def test_runs_that_cannot_be_loaded(env, runs, tmp_path):
  folder = runs(INIT)
  (pathlib.Path(folder) / 'results.csv').rename(tmp_path / 'later')
  with pytest.raises(ValueError, match='was not measured yet; finish it'):
    tiny.through(env, phases.Load(folder))
  (tmp_path / 'later').rename(pathlib.Path(folder) / 'results.csv')
  with pytest.raises(ValueError, match='is a resnet8, not a resnet18'):
    tiny.through(env, phases.Load(folder, 'resnet18'))
  with pytest.raises(ValueError, match='10 classes, the data has 5; new_head'):
    tiny.through(five(env), phases.Load(folder))
  empty = tmp_path / 'empty'
  (empty / 'sub').mkdir(parents=True)
  with pytest.raises(ValueError, match=r'directory of a finished run.*sub'):
    tiny.through(env, phases.Load(str(empty)))
  assert not (empty / 'checkpoints').exists()
  with opened(empty / 'checkpoints') as checkpoints:
    carry = dataclasses.replace(tiny.through(env, INIT), phase=1, step=7)
    save(carry, dataclasses.replace(env, checkpoints=checkpoints))
  with pytest.raises(ValueError, match='step 7 of phase 1 and'):
    tiny.through(env, phases.Load(str(empty)))


def named(frozen, env):
  return dataclasses.replace(frozen, classes=tuple(env.data.train.classes))


def test_an_artifact_comes_back_through_load(env, tmp_path):
  path = str(tmp_path / 'network.rcj')
  env = five(env)
  for method in ('masked', 'int8'):
    frozen = named(exports.network('resnet20', method), env)
    export.save(frozen, path)
    found = network(env, phases.Load(path))
    assert found.preprocessing == frozen.preprocessing
    shown = exports.images()
    np.testing.assert_array_equal(
      models.predict(found, shown), models.predict(export.load(path), shown)
    )


def test_an_artifact_gets_a_new_classifier_and_is_trained_on(env, tmp_path):
  path = str(tmp_path / 'network.rcj')
  export.save(network(env, INIT), path)
  load = phases.Load(path, new_head=True)
  env = five(env)
  new = network(env, load)
  is_transferred(new, export.load(path), classes=5)
  trained = network(env, load, short())
  before, after = (x.params['conv_stem']['bias'] for x in (new, trained))
  assert (before != after).any()


def test_artifacts_that_do_not_fit(env, tmp_path):
  path = str(tmp_path / 'network.rcj')
  export.save(exports.network('resnet20', 'int8'), path)
  with pytest.raises(ValueError, match='5 classes, the data has 10; new_head'):
    tiny.through(env, phases.Load(path))
  with pytest.raises(ValueError, match='IntNet cannot get another classifier'):
    tiny.through(env, phases.Load(path, new_head=True))
  other = exports.network('resnet20', 'dense')
  export.save(dataclasses.replace(other, classes=tuple('vwxyz')), path)
  with pytest.raises(ValueError, match=r'classes v, w.*are a, b.*new_head'):
    tiny.through(five(env), phases.Load(path))
  (tmp_path / 'network.rcj').write_bytes(b'x')
  with pytest.raises(export.ArtifactError, match=r'network\.rcj'):
    tiny.through(env, phases.Load(path))


def test_what_is_not_there_or_has_no_name(env, tmp_path):
  (tmp_path / 'r18.pth').touch()
  with pytest.raises(FileNotFoundError, match=r'none\.pth.*r18\.pth'):
    tiny.through(env, phases.Load(str(tmp_path / 'none.pth'), 'resnet18'))
  with pytest.raises(FileNotFoundError, match='nor does its folder'):
    tiny.through(env, phases.Load(str(tmp_path / 'no' / 'r.rcj')))
  with pytest.raises(ValueError, match='needs the name of its network'):
    tiny.through(env, phases.Load(str(tmp_path / 'r18.pth')))
  with pytest.raises(ValueError, match="unknown network 'resnet19'"):
    phases.Load(str(tmp_path / 'r18.pth'), 'resnet19')
