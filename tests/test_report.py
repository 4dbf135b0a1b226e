"""Reading rows, tables over seeds, and paired differences."""

import csv
import json
import math
import subprocess
import sys

import numpy as np
import pytest
import synthetic_runs
from synthetic_runs import change_all, edit

from rcj import report, results
from rcj.report import paired, provenance, summary


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  """Three seeds of all networks, 60 images."""
  root = tmp_path_factory.mktemp('runs')
  for seed in range(3):
    synthetic_runs.write(root / f'seed{seed}', seed=seed, n=60)
  return root


def one(lines, method, ratio=None):
  found = [
    x
    for x in lines
    if x.method == method
    and x.parameters == 78128
    and (ratio is None or abs(x.ratio - ratio) < 1)
  ]
  assert len(found) == 1
  return found[0]


def test_rows_round_trip(runs):
  rows = report.read([runs / 'seed1'])
  with (runs / 'seed1' / 'results.csv').open(newline='') as f:
    records = list(csv.DictReader(f))
  assert len(rows) == len(records)
  for row, record in zip(rows, records, strict=True):
    for column in results.COLUMNS:
      value = getattr(row, column)
      assert ('' if value is None else str(value)) == record[column]
    assert row.data == 'digits'


def test_a_folder_of_runs_and_repeated_runs(runs):
  everything = report.read([runs])
  one_by_one = report.read([runs / f'seed{s}' for s in range(3)])
  assert everything == one_by_one
  assert report.read([runs, runs / 'seed0']) == everything
  assert report.read(str(runs)) == everything


def test_table_over_seeds_equals_hand_computed_means(runs):
  rows = report.read([runs])
  line = one(report.table(rows), 'Hydra', 10)
  assert line.seeds == (0, 1, 2)
  assert line.nonzero == 7817
  for suite in ('clean', 'corrupted', 'rendition'):
    errors = []
    for seed in range(3):
      with np.load(runs / f'seed{seed}' / 'predictions.npz') as z:
        cells = [
          np.mean(z[k] != z[f'labels|{suite}'])
          for k in z.files
          if k.startswith(f'hydra_10|{suite}|')
        ]
      assert len(cells) == (27 if suite == 'corrupted' else 1)
      errors.append(100 * np.mean(cells))
    half = 4.302653 * np.std(errors, ddof=1) / math.sqrt(3)
    estimate = line.errors[suite]
    assert estimate.mean == pytest.approx(np.mean(errors))
    assert estimate.high - estimate.mean == pytest.approx(half, rel=1e-6)
    low = max(0, np.mean(errors) - half)
    assert estimate.low == pytest.approx(low, rel=1e-5)


def test_one_seed_keeps_the_interval_over_images(runs):
  rows = report.read([runs / 'seed0'])
  (row,) = (r for r in rows if r.network == 'teacher' and r.suite == 'clean')
  estimate = one(report.table(rows), 'AugMix').errors['clean']
  assert estimate == report.Estimate(
    100 * row.error, 100 * row.low, 100 * row.high
  )


def test_every_network_has_one_line(runs):
  lines = report.table(report.read([runs]))
  assert len(lines) == len(synthetic_runs.NETWORKS)
  labels = [summary.label(line, lines) for line in lines]
  assert len(set(labels)) == len(labels)
  assert [x.pruned for x in lines] == sorted(x.pruned for x in lines)


def test_settings_are_never_mixed(tmp_path):
  networks = synthetic_runs.NETWORKS[:2]
  synthetic_runs.write(tmp_path / 'a', networks=networks, n=40)
  synthetic_runs.write(tmp_path / 'b', networks=networks, n=50, seed=1)
  synthetic_runs.write(tmp_path / 'c', networks=networks, n=40, data='other')
  synthetic_runs.write(tmp_path / 'd', networks=networks, n=40, seed=2)
  edit(tmp_path / 'd', change_all(protocol='official'))
  lines = report.table(report.read([tmp_path]))
  assert len({line.setting for line in lines}) == 4
  assert all(len(line.seeds) == 1 for line in lines)


def test_ratios_that_differ_a_little_between_seeds_are_one_request(tmp_path):
  filters = [('f', 'L1 filter', 1000, n, 5.0, 20.0, 30.0) for n in (98, 101)]
  for seed, network in enumerate(filters):
    synthetic_runs.write(tmp_path / f's{seed}', seed=seed, networks=[network])
  (line,) = report.table(report.read([tmp_path]))
  assert line.seeds == (0, 1)
  assert line.nonzero == round((98 + 101) / 2)


def test_conflicting_networks_are_refused(tmp_path):
  networks = synthetic_runs.NETWORKS[1:2]
  synthetic_runs.write(tmp_path / 'a', networks=networks)
  synthetic_runs.write(tmp_path / 'b', networks=networks)
  rows = report.read([tmp_path])
  assert len(report.table(rows)) == 1  # The same network twice counts once.
  edit(tmp_path / 'b', lambda r: [r[0] | {'error': '0.9'}, *r[1:]])
  with pytest.raises(ValueError, match="'AugMix' with seed 0"):
    report.table(report.read([tmp_path]))


