"""Verdicts on claims, of predictions for which the right answer is known."""

import csv
import io

import numpy as np
import pytest
import synthetic_attacks
from rich.console import Console
from synthetic_attacks import claimed, found, pair, share

from rcj import grid, intervals, report
from rcj.report import views
from rcj.report.views import answer

CLEAR = {'int8': {'clean': share(0.1)}, 'float': {'clean': share(0.4)}}


def suites_of(cells, suites):
  """{run: suites of its series}."""
  return {run: suites[c.series] for c in cells for run in c.runs}


def alone(tmp_path, axis, first, second):
  """The finding of one pair with one seed."""
  cells = pair()
  suites = suites_of(cells, {'int8': first, 'float': second})
  filled = claimed(tmp_path, axis, cells, suites)
  (quantity,) = {f.quantity for f in filled.findings}
  return found(filled)[str(quantity), 'net'], views.verdict(filled)


@pytest.mark.parametrize(
  ('first', 'second', 'axis', 'expected'),
  [
    (0.1, 0.4, 'lower', 'holds'),
    (0.1, 0.4, 'higher', 'does not hold'),
    (0.4, 0.1, 'lower', 'does not hold'),
    (0.4, 0.1, 'higher', 'holds'),
    (0.11, 0.1, 'lower', 'not resolved'),
    (0.11, 0.1, 'higher', 'not resolved'),
    (0.11, 0.1, 'within 4', 'holds'),
    (0.11, 0.1, 'within 1', 'not resolved'),
    (0.4, 0.1, 'within 4', 'does not hold'),
    (0.1, 0.4, 'within 4', 'holds'),
    (0.2, 0.2, 'lower', 'not resolved'),
  ],
)
def test_a_pair(tmp_path, first, second, axis, expected):
  finding, verdict = alone(
    tmp_path,
    f'clean {axis}',
    {'clean': share(first)},
    {'clean': share(second)},
  )
  assert finding.mean == pytest.approx(100 * (first - second))
  assert finding.verdict == verdict == expected
  assert (finding.images, finding.seeds) == (100, 1)


def test_a_pair_has_the_interval_of_paired_differences(tmp_path):
  a, b = share(0.3), share(0.4, start=20)
  finding, _ = alone(tmp_path, 'clean lower', {'clean': a}, {'clean': b})
  expected = 100 * np.array(intervals.paired_difference(a, b))
  got = (finding.mean, finding.low, finding.high)
  assert got == pytest.approx(tuple(expected))


def test_shifts_have_equal_weight_whatever_their_images(tmp_path):
  first = {'to art': share(0.5, 40), 'to sketch': share(0.1, 400)}
  second = {'to art': share(0.1, 40), 'to sketch': share(0.1, 400)}
  finding, verdict = alone(tmp_path, 'shifts higher', first, second)
  assert finding.mean == pytest.approx(20.0)
  assert finding.images == 440
  _, low, high = intervals.bootstrap_mean(share(0.4, 40), samples=20000)
  assert finding.low == pytest.approx(50 * low, abs=1.5)
  assert finding.high == pytest.approx(50 * high, abs=1.5)
  assert verdict == 'holds'


def attacked(pgd, pepper):
  return {'heavy': {'pgd': share(pgd), 'salt_and_pepper': share(pepper)}}


def test_one_attack_of_a_suite(tmp_path):
  pgd, _ = alone(
    tmp_path / 'a', 'heavy:pgd lower', attacked(0.5, 0.3), attacked(0.9, 0.3)
  )
  assert pgd.mean == pytest.approx(-40.0)
  both, _ = alone(
    tmp_path / 'b', 'heavy lower', attacked(0.5, 0.3), attacked(0.9, 0.3)
  )
  assert both.mean == pytest.approx(-20.0)
  other, verdict = alone(
    tmp_path / 'c', 'heavy:bim lower', attacked(0.5, 0.3), attacked(0.9, 0.3)
  )
  assert verdict == 'not run'
  assert 'no attack bim in heavy; there are: pgd, salt' in other.reason


@pytest.mark.parametrize(
  ('gains', 'expected'),
  [
    ((0.4, 0.0), 'holds'),
    ((0.2, 0.2), 'not resolved'),
    ((0.0, 0.4), 'does not hold'),
  ],
)
def test_a_difference_of_differences(tmp_path, gains, expected):
  """The gains of int8 under the two attacks are compared."""
  finding, verdict = alone(
    tmp_path,
    'heavy:pgd minus heavy:salt_and_pepper lower',
    attacked(0.9 - gains[0], 0.5 - gains[1]),
    attacked(0.9, 0.5),
  )
  assert finding.mean == pytest.approx(100 * (gains[1] - gains[0]))
  assert verdict == finding.verdict == expected
  assert finding.images == 100


def test_gains_on_the_same_images_cancel_image_by_image(tmp_path):
  """Equal gains on equal images leave nothing to resample."""
  finding, _ = alone(
    tmp_path,
    'heavy:pgd minus heavy:salt_and_pepper within 1',
    attacked(0.2, 0.2),
    attacked(0.6, 0.6),
  )
  assert (finding.mean, finding.low, finding.high) == (0.0, 0.0, 0.0)
  assert finding.verdict == 'holds'


