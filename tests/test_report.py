import base64
import csv
import io
import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest
import synthetic_runs
from rich.console import Console

from rcj import report, results
from rcj.report import paired, provenance, summary


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


def edit(folder, change):
  """Rewrites results.csv with change(records) -> records."""
  with (folder / 'results.csv').open(newline='') as f:
    records = list(csv.DictReader(f))
  records = change(records)
  with (folder / 'results.csv').open('w', newline='') as f:
    writer = csv.DictWriter(f, list(records[0]))
    writer.writeheader()
    writer.writerows(records)


def change_all(**values):
  return lambda records: [r | values for r in records]


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
  shown = ('12.3 M', '3.09 M', '313 kB', '80.0 kB', '20.5 kB', '999 B')
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
