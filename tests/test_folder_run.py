"""Training from a folder of image files, stopped and continued."""

import dataclasses
import importlib.util
import io
import json
import pathlib
import shutil

import jax
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from rcj import corruptions, experiment, results
from rcj.journal import Journal

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLASSES = ('cat', 'dog')
STEPS = 6


def folder_config(**fields):
  spec = importlib.util.spec_from_file_location(
    'folder', ROOT / 'configs' / 'folder.py'
  )
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return dataclasses.replace(module.get_config('std'), **fields)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
  """Noise of odd sizes, dark cats and bright dogs: 8 to train on, 5 to test."""
  root, rng = tmp_path_factory.mktemp('photos'), np.random.default_rng(0)
  for split, counts in (('train', (4, 4)), ('val', (3, 2))):
    for c, n in enumerate(counts):
      folder = root / split / CLASSES[c]
      folder.mkdir(parents=True)
      for i in range(n):
        shape = (40 + 7 * i, 52 - 5 * i, 3)
        pixels = rng.integers(110 * c, 110 * c + 100, shape, np.uint8)
        Image.fromarray(pixels).save(folder / f'{i}.png')
  return root


@pytest.fixture(scope='module')
def config(photos):
  return folder_config(
    data_root=str(photos),
    model='resnet8',
    width=0.25,
    teacher_model='resnet8',
    size=32,
    resize=36,
    batch_size=4,
    epochs=STEPS / 2,
    severities='1',
  )


@pytest.fixture(scope='module')
def run(config, tmp_path_factory):
  """The run directory and the network of an undisturbed run."""
  workdir = tmp_path_factory.mktemp('folder') / 'run'
  carry = experiment.execute(config, workdir)
  return workdir, jax.device_get(carry.state.params)


def logged(workdir):
  lines = (workdir / 'metrics.jsonl').read_text().splitlines()
  return [json.loads(line) for line in lines]


def test_a_run_from_files_trains_and_is_measured(run):
  workdir, _ = run
  rows = logged(workdir)
  assert [row['step'] for row in rows] == list(range(1, STEPS + 1))
  for row in rows:
    assert np.isfinite(row['loss'])
    assert 0 < row['data_wait'] <= 1
  clean, *corrupted = results.read_rows(workdir / 'results.csv')
  assert clean['n'] == '5'
  assert clean['protocol'] == (
    '5 images of val, 0 left out, resized to 36, centre 32'
  )
  assert {row['severity'] for row in corrupted} == {'1', ''}
  assert [row['corruption'] for row in corrupted] == [
    *corruptions.STANDARD,
    'mean',
  ]
  with np.load(workdir / 'predictions.npz') as z:
    assert z['labels|clean'].tolist() == [0, 0, 0, 1, 1]


def test_a_finished_run_is_left_as_it_is(run, config):
  workdir, params = run
  files = ('metrics.jsonl', 'results.csv', 'predictions.npz', 'config.json')
  before = [(workdir / name).read_bytes() for name in files]
  again = experiment.execute(config, workdir)
  jax.tree.map(np.testing.assert_array_equal, params, again.state.params)
  assert [(workdir / name).read_bytes() for name in files] == before


def test_a_stopped_run_takes_up_the_order_of_the_files(
  run, config, tmp_path, monkeypatch
):
  """Stopped in the third epoch, in the middle of the phase."""
  write = Journal.metrics

  def stop(self, phase, step, **values):
    if step == 5:
      raise KeyboardInterrupt
    write(self, phase, step, **values)

  config = dataclasses.replace(config, checkpoint_every=3)
  short = {'make_suites': lambda _: ()}
  with monkeypatch.context() as m:
    m.setattr(Journal, 'metrics', stop)
    with pytest.raises(KeyboardInterrupt):
      experiment.execute(config, tmp_path / 'run', **short)
  assert [row['step'] for row in logged(tmp_path / 'run')] == [1, 2, 3, 4]
  out = io.StringIO()
  carry = experiment.execute(
    config, tmp_path / 'run', console=Console(file=out), **short
  )
  assert 'continuing at phase 1, step 3' in out.getvalue()
  jax.tree.map(np.testing.assert_array_equal, run[1], carry.state.params)
  there, here = logged(run[0]), logged(tmp_path / 'run')
  assert [row['loss'] for row in here] == [row['loss'] for row in there]


def test_a_damaged_file_stops_the_run_with_its_name(config, photos, tmp_path):
  root = tmp_path / 'photos'
  shutil.copytree(photos, root)
  (root / 'train' / 'dog' / '2.png').write_bytes(b'no picture')
  broken = dataclasses.replace(config, data_root=str(root))
  with pytest.raises(ValueError, match=r'train.dog.2\.png.*cannot be decoded'):
    experiment.execute(broken, tmp_path / 'run', make_suites=lambda _: ())