def two_panels(tmp_path, suites, *, images=None, seeds=(0,), axis='lower'):
  cells = [*pair('a', seeds=seeds), *pair('b', seeds=seeds)]
  made = {
    run: suites[c.panel, c.series]
    for c in cells
    for run in c.runs
    if (c.panel, c.series) in suites
  }
  return claimed(tmp_path, f'clean {axis}', cells, made, images=images)


OPPOSED = {
  ('a', 'int8'): {'clean': share(0.1)},
  ('a', 'float'): {'clean': share(0.4)},
  ('b', 'int8'): {'clean': share(0.4)},
  ('b', 'float'): {'clean': share(0.1)},
}


def test_panels_with_the_same_images_are_averaged_image_by_image(tmp_path):
  shared = two_panels(tmp_path / 'a', OPPOSED, axis='within 1')
  pooled = found(shared)['clean', 'all']
  # What the one loses on an image, the other gains on it.
  assert (pooled.mean, pooled.low, pooled.high) == (0.0, 0.0, 0.0)
  assert pooled.images == 100
  assert pooled.place == 'all 2 pairs'
  assert views.verdict(shared) == 'holds'
  apart = two_panels(tmp_path / 'b', OPPOSED, images={'b': 1}, axis='within 1')
  pooled = found(apart)['clean', 'all']
  assert pooled.mean == pytest.approx(0.0)
  assert pooled.images == 200
  assert pooled.low < -3 < 3 < pooled.high
  assert views.verdict(apart) == 'not resolved'


def test_panels_weigh_the_same_whatever_their_number_of_images(tmp_path):
  suites = OPPOSED | {
    ('b', 'int8'): {'clean': share(0.1, 400)},
    ('b', 'float'): {'clean': share(0.1, 400)},
  }
  filled = two_panels(tmp_path, suites)
  assert found(filled)['clean', 'all'].mean == pytest.approx(-15.0)
  assert found(filled)['clean', 'b'].verdict == 'not resolved'
  assert views.verdict(filled) == 'holds'


def test_what_was_not_run_is_left_out(tmp_path):
  suites = {k: v for k, v in OPPOSED.items() if k != ('b', 'float')}
  filled = two_panels(tmp_path, suites)
  got = found(filled)
  assert got['clean', 'all'].place == '1 of 2 pairs'
  assert got['clean', 'all'].mean == pytest.approx(-30.0)
  assert got['clean', 'b'].verdict == 'not run'
  assert views.verdict(filled) == 'holds'


def test_nothing_was_run(tmp_path):
  filled = two_panels(tmp_path / 'a', {})
  assert {f.verdict for f in filled.findings} == {'not run'}
  assert views.verdict(filled) == 'not run'
  cells = pair()
  clean = claimed(
    tmp_path / 'b', 'clean, heavy lower', cells, suites_of(cells, CLEAR)
  )
  assert found(clean)['clean', 'net'].verdict == 'holds'
  assert found(clean)['heavy', 'net'].reason == 'heavy was not run'
  assert views.verdict(clean) == 'not resolved'


def test_a_claim_holds_where_each_of_its_suites_does(tmp_path):
  cells = pair()
  clean, light = share(0.1), share(0.2)
  suites = {
    'int8': {'clean': clean, 'light': {'pgd': light}},
    'float': {'clean': share(0.5), 'light': {'pgd': share(0.6)}},
  }
  axis = 'clean, light lower'
  both = claimed(tmp_path / 'a', axis, cells, suites_of(cells, suites))
  assert views.verdict(both) == 'holds'
  suites['float']['light'] = {'pgd': share(0.01)}
  one = claimed(tmp_path / 'b', axis, cells, suites_of(cells, suites))
  assert views.verdict(one) == 'does not hold'


def test_seeds_widen_the_interval(tmp_path):
  cells = pair(seeds=(0, 1, 2))
  suites = suites_of(cells, CLEAR)
  same = claimed(tmp_path / 'a', 'clean lower', cells, suites)
  assert found(same)['clean', 'all'].seeds == 3
  assert views.verdict(same) == 'holds'
  for seed, rate in ((1, 0.45), (2, 0.85)):
    suites[f'net-int8-{seed}'] = {'clean': share(rate)}
  differ = claimed(tmp_path / 'b', 'clean higher', cells, suites)
  finding = found(differ)['clean', 'net']
  differences = [-30.0, 5.0, 45.0]
  mean, low, high = intervals.over_seeds(differences)
  got = (finding.mean, finding.low, finding.high)
  assert got == pytest.approx((mean, low, high))
  assert views.verdict(differ) == 'not resolved'


