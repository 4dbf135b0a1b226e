"""The report as it is shown: in a terminal, and as a page."""

import base64
import io
import re
import subprocess
import sys

import pytest
import synthetic_runs
from rich.console import Console
from synthetic_runs import edit

from rcj import report, results
from rcj.report import summary


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  """Three seeds of all networks, 60 images."""
  root = tmp_path_factory.mktemp('runs')
  for seed in range(3):
    synthetic_runs.write(root / f'seed{seed}', seed=seed, n=60)
  return root


@pytest.fixture(scope='module')
def few(tmp_path_factory):
  """One run of five networks, 40 images."""
  folder = tmp_path_factory.mktemp('few') / 'run'
  chosen = synthetic_runs.NETWORKS[:1] + synthetic_runs.NETWORKS[4:8]
  return synthetic_runs.write(folder, networks=chosen, n=40)


@pytest.mark.parametrize('width', [80, 140])
def test_print_table(runs, width):
  console = Console(width=width, record=True, file=io.StringIO())
  report.print_table(report.read([runs / 'seed0']), console)
  text = console.export_text()
  assert summary.SMOKE == 'smoke table: one seed, intervals over images only'
  assert summary.SMOKE in text
  assert '…' not in text
  for line in report.table(report.read([runs / 'seed0'])):
    assert line.method in text
    assert f'{line.nonzero:,}' in text
    assert f'{line.errors["corrupted"].mean:.1f}' in text


def test_print_table_with_several_seeds_is_no_smoke_table(runs):
  console = Console(width=140, record=True, file=io.StringIO())
  report.print_table(report.read([runs]), console)
  assert 'smoke' not in console.export_text()


def test_html(runs, tmp_path):
  rows = report.read([runs])
  path = report.write_html(
    rows, tmp_path / 'new' / 'r.html', title='A & B', notes=['One <note>.']
  )
  page = path.read_text()
  assert 'A &amp; B' in page
  assert 'One &lt;note&gt;.' in page
  for line in report.table(rows):
    assert f'<td>{line.method}</td>' in page
    assert f'{line.errors["rendition"].mean:.1f} <span' in page
  for text in ('not resolved', 'higher', 'generated, 224 table', '0.10.2'):
    assert text in page
  assert 'python launch/run.py --config=configs/demo.py --seed=2' in page
  assert summary.SMOKE not in page
  assert_self_contained(page)


def assert_self_contained(page):
  assert 'http://' not in page
  assert 'https://' not in page
  assert not re.search(r'<(script|link|iframe)|@import|url\(', page)
  sources = re.findall(r'src="([^"]{40})', page)
  assert all(s.startswith('data:image/svg+xml;base64,') for s in sources)
  figures = re.findall(r'base64,([^"]+)"', page)
  assert figures
  for figure in figures:
    assert base64.b64decode(figure).rstrip().endswith(b'</svg>')


def test_html_is_reproducible_and_leaves_matplotlib_alone(few, tmp_path):
  matplotlib = pytest.importorskip('matplotlib')
  before = dict(matplotlib.rcParams)
  rows = report.read([few])
  pages = [
    report.write_html(rows, tmp_path / f'{i}.html', title='t').read_text()
    for i in range(2)
  ]
  assert pages[0] == pages[1]
  assert summary.SMOKE in pages[0]
  assert dict(matplotlib.rcParams) == before


def test_html_reference(few, tmp_path):
  rows = report.read([few])
  page = report.write_html(
    rows, tmp_path / 'r.html', title='t', reference='AugMix + KD'
  ).read_text()
  assert 'error minus that of AugMix + KD' in page
  with pytest.raises(ValueError, match=r"'AugMx'.*'AugMix \+ KD'"):
    report.write_html(rows, tmp_path / 'r.html', title='t', reference='AugMx')


def test_html_of_one_network_in_one_run(tmp_path):
  folder = synthetic_runs.write(
    tmp_path / 'run', networks=synthetic_runs.NETWORKS[:1], n=20
  )
  edit(folder, lambda r: [x for x in r if x['suite'] == 'clean'])
  for name in ('predictions.npz', 'metrics.jsonl'):
    (folder / name).unlink()
  rows = report.read([folder])
  page = report.write_html(rows, tmp_path / 'r.html', title='t').read_text()
  assert 'nothing to compare' in page
  assert_self_contained(page)


def test_html_without_predictions_says_so(tmp_path):
  folder = synthetic_runs.write(
    tmp_path / 'run', networks=synthetic_runs.NETWORKS[:2], n=20
  )
  (folder / 'predictions.npz').unlink()
  rows = report.read([folder])
  page = report.write_html(rows, tmp_path / 'r.html', title='t').read_text()
  assert 'has no predictions.npz' in page


