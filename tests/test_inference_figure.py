"""benchmarks/inference_figure.py draws what the benchmark wrote."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import children
import pytest
from children import ROOT

TOOK = {
  'dense': {'onnxruntime': 400.0, 'OpenVINO': 320.0, 'rcj': 450.0},
  'int8': {'OpenVINO': 160.0},
  '90 % zeros': {'rcj': 80.0, 'XLA': 500.0},
}


def table(**changed):
  """What the benchmark writes of one network."""
  return {
    **{'case': 'resnet18', 'size': 224, 'batch': 16, 'threads': 2},
    **{'milliseconds': TOOK, **changed},
  }


def draw(folder, *tables):
  """The finished program, on a file of these tables."""
  path = folder / 'numbers.json'
  path.write_text(json.dumps({'machine': 'a computer', 'tables': tables}))
  return subprocess.run(
    [sys.executable, 'benchmarks/inference_figure.py', str(path)],
    cwd=ROOT,
    env=children.environment(),
    capture_output=True,
    text=True,
    timeout=120,
  )


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
  """An SVG of three tables, of which one is of one thread."""
  folder = tmp_path_factory.mktemp('drawn')
  tables = table(), table(batch=1), table(threads=1, case='other')
  result = draw(folder, *tables)
  assert result.returncode == 0, result.stderr
  return folder / 'numbers.svg'


def texts(path):
  """Comments in which matplotlib says what its paths spell."""
  parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
  nodes = ET.parse(path, parser).iter(ET.Comment)
  return [node.text.strip() for node in nodes]


def test_tables_of_two_threads_are_drawn(drawn):
  found = texts(drawn)
  assert {'224 px, batch 16', '224 px, batch 1'} <= {
    line for text in found for line in text.splitlines()
  }
  assert not any('other' in text for text in found)
  assert any('a computer' in text for text in found)


def test_bars_are_images_per_second(drawn):
  found = texts(drawn)
  # 16 images in 400, 320, 160 and 80 ms.
  assert {'40', '50', '100', '200'} <= set(found)
  assert 'rcj, 90 % zeros' in found
  assert 'OpenVINO, int8' in found


def test_what_was_not_measured_or_is_not_shown_is_left_out(drawn):
  found = texts(drawn)
  assert not any('DeepSparse' in text or 'XLA' in text for text in found)
  assert 'rcj, 90 % zeros, int8' not in found


def test_the_same_numbers_give_the_same_file(drawn, tmp_path):
  tables = table(), table(batch=1), table(threads=1, case='other')
  draw(tmp_path, *tables)
  assert (tmp_path / 'numbers.svg').read_bytes() == drawn.read_bytes()


def test_no_table_of_two_threads_is_an_error(tmp_path):
  result = draw(tmp_path, table(threads=1))
  assert result.returncode == 1
  assert 'expected a table of 2 threads' in result.stderr
  assert not (tmp_path / 'numbers.svg').exists()
