import csv
import dataclasses
import json

import numpy as np
import pytest
import synthetic_runs
import synthetic_sweep

from rcj import grid, report
from rcj.report import paired, views

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


def rewrite(run, **values):
  """Changes columns of a results.csv, where they are not empty."""
  path = run / 'results.csv'
  with path.open(newline='') as f:
    records = list(csv.DictReader(f))
  with path.open('w', newline='') as f:
    writer = csv.DictWriter(f, list(records[0]))
    writer.writeheader()
    for record in records:
      change = {k: v for k, v in values.items() if record[k]}
      writer.writerow(record | change)


def test_a_cell_shows_the_rows_of_its_runs(folder, sweep):
  for outcome in sweep['figure2'].outcomes:
    if synthetic_sweep.skipped(outcome.cell):
      assert outcome.status == 'not run'
      assert not outcome.values
      continue
    rows = report.read([folder / outcome.cell.runs[0]])
    for column, value in outcome.values.items():
      (row,) = (
        r
        for r in rows
        if r.suite == column.suite and r.corruption in ('', 'mean')
      )
      assert value.estimate.mean == pytest.approx(100 * row.error)
      assert value.estimate.low == pytest.approx(100 * row.low)
      assert outcome.nonzero == row.nonzero


def test_several_seeds_have_t_intervals(tmp_path):
  synthetic_sweep.one_view(tmp_path, synthetic_sweep.cells(), seeds=3)
  for outcome in synthetic_sweep.filled(tmp_path)['v'].outcomes:
    assert outcome.seeds == (0, 1, 2)
    for column, value in outcome.values.items():
      errors = [
        100 * r.error
        for r in report.read([tmp_path / run for run in outcome.cell.runs])
        if r.suite == column.suite and r.corruption in ('', 'mean')
      ]
      mean, half = np.mean(errors), 4.302653 * np.std(errors, ddof=1) / 3**0.5
      assert value.estimate.mean == pytest.approx(mean)
      assert value.estimate.low == pytest.approx(max(0, mean - half), rel=1e-5)


def test_status_counts_cells_seeds_and_scale(tmp_path):
  synthetic_sweep.one_view(tmp_path, synthetic_sweep.cells(), seeds=2)
  kd, _ = grid.read(tmp_path)[0].cells
  (tmp_path / kd.runs[1] / 'results.csv').unlink()
  path = tmp_path / kd.runs[0] / 'config.json'
  path.write_text(json.dumps(json.loads(path.read_text()) | {'scale': 0.05}))
  view = synthetic_sweep.filled(tmp_path)['v']
  assert view.outcomes[0].status == '1 of 2 seeds'
  assert view.status == (
    '2 of 2 cells run; seeds 0, 1; 1 of the cells still lack a seed; '
    'number of epochs scaled by 0.05, 1'
  )


def test_what_was_not_run_is_named_shortly(sweep):
  assert sweep['table1'].missing == []
  assert sweep['figure1'].missing == [
    f'{model}: KD (AMDA), AT (AMDA), CRD (AMDA)' for model in MODELS[:2]
  ]
  assert sweep['figure2'].missing[0].startswith('ResNet-18: Hydra (ratio 20), ')


def test_cells_of_a_series_are_named_by_size_where_that_is_enough(tmp_path):
  pruned = [
    grid.Cell(
      {'model': 'ResNet-18', 'method': method, **fields}, 'KD', 'ResNet-18'
    )
    for method, fields in (
      ('train', {}),
      ('hydra', {'ratio': 5.0}),
      ('hydra', {'nonzero': 1000}),
    )
  ]
  synthetic_sweep.one_view(tmp_path, pruned, 'lines', skip=lambda cell: True)
  named = [o.where for o in synthetic_sweep.filled(tmp_path)['v'].outcomes]
  assert named == ['unpruned', 'ratio 5', 'nonzero 1000']
  twins = [
    grid.Cell({'ratio': 5.0, 'augment': a}, 'KD', 'ResNet-18') for a in 'xy'
  ]
  synthetic_sweep.one_view(tmp_path, twins, 'lines', skip=lambda cell: True)
  named = [o.where for o in synthetic_sweep.filled(tmp_path)['v'].outcomes]
  assert named == ['augment x', 'augment y']


