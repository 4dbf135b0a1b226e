import pathlib
import subprocess
import sys

import pytest

from rcj import data

ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_unknown_name():
  with pytest.raises(ValueError, match=r"'cifar11'; there are digits, cifar10"):
    data.load('cifar11')


@pytest.mark.parametrize(
  'name', ['cifar10', 'cifar100', 'folder', 'tfds:mnist']
)
@pytest.mark.parametrize('root', [None, ''])
def test_missing_root(name, root):
  with pytest.raises(ValueError, match=r'--config\.data_root'):
    data.load(name, root=root)


def test_unknown_option():
  with pytest.raises(TypeError, match='colour'):
    data.load('digits', colour=True)


def test_sets_in_memory_need_neither_grain_nor_tfds():
  code = """
import sys, jax
from rcj import data
mesh = jax.make_mesh((1,), ('data',), axis_types=(jax.sharding.AxisType.Auto,))
sets = data.load('digits', train_size=100)
next(data.TrainStream(sets.train, batch_size=10, seed=0, mesh=mesh))
next(data.eval_batches(sets.test, batch_size=10))
print(*sys.modules)
"""
  result = subprocess.run(
    [sys.executable, '-c', code],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
  )
  loaded = {m.partition('.')[0] for m in result.stdout.split()}
  assert not loaded & {'grain', 'tensorflow_datasets', 'tensorflow', 'absl'}