def test_paired_differences_equal_numpy(runs):
  lines = report.table(report.read([runs / 'seed0']))
  reference = one(lines, 'AugMix')
  worse = one(lines, 'layer weight', 40)
  found = paired.differences([reference, worse], reference)
  with np.load(runs / 'seed0' / 'predictions.npz') as z:
    wrong = {
      n: z[f'{n}|rendition||'] != z['labels|rendition']
      for n in ('teacher', 'layer_40')
    }
  expected = 100 * (wrong['layer_40'].mean() - wrong['teacher'].mean())
  by_suite = {d.suite: d for d in found}
  assert by_suite['rendition'].mean == pytest.approx(expected)
  assert by_suite['corrupted'].verdict == 'higher'
  (mirrored,) = (
    d
    for d in paired.differences(lines, worse)
    if d.line is reference and d.suite == 'corrupted'
  )
  assert mirrored.verdict == 'lower'
  assert mirrored.mean == pytest.approx(-by_suite['corrupted'].mean)
  assert sum(d.mean for d in found) == pytest.approx(
    sum(worse.errors[s].mean - reference.errors[s].mean for s in worse.errors)
  )


def test_seeds_that_agree_do_not_resolve_one_image(tmp_path):
  networks = [(n, n, 100, 100, 5.0, 20.0, 30.0) for n in ('a', 'b')]
  for seed in range(3):
    folder = synthetic_runs.write(
      tmp_path / f's{seed}', seed=seed, networks=networks, n=100
    )
    with np.load(folder / 'predictions.npz') as z:
      stored = dict(z)
    stored['a|clean||'] = stored['labels|clean'].copy()
    stored['b|clean||'] = stored['labels|clean'].copy()
    stored['b|clean||'][7] += 1
    np.savez(folder / 'predictions.npz', **stored)
  a, b = report.table(report.read([tmp_path]))
  (clean,) = (d for d in paired.differences([b], a) if d.suite == 'clean')
  assert clean.mean == pytest.approx(1.0)
  assert clean.seeds == 3
  assert clean.verdict == 'not resolved'


def test_other_images_are_not_paired(tmp_path):
  for i, name in enumerate('ab'):
    folder = synthetic_runs.write(
      tmp_path / name, networks=synthetic_runs.NETWORKS[i : i + 1], n=40
    )
  with np.load(folder / 'predictions.npz') as z:
    stored = dict(z)
  stored['labels|clean'] = stored['labels|clean'][::-1]
  np.savez(folder / 'predictions.npz', **stored)
  lines = report.table(report.read([tmp_path]))
  with pytest.raises(ValueError, match='different images'):
    paired.differences(lines, lines[0])


def test_predictions_that_lack_a_network_are_named(runs):
  with pytest.raises(ValueError, match=r'nobody\|clean'):
    paired.wrong(runs / 'seed0', 'nobody', 'clean', ())


def test_reading_needs_neither_matplotlib_nor_jax():
  code = (
    'import sys; from rcj import report; '
    'assert not {"matplotlib", "jinja2", "jax", "flax"} & set(sys.modules)'
  )
  subprocess.run([sys.executable, '-c', code], check=True)


def test_folders_that_are_no_runs(tmp_path):
  with pytest.raises(FileNotFoundError, match='not a folder'):
    report.read([tmp_path / 'nowhere'])
  (tmp_path / 'notes.txt').write_text('')
  with pytest.raises(FileNotFoundError, match=r'results\.csv.*notes\.txt'):
    report.read([tmp_path])
  with pytest.raises(ValueError, match='at least one'):
    report.read([])


def drop_mean(records):
  return [r for r in records if r['corruption'] != 'mean']


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (change_all(error='12.5'), 'line 2: error is 12.5.*fraction'),
    (change_all(error=''), 'line 2: not a number'),
    (change_all(seed='zero'), 'zero'),
    (change_all(suite='sketch'), "'sketch'.*rendition"),
    (change_all(n='0'), 'n is 0'),
    (drop_mean, '27 cells.*found none'),
    (
      lambda rs: [
        {k: v for k, v in r.items() if k not in ('low', 'nonzero')} for r in rs
      ],
      r"lacks the columns \['nonzero', 'low'\].*found run,variant",
    ),
  ],
)
def test_bad_results(tmp_path, change, message):
  folder = synthetic_runs.write(
    tmp_path / 'run', networks=synthetic_runs.NETWORKS[:1], n=20
  )
  edit(folder, change)
  with pytest.raises(ValueError, match=message):
    report.read([folder])


def test_empty_results_and_bad_configs(tmp_path):
  folder = synthetic_runs.write(
    tmp_path / 'run', networks=synthetic_runs.NETWORKS[:1], n=20
  )
  (folder / 'results.csv').write_text(','.join(results.COLUMNS) + '\n')
  with pytest.raises(ValueError, match='no rows'):
    report.read([folder])
  (folder / 'results.csv').write_text('')
  with pytest.raises(ValueError, match='an empty file'):
    report.read([folder])
  (folder / 'config.json').write_text(json.dumps({'seed': 0}))
  with pytest.raises(ValueError, match="'data'"):
    report.read([folder])
  (folder / 'config.json').write_text('{')
  with pytest.raises(ValueError, match='not JSON'):
    report.read([folder])
  (folder / 'config.json').unlink()
  with pytest.raises(FileNotFoundError, match=r'no config\.json'):
    report.read([folder])


def test_provenance(tmp_path, runs):
  settings = provenance.settings([runs / 'seed0', runs / 'seed1'])
  assert settings.differing == ('seed', 'command')
  assert settings.runs['seed1'][0] == '1'
  assert settings.common['versions.jax'] == '0.10.2'
  log = provenance.phases(runs / 'seed0')
  assert [(p.phase, p.steps) for p in log] == [
    ('train', 300),
    ('finetune', 300),
  ]
  assert log[0].loss == pytest.approx(0.3)
  text = '{"phase": "train", "step": 5}\n{"phase": "tr'
  (tmp_path / 'metrics.jsonl').write_text(text)
  (phase,) = provenance.phases(tmp_path)
  assert phase.steps == 5
  assert math.isnan(phase.loss)