def test_a_panel_and_a_series_without_results_are_named_alone(tmp_path):
  every = [*synthetic_sweep.cells(), *synthetic_sweep.cells('MnasNet')]
  synthetic_sweep.one_view(
    tmp_path, every, skip=lambda c: c.panel == 'MnasNet' or c.series == 'AT'
  )
  assert synthetic_sweep.filled(tmp_path)['v'].missing == [
    'ResNet-18: AT',
    'MnasNet',
  ]


def test_official_and_generated_are_neither_averaged_nor_compared(tmp_path):
  synthetic_sweep.one_view(tmp_path, synthetic_sweep.cells(), seeds=2)
  kd, at = grid.read(tmp_path)[0].cells
  for run in (kd.runs[1], *at.runs):
    rewrite(tmp_path / run, protocol='official')
  view = synthetic_sweep.filled(tmp_path)['v']
  found = {
    (o.cell.series, column.title, column.setting.protocol): set(value.sources)
    for o in view.outcomes
    for column, value in o.values.items()
    if column.suite == 'corrupted'
  }
  assert found == {
    ('KD', 'corrupted (a)', 'generated, 224 table'): {0},
    ('KD', 'corrupted (b)', 'official'): {1},
    ('AT', 'corrupted (b)', 'official'): {0, 1},
  }
  assert 'must not be compared' in ' '.join(views.notes(view))
  assert [c.title for c in view.columns if c.suite == 'clean'] == ['clean']


def test_numbers_of_images_are_not_mixed(tmp_path):
  synthetic_sweep.one_view(tmp_path, synthetic_sweep.cells())
  rewrite(tmp_path / grid.read(tmp_path)[0].cells[0].runs[0], n='41')
  view = synthetic_sweep.filled(tmp_path)['v']
  assert [c.title for c in view.columns[:2]] == ['clean (a)', 'clean (b)']
  assert [c.setting.n for c in view.columns[:2]] == [40, 41]
  assert all(len(o.values) == 3 for o in view.outcomes)


def table_of(folder, networks):
  """A filled table with one network per row."""
  made = []
  for i, (name, error) in enumerate(networks):
    network = ('network', name, 100, 100, error, error, error)
    synthetic_runs.write(folder / name, noise=i, networks=[network], n=200)
    made.append(grid.Cell({'method': name}, name, 'panel', runs=(name,)))
  grid.write([grid.View('v', 'A view.', 'table', tuple(made))], folder)
  return folder


def bold(folder):
  view = synthetic_sweep.filled(folder)['v']
  return {(o.cell.series, c.suite) for o in view.outcomes for c in o.best}


def test_the_best_is_marked_where_its_lead_is_resolved(tmp_path):
  clear = table_of(tmp_path / 'a', [('x', 5.0), ('y', 40.0), ('z', 45.0)])
  suites = ('clean', 'corrupted', 'rendition')
  assert bold(clear) == {('x', suite) for suite in suites}
  # The rows differ as before, but no image does.
  predictions = (clear / 'x' / 'predictions.npz').read_bytes()
  (clear / 'y' / 'predictions.npz').write_bytes(predictions)
  assert not bold(clear)


def test_without_predictions_no_lead_is_resolved(tmp_path):
  clear = table_of(tmp_path, [('x', 5.0), ('y', 40.0)])
  assert bold(clear)
  (clear / 'y' / 'predictions.npz').unlink()
  assert not bold(clear)


def test_only_tables_mark_the_best(sweep):
  assert not any(
    o.best for n in ('figure1', 'figure2') for o in sweep[n].outcomes
  )


