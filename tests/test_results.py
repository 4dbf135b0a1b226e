"""results.csv and predictions.npz of a run directory."""

import csv
import io
import os

import numpy as np
import pytest

from rcj import results


def row(network='network', suite='clean', corruption='', severity='', **values):
  return {
    **dict.fromkeys(results.COLUMNS, 0),
    'run': 'a',
    'network': network,
    'suite': suite,
    'corruption': corruption,
    'severity': severity,
    'error': 0.5,
    **values,
  }


def cells(folder):
  return [
    (r['network'], r['suite'], r['corruption'], r['severity'], r['error'])
    for r in results.read_rows(folder / 'results.csv')
  ]


def test_no_file_has_no_rows(tmp_path):
  assert results.read_rows(tmp_path / 'results.csv') == []


def test_rows_come_back_as_text_in_the_order_of_the_columns(tmp_path):
  protocol = 'generated, "224 px" table,\nhere'
  written = row(error=1 / 3, n=597, protocol=protocol, macs=7, note='none')
  results.add_rows(tmp_path, [written])
  (read,) = results.read_rows(tmp_path / 'results.csv')
  columns = (*results.COLUMNS, *results.COSTS, *results.ATTACKED)
  assert tuple(read) == columns
  assert read == {c: str(written.get(c, '')) for c in columns}
  assert float(read['error']) == 1 / 3


def test_a_file_without_the_optional_columns_takes_rows_that_have_them(
  tmp_path,
):
  text = io.StringIO(newline='')
  writer = csv.DictWriter(text, results.COLUMNS)
  writer.writeheader()
  writer.writerow(row())
  (tmp_path / 'results.csv').write_text(text.getvalue(), newline='')
  attack = row(suite='light', corruption='pgd', eps=2 / 255, masked='no')
  results.add_rows(tmp_path, [attack])
  old, new = results.read_rows(tmp_path / 'results.csv')
  assert {old[c] for c in (*results.COSTS, *results.ATTACKED)} == {''}
  assert (float(new['eps']), new['masked'], new['norm_50']) == (
    2 / 255,
    'no',
    '',
  )


def test_a_cell_measured_again_replaces_its_own_row_alone(tmp_path):
  results.add_rows(
    tmp_path,
    [row(), row(suite='corrupted', corruption='fog', severity=1)],
  )
  results.add_rows(tmp_path, [row(network='teacher')])
  results.add_rows(
    tmp_path,
    [
      row(suite='corrupted', corruption='fog', severity=1, error=0.25),
      row(suite='corrupted', corruption='fog', severity=3, error=0.75),
    ],
  )
  assert sorted(cells(tmp_path)) == [
    ('network', 'clean', '', '', '0.5'),
    ('network', 'corrupted', 'fog', '1', '0.25'),
    ('network', 'corrupted', 'fog', '3', '0.75'),
    ('teacher', 'clean', '', '', '0.5'),
  ]


def test_a_row_that_lacks_a_column_changes_nothing(tmp_path):
  results.add_rows(tmp_path, [row()])
  short = row(error=0.1)
  del short['protocol']
  with pytest.raises(KeyError, match='protocol'):
    results.add_rows(tmp_path, [short])
  assert cells(tmp_path) == [('network', 'clean', '', '', '0.5')]


def predictions(folder):
  with np.load(folder / 'predictions.npz') as z:
    return {name: z[name].tolist() for name in z.files}


def test_predictions_are_merged_by_name(tmp_path):
  results.add_predictions(tmp_path, {'a|clean||': [1, 2], 'labels|clean': [1]})
  results.add_predictions(
    tmp_path, {'b|clean||': np.array([4]), 'a|clean||': np.array([3, 999])}
  )
  assert predictions(tmp_path) == {
    'a|clean||': [3, 999],
    'b|clean||': [4],
    'labels|clean': [1],
  }
  with np.load(tmp_path / 'predictions.npz') as z:
    assert {z[name].dtype for name in z.files} == {np.dtype(np.int16)}


def write(folder, value):
  results.add_rows(folder, [row(error=value)])
  results.add_predictions(folder, {'a': [round(10 * value)]})


def test_a_kill_before_the_last_moment_leaves_the_old_files(
  tmp_path, monkeypatch
):
  write(tmp_path, 0.5)

  def killed(*_):
    raise KeyboardInterrupt

  with monkeypatch.context() as m:
    m.setattr(os, 'replace', killed)
    with pytest.raises(KeyboardInterrupt):
      results.add_rows(tmp_path, [row(error=0.1)])
    with pytest.raises(KeyboardInterrupt):
      results.add_predictions(tmp_path, {'a': [1]})
  assert cells(tmp_path) == [('network', 'clean', '', '', '0.5')]
  assert predictions(tmp_path) == {'a': [5]}


def test_half_written_partial_files_are_overwritten(tmp_path):
  write(tmp_path, 0.5)
  for path in list(tmp_path.iterdir()):
    whole = path.read_bytes()
    torn = path.with_name(f'{path.name}.partial')
    torn.write_bytes(2 * whole[: len(whole) // 2])
  write(tmp_path, 0.2)
  assert cells(tmp_path) == [('network', 'clean', '', '', '0.2')]
  assert predictions(tmp_path) == {'a': [2]}


def test_predictions_of_other_images_are_refused(tmp_path):
  """Evaluating a file on fewer images must not change what the run left."""
  first = {'labels|light': [0, 1, 2], 'network|light|pgd|': [0, 1, 1]}
  results.add_predictions(tmp_path, first)
  before = (tmp_path / 'predictions.npz').read_bytes()
  with pytest.raises(ValueError, match=r'labels\|light of 3 images'):
    results.add_predictions(tmp_path, {'labels|light': [0, 1]})
  assert (tmp_path / 'predictions.npz').read_bytes() == before
