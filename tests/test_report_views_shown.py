import csv
import dataclasses
import io
import re
import subprocess
import sys

import numpy as np
import pytest
import synthetic_sweep
from rich.console import Console

from rcj import grid, report
from rcj.report import style, views

MODELS = tuple(synthetic_sweep.MODELS)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A sweep of one seed, one kind of teacher and one ratio not run yet."""
  root = tmp_path_factory.mktemp('sweep')
  synthetic_sweep.sweep(
    root, synthetic_sweep.VIEWS, n=40, skip=synthetic_sweep.skipped
  )
  return root


@pytest.fixture(scope='module')
def sweep(folder):
  return synthetic_sweep.filled(folder)


@pytest.fixture(scope='module')
def few(tmp_path_factory):
  """A sweep of a table and a figure of four networks."""
  root = tmp_path_factory.mktemp('few')
  figure = synthetic_sweep.small(synthetic_sweep.figure4(), MODELS[:1])
  figure = dataclasses.replace(figure, cells=figure.cells[:4])
  views = [synthetic_sweep.small(synthetic_sweep.table1(), MODELS[:1]), figure]
  synthetic_sweep.sweep(root, views, n=40, skip=synthetic_sweep.skipped)
  return root


def drawn(view):
  matplotlib = pytest.importorskip('matplotlib')
  with matplotlib.rc_context(style.RC):
    return views.figure(view)


def shown(figure):
  return [ax for ax in figure.axes if ax.get_visible()]


def test_bars_have_one_bar_per_cell(sweep):
  view = sweep['figure1']
  figure = drawn(view)
  axes = shown(figure)
  assert len(axes) == 2 * 3
  for ax, (panel, column) in zip(
    axes, [(p, c) for c in view.columns for p in view.panels], strict=True
  ):
    bars = [b for c in ax.containers for b in c]
    hatched = [b for b in bars if b.get_hatch()]
    heights = sorted(b.get_height() for b in bars if not b.get_hatch())
    own = [o for o in view.panels[panel] if o.cell.x]
    assert len(hatched) == sum(not o.seeds for o in own) == 3
    assert heights == pytest.approx(
      sorted(o.values[column].estimate.mean for o in own if o.seeds)
    )
    centres = sorted(b.get_x() + b.get_width() / 2 for b in bars)
    assert np.diff(centres).min() >= bars[0].get_width()
    assert ax.get_ylim()[0] == 0
  (legend,) = figure.legends
  names = [t.get_text() for t in legend.get_texts()]
  assert names == ['no distillation', 'KD', 'AT', 'CRD', 'not run']


def test_lines_go_through_measured_sizes(sweep):
  view = sweep['figure2']
  figure = drawn(view)
  ax = shown(figure)[0]
  assert ax.get_xscale() == 'log'
  for line in ax.lines:
    assert line.get_xdata() == pytest.approx([5, 10, 40], rel=1e-3)
  means = [line.get_ydata()[1] for line in ax.lines]
  assert means == pytest.approx(
    [
      o.values[view.columns[0]].estimate.mean
      for o in view.panels['ResNet-18']
      if o.where == 'ratio 10'
    ]
  )
  (note,) = (t.get_text() for t in figure.texts)
  assert note.startswith('not run: ResNet-18: Hydra (ratio 20), ')


def test_a_panel_alone_has_its_suites_across(sweep):
  axes = shown(drawn(sweep['figure4']))
  assert len(axes) == 3
  assert len({ax.get_position().y0 for ax in axes}) == 1
  assert axes[1].get_title(loc='left') == 'Corrupted images (mean)'
  assert axes[0].get_xlabel() == 'parameters left'
  assert axes[0].get_ylabel() == 'ResNet-18\nerror (%)'


def test_nothing_is_drawn_of_tables_or_of_nothing(sweep, tmp_path):
  assert drawn(sweep['table1']) is None
  synthetic_sweep.one_view(
    tmp_path, synthetic_sweep.cells(), 'lines', skip=lambda cell: True
  )
  assert drawn(synthetic_sweep.filled(tmp_path)['v']) is None


@pytest.fixture(scope='module')
def written(sweep, tmp_path_factory):
  """A folder with the files of all views."""
  pytest.importorskip('matplotlib')
  folder = tmp_path_factory.mktemp('written')
  report.write_files(list(sweep.values()), folder)
  return folder


def test_every_view_has_its_files(sweep, written):
  assert {p.name for p in written.iterdir()} == {
    f'{view}.{kind}'
    for view in sweep
    for kind in ('csv', 'md', 'svg')
    if (view, kind) != ('table1', 'svg')
  }
  assert all(path.stat().st_size < 200_000 for path in written.iterdir())


def test_files_are_reproducible(sweep, written, tmp_path):
  for path in report.write_files([sweep['figure4']], tmp_path):
    assert path.read_bytes() == (written / path.name).read_bytes()


def test_views_of_one_name_do_not_overwrite_each_other(sweep, tmp_path):
  with pytest.raises(ValueError, match='called table1'):
    report.write_files([sweep['table1']] * 2, tmp_path)


def test_csv_is_tidy_and_complete(sweep, written):
  with (written / 'figure2.csv').open(newline='') as f:
    records = list(csv.DictReader(f))
  names = 'view,panel,series,x,suite,error,low,high,seeds,parameters,nonzero'
  assert ','.join(records[0]) == f'{names},ratio,n,protocol,status'
  done = [r for r in records if r['status'] == 'run']
  assert len(done) == 3 * 18
  missing = [r['x'] for r in records if r['status'] == 'not run']
  assert missing == ['ratio 20'] * 6
  values = sweep['figure2'].outcomes[0].values
  for record, (column, value) in zip(done, values.items(), strict=False):
    assert record['suite'] == column.suite
    error = value.estimate.mean / 100
    assert float(record['error']) == pytest.approx(error, abs=1e-5)
    assert record['seeds'] == '0'
    assert record['n'] == '40'


def test_markdown_holds_every_cell(sweep, written):
  text = (written / 'figure1.md').read_text()
  rows = [x for x in text.splitlines() if x.startswith('| ')]
  assert rows[0].startswith('| panel | series | teacher | clean | corrupted |')
  assert len(rows) == 2 + len(sweep['figure1'].outcomes)
  assert len({x.count('|') for x in rows}) == 1
  assert '(figure1.svg)' in text
  assert '.svg' not in (written / 'table1.md').read_text()
  assert '- Not run: ResNet-18: KD (AMDA)' in text


@pytest.mark.parametrize('width', [80, 140])
def test_print_view(sweep, width):
  for view in sweep.values():
    console = Console(width=width, record=True, file=io.StringIO())
    report.print_view(view, console)
    text = console.export_text()
    assert '…' not in text
    assert view.status in ' '.join(text.split())
    for panel in view.panels:
      assert f'{panel} ' in text
    done = next(o for o in view.outcomes if o.seeds)
    assert f'{done.values[view.columns[0]].estimate.mean:.1f}' in text


def test_page_has_the_views_before_all_networks(few, tmp_path):
  pytest.importorskip('matplotlib')
  sweep, rows = synthetic_sweep.filled(few), report.read([few])
  page = report.write_html(
    rows, tmp_path / 'r.html', title='t', sweep=list(sweep.values())
  ).read_text()
  headings = re.findall('<h2>([^<]*)</h2>', page)
  assert headings[:3] == ['table1', 'figure4', 'All networks']
  first = page[: page.index('All networks')]
  assert first.count('data:image/svg+xml') == 1
  assert first.count('>not run</td>') == 1
  for outcome in sweep['table1'].outcomes:
    for value in outcome.values.values():
      assert f'>{value.estimate.mean:.1f} <span' in first
  assert not re.search(r'<(script|link|iframe)|https?://', page)


def test_page_of_a_sweep_of_which_nothing_is_finished(tmp_path):
  synthetic_sweep.one_view(
    tmp_path, synthetic_sweep.cells(), skip=lambda cell: True
  )
  (tmp_path / 'shared').mkdir()
  run = tmp_path / grid.read(tmp_path)[0].cells[0].runs[0]
  run.mkdir()
  (run / 'config.json').write_text('{}')
  rows = report.read([tmp_path])
  assert rows == []
  view = report.fill(grid.read(tmp_path)[0], tmp_path, rows)
  assert view.status == '0 of 2 cells run'
  page = report.write_html(rows, tmp_path / 'r.html', title='t', sweep=[view])
  assert page.read_text().count('>not run</td>') == 2


def test_command_line(few, tmp_path):
  pytest.importorskip('matplotlib')
  from conftest import ROOT

  command = [sys.executable, str(ROOT / 'launch' / 'report.py'), str(few)]
  done = subprocess.run(
    [*command, f'--out={tmp_path}/r.html', f'--figures={tmp_path}/figures'],
    capture_output=True,
    text=True,
    cwd=ROOT,
    env={'PYTHONPATH': str(ROOT), 'PATH': '', 'COLUMNS': '120'},
  )
  assert done.returncode == 0, done.stderr
  assert 'figure4: Pruning criteria' in done.stdout
  assert (tmp_path / 'figures' / 'figure4.svg').is_file()
  assert '<h2>figure4</h2>' in (tmp_path / 'r.html').read_text()