def test_experiments_of_one_method_are_told_apart_below(folder):
  """Their labels agree in results.csv, and must not be averaged over seeds."""
  lines = report.table(report.read([folder]))
  found = {line.method for line in lines if line.parameters == 11_227_812}
  assert {'KD (teacher standard)', 'KD (teacher swsl)'} <= found
  # What a reader sees as the ratio is not said twice.
  assert 'Hydra' in found
  assert all(len(line.sources) == 1 for line in lines)


def test_runs_that_no_view_names_any_more_are_told_apart_too(tmp_path):
  synthetic_sweep.one_view(
    tmp_path,
    [*synthetic_sweep.cells(teacher='x'), *synthetic_sweep.cells(teacher='y')],
    seeds=2,
  )
  view = grid.read(tmp_path)[0]
  grid.write([dataclasses.replace(view, cells=view.cells[:1])], tmp_path)
  lines = report.table(report.read([tmp_path]))
  assert {line.method: tuple(line.sources) for line in lines} == {
    f'{method} (teacher {teacher})': (0, 1)
    for method in ('KD', 'AT')
    for teacher in 'xy'
  }


def test_distilled_and_pruned_are_compared_with_a_reference(folder):
  lines = report.table(report.read([folder]))
  reference = next(x for x in lines if x.method == 'no distillation')
  found = paired.differences(lines, reference)
  assert len(found) == 3 * (len(lines) - 1)


def test_runs_of_a_sweep_may_lie_deeper(tmp_path):
  synthetic_runs.write(
    tmp_path / 'x' / 'y', networks=[('n', 'KD', 9, 9, 5.0, 20.0, 30.0)], n=20
  )
  cell = grid.Cell({}, 'KD', runs=('x/y', 'x/z'))
  grid.write([grid.View('v', 'A view.', 'table', (cell,))], tmp_path)
  (outcome,) = synthetic_sweep.filled(tmp_path)['v'].outcomes
  assert outcome.status == '1 of 2 seeds'


def test_a_cell_may_name_a_network_of_its_run(tmp_path):
  synthetic_runs.write(
    tmp_path / 'x',
    networks=[
      ('a', 'A', 9, 9, 5.0, 20.0, 30.0),
      ('b', 'B', 9, 3, 9.0, 9.0, 9.0),
    ],
    n=20,
  )
  cells = [
    grid.Cell({}, name, runs=('x',), network=name) for name in ('', 'a', 'c')
  ]
  grid.write([grid.View('v', 'A view.', 'table', tuple(cells))], tmp_path)
  last, first, none = synthetic_sweep.filled(tmp_path)['v'].outcomes
  assert (last.nonzero, first.nonzero) == (3, 9)
  assert none.status == 'not run'


def test_pictures_stand_in_the_page(tmp_path):
  path = tmp_path / 'lrr minus dense' / 'difference.png'
  path.parent.mkdir()
  path.write_bytes(b'\x89PNG')
  synthetic_runs.write(
    tmp_path / 'x', networks=[('a', 'A', 9, 9, 5.0, 20.0, 30.0)], n=20
  )
  rows = report.read([tmp_path / 'x'])
  page = report.write_html(
    rows, tmp_path / 'r.html', title='t', pictures=[path]
  ).read_text()
  assert 'data:image/png;base64,iVBORw==' in page
  assert 'lrr minus dense' in page


def test_a_run_that_fills_two_cells_is_measured_once(tmp_path):
  synthetic_runs.write(
    tmp_path / 'x', networks=[('a', 'A', 9, 9, 5.0, 20.0, 30.0)], n=20
  )
  cells = [grid.Cell({}, 'A', panel, runs=('x',)) for panel in ('p', 'q')]
  grid.write([grid.View('v', 'A view.', 'table', tuple(cells))], tmp_path)
  filled = synthetic_sweep.filled(tmp_path)['v']
  assert [c.suite for c in filled.columns] == [
    'clean',
    'corrupted',
    'rendition',
  ]
  assert all(len(o.values) == 3 for o in filled.outcomes)
