"""launch/export.py and launch/evaluate.py as a user meets them."""

from __future__ import annotations

import csv

import exports
import networks
import pytest
from test_launch_run import launch

from rcj import export, models, results, tree
from rcj.types import Frozen
from rcj.weights import Masked

CONFIG = '--config=configs/digits.py:std'
# Of the run that the artifact comes from.
KNOWN = {
  **dict.fromkeys(results.COLUMNS, ''),
  **{'network': 'network', 'method': 'AugMix', 'parameters': '19706'},
  **{'variant': 'augmix', 'seed': '2'},
}


@pytest.fixture(scope='module')
def run_dir(tmp_path_factory):
  """A folder with the artifact of a network of digits."""
  module = models.create('resnet8', num_classes=10, width=0.25)
  params, stats = networks.random_network(module)
  nowhere = tree.map_named(lambda *_: None, params)
  how = (Masked(), exports.SHOWN, tuple('0123456789'))
  frozen = Frozen(params, stats, nowhere, nowhere, module, *how)
  folder = tmp_path_factory.mktemp('run')
  (folder / 'artifact').mkdir()
  path = folder / 'artifact' / 'network.rcj'
  export.save(frozen, path, provenance={'results': [KNOWN]})
  return folder


@pytest.fixture(scope='module')
def exported(run_dir):
  """What launch/export.py printed about it."""
  result = launch(
    'export', str(run_dir), '--to=onnx,stablehlo', CONFIG, '--count=40'
  )
  assert result.returncode == 0, result.stderr
  return result.stdout


def test_each_file_is_compared_with_the_artifact(exported, run_dir):
  lines = {
    line.split('│')[1].strip(): [c.strip() for c in line.split('│')[2:-1]]
    for line in exported.splitlines()
    if line.startswith('│')
  }
  assert list(lines) == ['jax', 'onnx', 'stablehlo']
  for file, difference, other, size, *times in lines.values():
    path = run_dir / 'artifact' / file
    assert float(difference) < 1e-5
    assert other == '0 of 40'
    assert int(size.replace(',', '')) == path.stat().st_size
    assert all(float(time.removesuffix(' ms')) > 0 for time in times)


def test_the_exported_file_is_evaluated(exported, run_dir, tmp_path):
  del exported
  workdir = tmp_path / 'evaluated'
  result = launch(
    'evaluate',
    f'--artifact={run_dir}/artifact/network.onnx',
    '--runtime=onnx',
    '--threads=1',
    '--attack_images=8',
    f'--attacked_by={run_dir}/artifact/network.rcj',
    CONFIG,
    f'--workdir={workdir}',
  )
  assert result.returncode == 0, result.stderr
  with (workdir / 'results.csv').open() as f:
    rows = list(csv.DictReader(f))
  assert {row['suite'] for row in rows} == {
    *('clean', 'corrupted', 'rendition'),
    *('light', 'heavy'),
  }
  for row in rows:
    assert row['network'] == 'network.onnx (onnx)'
    assert (row['runtime'], row['threads']) == ('onnx', '1')
    assert (row['method'], row['parameters']) == ('AugMix, onnx', '19706')
    assert (row['variant'], row['seed']) == ('augmix', '2')
    assert float(row['latency_ms']) > 0
    assert 0 <= float(row['low']) <= float(row['error']) <= 1


@pytest.mark.parametrize(
  ('args', 'words'),
  [
    (['{}', CONFIG, '--to=tensorrt'], "unknown formats ['tensorrt']"),
    (['{}/nowhere'], 'expected an artifact or a run directory'),
  ],
)
def test_mistakes_are_told(args, words, run_dir):
  result = launch('export', *(a.format(run_dir) for a in args))
  assert result.returncode == 1
  assert words in result.stderr
  assert 'Traceback' not in result.stderr


def test_a_file_of_another_kind_leaves_no_run_directory(run_dir, tmp_path):
  result = launch(
    'evaluate',
    f'--artifact={run_dir}/artifact/network.rcj',
    '--runtime=onnx',
    CONFIG,
    f'--workdir={tmp_path}/new',
  )
  assert result.returncode == 1
  assert 'onnxruntime cannot read' in result.stderr
  assert not (tmp_path / 'new').exists()