def test_seeds_are_those_that_both_and_all_have(tmp_path):
  cells = [*pair('a', seeds=(0, 1, 2)), *pair('b', seeds=(0, 1, 2))]
  suites = suites_of(cells, CLEAR)
  for run in ('a-float-2', 'b-int8-0'):
    del suites[run]
  filled = claimed(tmp_path / 'a', 'clean lower', cells, suites)
  seeds = {place: f.seeds for (_, place), f in found(filled).items()}
  # Their one common seed would say less than either pair does.
  assert seeds == {'a': 2, 'b': 2, 'all': 2}
  assert '1 of 2 pairs' in answer.verdicts(filled)
  assert answer.answered(filled) == views.verdict(filled), 'both were run'
  cells = pair(seeds=(0, 1))
  suites = suites_of(cells, CLEAR)
  del suites['net-int8-0'], suites['net-float-1']
  filled = claimed(tmp_path / 'b', 'clean lower', cells, suites)
  finding = found(filled)['clean', 'net']
  assert 'no seed in common' in finding.reason
  assert views.verdict(filled) == 'not resolved'


def test_other_images_and_lost_predictions_are_told(tmp_path):
  cells = pair()
  suites = {'int8': {'clean': share(0.1)}, 'float': {'clean': share(0.1, 50)}}
  other = claimed(
    tmp_path / 'a', 'clean lower', cells, suites_of(cells, suites)
  )
  assert 'different images' in found(other)['clean', 'net'].reason
  assert 'different images' in ' '.join(views.notes(other))
  suites = suites_of(cells, CLEAR)
  claimed(tmp_path / 'b', 'clean lower', cells, suites)
  (tmp_path / 'b' / 'net-int8-0' / 'predictions.npz').unlink()
  rows = report.read([tmp_path / 'b'])
  lost = report.fill(other.view, tmp_path / 'b', rows)
  assert 'no predictions.npz' in found(lost)['clean', 'net'].reason
  assert views.verdict(lost) == 'not resolved'


def test_a_verdict_on_some_pairs_says_so(tmp_path):
  cells = [*pair('a', seeds=(0, 1)), *pair('b', seeds=(0, 1))]
  suites = suites_of(cells, CLEAR)
  whole = claimed(tmp_path / 'a', 'clean lower', cells, suites)
  part = {run: x for run, x in suites.items() if run.startswith('a-')}
  some = claimed(tmp_path / 'b', 'clean lower', cells, part)
  assert answer.answered(whole) == views.verdict(whole)
  assert answer.answered(some) == f'{views.verdict(some)} so far'
  none = claimed(tmp_path / 'c', 'clean lower', cells, {})
  assert answer.answered(none) == 'not run'


@pytest.fixture(scope='module')
def swept(tmp_path_factory):
  """Claims, with a table, of two networks by three methods."""
  folder = tmp_path_factory.mktemp('swept')
  synthetic_attacks.sweep(folder)
  rows = report.read([folder])
  return rows, [report.fill(v, folder, rows) for v in grid.read(folder)]


def test_files_of_a_claim(swept, tmp_path):
  pytest.importorskip('matplotlib')
  _, sweep = swept
  report.write_files(sweep, tmp_path)
  assert not (tmp_path / 'claim1.svg').exists()
  with (tmp_path / 'claim1.csv').open(newline='') as f:
    records = list(csv.DictReader(f))
  (filled,) = (f for f in sweep if f.view.name == 'claim1')
  assert len(records) == 3 * (2 + 1)
  for record, finding in zip(records, filled.findings, strict=True):
    assert float(record['low']) == pytest.approx(finding.low / 100, abs=1e-5)
    assert record['verdict'] == finding.verdict
    assert (record['first'], record['second']) == ('int8', 'float')
  text = (tmp_path / 'claim1.md').read_text()
  table = [x for x in text.splitlines() if x.startswith('| ')]
  assert len(table) == 2 + len(records)
  assert f'Verdict: {views.verdict(filled)} (clean: ' in text


@pytest.mark.parametrize('width', [80, 140])
def test_claims_in_a_terminal(swept, width):
  for filled in swept[1]:
    console = Console(width=width, file=io.StringIO())
    report.print_view(filled, console)
    text = console.file.getvalue()
    assert '…' not in text
    assert max(map(len, text.splitlines())) <= width
    if filled.findings:
      assert f'Verdict: {views.verdict(filled)}' in text
      for finding in filled.findings:
        assert finding.place in text


def test_claims_on_the_page(swept, tmp_path):
  pytest.importorskip('matplotlib')
  rows, sweep = swept
  page = report.write_html(rows, tmp_path / 'r.html', title='t', sweep=sweep)
  text = page.read_text()
  section = text.partition('<h2>Claims</h2>')[2].partition('<h2>')[0]
  for filled in sweep:
    if filled.view.kind != 'claim':
      continue
    verdict = views.verdict(filled)
    assert f'<h3>{filled.view.name}: {verdict}</h3>' in section
    for finding in filled.findings:
      assert f'<td>{views.answer.row(finding)[2]}</td>' in section.replace(
        ' class="best"', ''
      )
  assert '<h2>claim1</h2>' not in text
