"""Exported files in the programs that run them."""

from __future__ import annotations

import itertools
import os
import sys
import time

import exports
import numpy as np
import pytest

from rcj import export, models, native
from rcj.export import latency, metadata, onnx, runtime, stablehlo


@pytest.fixture(scope='module')
def frozen():
  return exports.network('resnet20', 'masked')


@pytest.fixture(scope='module')
def images():
  return np.asarray(exports.images(3))


@pytest.fixture(scope='module')
def files(frozen, tmp_path_factory):
  """{runtime: a file of it}."""
  folder = tmp_path_factory.mktemp('exported')
  found = {name: folder / f'network.{name}' for name in runtime.NAMES}
  found |= dict.fromkeys(('native', 'native-bf16'), found['jax'])
  export.save(frozen, found['jax'], provenance={'run': 'a'})
  onnx.save(frozen, found['onnx'], provenance={'run': 'a'})
  stablehlo.save(frozen, found['stablehlo'])
  metadata.write_beside(found['stablehlo'], frozen, provenance={'run': 'a'})
  return found


@pytest.mark.parametrize('name', ['jax', 'native', 'onnx', 'stablehlo'])
def test_every_program_gives_the_same_logits(name, files, frozen, images):
  if name == 'native' and not native.available():
    pytest.skip('there are no native kernels here')
  network = runtime.opened(name, files[name], threads=1)
  expected = np.asarray(models.predict(frozen, images))
  found = network(images)
  assert found.dtype == np.float32
  np.testing.assert_allclose(
    found, expected, atol=1e-5 * np.ptp(expected), rtol=0
  )
  assert network.classes == frozen.classes
  assert network.metadata.preprocessing == frozen.preprocessing
  assert network.metadata.provenance == {'run': 'a'}
  run = network.prepare(images)
  np.testing.assert_array_equal(run(), run())


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    (lambda x: x[:, :16], r'takes images \[batch, 32, 32, 3\]'),
    (lambda x: x[0], r'takes images \[batch, 32, 32, 3\]'),
    (lambda x: (255 * x).astype(np.uint8), 'divide uint8'),
  ],
)
def test_other_images_are_refused(change, words, files, images):
  network = runtime.opened('onnx', files['onnx'])
  with pytest.raises(ValueError, match=words):
    network(change(images))


def test_mistakes_are_told_before_anything_runs(files, tmp_path):
  with pytest.raises(ValueError, match='names are native, native-bf16'):
    runtime.opened('tensorrt', files['onnx'])
  with pytest.raises(FileNotFoundError, match='no file'):
    runtime.opened('onnx', tmp_path / 'absent.onnx')
  with pytest.raises(ValueError, match='1 or more'):
    runtime.opened('onnx', files['onnx'], threads=0)
  alone = tmp_path / 'network.stablehlo'
  alone.write_bytes(files['stablehlo'].read_bytes())
  with pytest.raises(FileNotFoundError, match='names the classes'):
    runtime.opened('stablehlo', alone)


@pytest.mark.parametrize(
  ('name', 'other'),
  [*itertools.permutations(('jax', 'onnx', 'stablehlo'), 2)],
)
def test_files_of_another_kind_are_refused(name, other, files, tmp_path):
  wrong = tmp_path / 'network'
  wrong.write_bytes(files[other].read_bytes())
  beside = files['stablehlo'].with_name('network.stablehlo.json')
  wrong.with_name('network.json').write_bytes(beside.read_bytes())
  with pytest.raises(ValueError, match=r'network'):
    runtime.opened(name, wrong)


def test_a_missing_package_names_its_extra(files, monkeypatch):
  monkeypatch.setitem(sys.modules, 'onnxruntime', None)
  with pytest.raises(ImportError, match=r"pip install 'rcj\[onnx\]'"):
    runtime.opened('onnx', files['onnx'])


def test_without_kernels_it_says_why(files, monkeypatch):
  monkeypatch.setattr(native, 'implementations', lambda: ())
  monkeypatch.setattr(native, 'why_not', lambda: 'RCJ_NATIVE=off')
  with pytest.raises(ImportError, match='no native kernels: RCJ_NATIVE=off'):
    runtime.opened('native', files['native'])


def test_a_description_of_something_else_is_refused():
  with pytest.raises(ValueError, match='does not name its classes'):
    metadata.from_json({'classes': '["a"]'})


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux binds threads')
def test_all_threads_of_the_process_are_bound(files, images):
  run = runtime.opened('jax', files['jax']).prepare(images)

  def cores():
    tasks = map(int, os.listdir('/proc/self/task'))
    return {frozenset(os.sched_getaffinity(task)) for task in tasks}

  run()
  before = cores()
  with latency.on_cores(1):
    run()
    (bound,) = cores()
    assert len(bound) == 1
  assert cores() == before
  with pytest.raises(ValueError, match='cores, got 0'), latency.on_cores(0):
    pass


def test_latencies_are_medians_in_turns():
  calls = []

  def call(name, seconds):
    calls.append(name)
    time.sleep(seconds)

  found = latency.measure(
    {
      'slow': lambda: call('slow', 0.02),
      'fast': lambda: call('fast', 0.002),
    },
    repeats=4,
  )
  assert 20 <= found['slow'] < 100
  assert 2 <= found['fast'] < 20
  assert calls[-8:] == ['slow', 'fast'] * 4
