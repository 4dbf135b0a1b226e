"""launch/demo_latency.py: the table that ends the demo."""

import importlib.util
import io
import types

import exports
import numpy as np
import pytest
from children import ROOT
from rich.console import Console

from rcj import export, native


def _module():
  path = ROOT / 'launch' / 'demo_latency.py'
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


demo_latency = _module()
ROWS = [
  types.SimpleNamespace(run='big', nonzero=2000, parameters=2000),
  types.SimpleNamespace(run='small', nonzero=500, parameters=2000),
]
# Milliseconds of one image; of sixteen, ten times as many.
TOOK = {
  'big': {'native': 2.0, 'onnx': 4.0, 'jax': 8.0},
  'small': {'native': 0.5, 'onnx': 1.0, 'jax': 8.0},
}


def shown(runtimes):
  """The table of these programs, its cells line by line."""
  times = {
    (network, name, batch): TOOK[network][name] * (1 if batch == 1 else 10)
    for network in TOOK
    for name in runtimes
    for batch in demo_latency.BATCHES
  }
  file = io.StringIO()
  demo_latency.show(times, ROWS, Console(file=file, width=80))
  return file.getvalue()


def cells(text):
  """Words of each line."""
  return [line.split() for line in text.splitlines()]


def test_ratios_are_to_the_dense_network_in_onnxruntime():
  lines = cells(shown(('native', 'onnx', 'jax')))
  assert ['big', '2,000', '2', '20', '4', '40', '8', '80'] in lines
  assert ['100%', '2.0x', '2.0x', '1.0x', '1.0x', '0.5x', '0.5x'] in lines
  assert ['small', '500', '0.5', '5', '1', '10', '8', '80'] in lines
  assert ['25%', '8.0x', '8.0x', '4.0x', '4.0x', '0.5x', '0.5x'] in lines


def test_without_kernels_the_reason_is_said(monkeypatch):
  monkeypatch.setattr(native, 'available', lambda: False)
  monkeypatch.setattr(native, 'why_not', lambda: 'RCJ_NATIVE=off')
  text = shown(('onnx', 'jax'))
  assert ['small', '500', '-', '-', '1', '10', '8', '80'] in cells(text)
  assert 'no native kernels: RCJ_NATIVE=off' in text


def test_networks_are_timed_in_all_programs_there_are(tmp_path):
  pytest.importorskip('onnxruntime')
  path = tmp_path / 'network.rcj'
  export.save(exports.dense('resnet20'), path)
  images = np.random.default_rng(0).random((16, 32, 32, 3), np.float32)
  times = demo_latency.timed({'small': path}, images)
  names = {'onnx', 'jax', *(['native'] if native.available() else [])}
  assert {name for _, name, _ in times} == names
  assert len(times) == 2 * len(names)
  for name in names:
    assert 0 < times['small', name, 1] < times['small', name, 16]