def test_a_missing_extra_is_named(runs, tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'jinja2', None)
  with pytest.raises(ImportError, match=r"jinja2: pip install 'rcj\[demo\]'"):
    report.write_html(report.read([runs]), tmp_path / 'r.html', title='t')


def test_a_suite_of_one_cell_needs_no_mean(tmp_path):
  folder = synthetic_runs.write(
    tmp_path / 'run', networks=synthetic_runs.NETWORKS[:1], n=20
  )

  def only_fog(records):
    wanted = ('', 'fog')
    return [
      r
      for r in records
      if r['corruption'] in wanted and r['severity'] in ('', '3')
    ]

  edit(folder, only_fog)
  rows = report.read([folder])
  (line,) = report.table(rows)
  assert line.errors['corrupted'].mean == line.cells['fog', 3]
  assert_self_contained(
    report.write_html(rows, tmp_path / 'r.html', title='t').read_text()
  )


def test_command_line(few, tmp_path):
  from conftest import ROOT

  out = tmp_path / 'r.html'
  command = [sys.executable, str(ROOT / 'launch' / 'report.py')]
  done = subprocess.run(
    [*command, str(few), f'--out={out}'],
    capture_output=True,
    text=True,
    cwd=ROOT,
    env={'PYTHONPATH': str(ROOT), 'PATH': '', 'COLUMNS': '120'},
  )
  assert done.returncode == 0, done.stderr
  assert done.stdout.endswith(f'{out}\n')
  assert out.is_file()
  assert 'global weight' in done.stdout
  failed = subprocess.run(
    [*command, str(tmp_path / 'nothing')],
    capture_output=True,
    text=True,
    cwd=ROOT,
    env={'PYTHONPATH': str(ROOT), 'PATH': ''},
  )
  assert failed.returncode == 1
  assert failed.stderr.startswith('error: ')


COSTS = {
  'dense_macs': '12345678',
  'macs': '3086420',
  'dense_bytes': '312512',
  'bytes': '79968',
  'packed_bytes': '20480',
  'gzip_bytes': '999',
  'weight_bits': '98400',
}
SPEED = {
  'latency_ms': '1.2345',
  'runtime': 'onnxruntime',
  'threads': '1',
  'batch': '16',
  'dtype': 'int8',
}


def costing(folder, **of_network):
  """The run with costs of some of its networks."""
  edit(
    folder,
    lambda records: [
      r | dict.fromkeys(results.COSTS, '') | of_network.get(r['network'], {})
      for r in records
    ],
  )
  return report.read([folder])


@pytest.fixture
def two(tmp_path):
  chosen = synthetic_runs.NETWORKS[:2]
  return synthetic_runs.write(tmp_path / 'run', networks=chosen, n=20)


def test_rows_without_costs_have_no_table_of_them(two, tmp_path):
  console = Console(width=100, file=io.StringIO())
  rows = report.read([two])
  report.print_table(rows, console)
  assert 'Size and speed' not in console.file.getvalue()
  page = report.write_html(rows, tmp_path / 'r.html', title='t').read_text()
  assert 'Size and speed' not in page


def test_costs_are_a_table_of_their_own(two, tmp_path):
  rows = costing(two, dense=COSTS, teacher=COSTS | SPEED)
  console = Console(width=100, file=io.StringIO())
  report.print_table(rows, console)
  text = console.file.getvalue().partition('Size and speed')[2]
  assert all(len(line) <= 100 for line in text.splitlines())
  shown = (
    *('12.3 M', '3.09 M', '313 kB', '80.0 kB'),
    *('12.3 kB', '20.5 kB', '999 B'),
  )
  page = report.write_html(rows, tmp_path / 'r.html', title='t').read_text()
  table = page.partition('Size and speed')[2].partition('</table>')[0]
  for cell in (*shown, '1.23 ms'):
    assert cell in text
    assert f'<td>{cell}</td>' in table
  assert '<td>onnxruntime, 1 thread, batch 16, int8</td>' in table
  assert table.count('<td>-</td>') == 2  # a latency of one of the two


def test_costs_that_were_not_measured_have_no_column(two):
  rows = costing(two, dense={'macs': '5'})
  console = Console(width=100, file=io.StringIO())
  report.print_table(rows, console)
  text = console.file.getvalue().partition('Size and speed')[2]
  assert 'MACs' in text
  assert 'latency' not in text
  assert 'AugMix' not in text


def test_costs_are_numbers(two):
  with pytest.raises(ValueError, match='not a number where one is due'):
    costing(two, dense={'macs': 'many'})
