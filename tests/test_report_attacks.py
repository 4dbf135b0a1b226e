"""Other domains and attacks in tables, figures and the table of attacks."""

import io
import math

import pytest
import synthetic_attacks
import synthetic_runs
from rich.console import Console
from synthetic_attacks import share, write

from rcj import grid, report
from rcj.report import attacks, paired, style, suites, views

ORDER = ('clean', 'to art', 'to cartoon', 'to sketch', 'light', 'heavy')


@pytest.fixture(scope='module')
def swept(tmp_path_factory):
  """A sweep of two networks by three methods, with two seeds."""
  folder = tmp_path_factory.mktemp('swept')
  synthetic_attacks.sweep(folder)
  return folder


@pytest.fixture(scope='module')
def lines(swept):
  return report.table(report.read([swept]))


def printed(show, rows, width):
  console = Console(width=width, file=io.StringIO())
  show(rows, console)
  text = console.file.getvalue()
  assert '…' not in text
  assert max(map(len, text.splitlines())) <= width
  return text


def test_suites_have_an_order():
  found = ['heavy', 'to b', 'check', 'rendition', 'to a', 'clean', 'light']
  expected = ('clean', 'rendition', 'to a', 'to b', 'light', 'heavy')
  assert suites.ordered(found) == expected
  assert suites.ordered(['smallest']) == ()


@pytest.mark.parametrize('suite', ['sketch', 'to ', '', 'To art', 'heavier'])
def test_unknown_suites_are_refused(tmp_path, suite):
  folder = write(tmp_path / 'run', {'clean': share(0.1)})
  synthetic_runs.edit(folder, synthetic_runs.change_all(suite=suite))
  expected = f'line 2: unknown suite {suite!r}; the suites are clean, .*DOMAIN'
  with pytest.raises(ValueError, match=expected):
    report.read([folder])


def test_attacks_of_a_suite_need_their_mean_but_those_apart_do_not(tmp_path):
  attacked = {'fgsm': share(0.5), 'pgd': share(0.7)}
  apart = write(tmp_path / 'a', {'smallest': attacked, 'check': attacked})
  assert len(report.read([apart])) == 4
  folder = write(tmp_path / 'b', {'light': attacked})

  def drop_mean(records):
    return [r for r in records if r['corruption'] != 'mean']

  synthetic_runs.edit(folder, drop_mean)
  with pytest.raises(ValueError, match=r'2 cells.*light.*found none'):
    report.read([folder])


def test_old_results_have_no_attacks(tmp_path):
  folder = write(tmp_path / 'run', {'clean': share(0.1)})

  def drop(records):
    kept = ('eps', 'norm', 'norm_25', 'norm_50', 'norm_75')
    return [
      {
        k: v
        for k, v in r.items()
        if k not in (*kept, 'zero_gradients', 'masked')
      }
      for r in records
    ]

  synthetic_runs.edit(folder, drop)
  (row,) = report.read([folder])
  assert math.isnan(row.attacked.eps)
  assert row.attacked.masked == ''
  assert 'Attacks' not in printed(report.print_table, [row], 100)


def test_columns_of_attacks_are_numbers(tmp_path):
  bad = {('light', 'pgd'): {'eps': 'small'}}
  folder = write(tmp_path / 'run', {'light': {'pgd': share(0.5)}}, attacked=bad)
  with pytest.raises(ValueError, match=r'line 2: not a number.*small'):
    report.read([folder])


def test_tables_have_the_suites_that_occur(swept, lines, tmp_path):
  assert all(tuple(line.errors) == ORDER for line in lines)
  heavy = lines[0].errors['heavy'].mean
  own = [e.mean for (s, _), (e, _) in lines[0].attacks.items() if s == 'heavy']
  assert heavy == pytest.approx(sum(own) / 3)
  rows = report.read([swept])
  for width in (80, 140):
    text = printed(report.print_table, rows, width)
    words = ' '.join(ORDER).split() if width == 80 else ORDER
    assert all(word in text for word in words)
    assert 'rendition' not in text
    assert text.count('smallest') == len(lines)  # a head in each of its tables
  page = report.write_html(rows, tmp_path / 'r.html', title='t').read_text()
  heads = page.partition('<h3>Results')[2].partition('</tr>')[0]
  assert heads.endswith(''.join(f'<th>{suite}</th>' for suite in ORDER))


def test_long_names_of_domains_fit(tmp_path):
  names = ('to art_painting', 'to cartoon', 'to sketch')
  folder = write(tmp_path / 'run', {name: share(0.5) for name in names})
  text = printed(report.print_table, report.read([folder]), 80)
  assert 'art_painting' in text


def test_networks_of_other_sources_and_attacks_are_apart(tmp_path):
  clean = {'clean': share(0.1)}
  for i, extra in enumerate(
    [
      {'to art': share(0.2)},
      {'to sketch': share(0.2)},
      {'light': {'fgsm': share(0.2)}},
      {'light': {'pgd': share(0.2)}},
      {'light': {'pgd': share(0.2, 50)}},
    ]
  ):
    write(tmp_path / str(i), clean | extra)
  lines = report.table(report.read([tmp_path]))
  assert len({line.setting for line in lines}) == 5


def test_attacks_are_paired_over_their_cells(swept, lines):
  reference, other = (
    next(x for x in lines if x.method == f'{name} (model ResNet-18)')
    for name in ('float', 'int8')
  )
  found = {d.suite: d for d in paired.differences([other], reference)}
  assert tuple(found) == ORDER
  for suite in ORDER:
    expected = other.errors[suite].mean - reference.errors[suite].mean
    assert found[suite].mean == pytest.approx(expected)
  assert found['heavy'].verdict == 'lower'


def test_views_have_a_column_for_each_suite(swept):
  rows = report.read([swept])
  (view, *_) = grid.read(swept)
  filled = report.fill(view, swept, rows)
  assert tuple(c.suite for c in filled.columns) == ORDER
  text = ' '.join(views.notes(filled))
  assert 'heavy: pacs, source not stated, attacks fgsm, pgd, salt' in text
  best = {(o.cell.series, c.suite) for o in filled.outcomes for c in o.best}
  assert ('int8', 'heavy') in best


def test_six_suites_are_drawn_in_two_rows(swept):
  matplotlib = pytest.importorskip('matplotlib')
  (view, *_) = grid.read(swept)
  one = grid.View(
    'figure',
    'One panel.',
    'bars',
    tuple(
      grid.Cell(c.fields, c.series, 'all', c.panel, c.runs) for c in view.cells
    ),
    'model',
  )
  with matplotlib.rc_context(style.RC):
    figure = views.figure(report.fill(one, swept, report.read([swept])))
  titles = [ax.get_title(loc='left') for ax in figure.axes]
  assert titles == [suites.title(suite) for suite in ORDER]
  assert len({round(ax.get_position().y0, 2) for ax in figure.axes}) == 2


def test_the_domain_of_training_is_not_missing(tmp_path):
  made = []
  for source, target in (('art', 'photo'), ('photo', 'art')):
    write(tmp_path / source, {'clean': share(0.1), f'to {target}': share(0.3)})
    made.append(grid.Cell({'source': source}, source, runs=(source,)))
  grid.write([grid.View('v', 'A view.', 'table', tuple(made))], tmp_path)
  (view,) = grid.read(tmp_path)
  filled = report.fill(view, tmp_path, report.read([tmp_path]))
  console = Console(width=120, file=io.StringIO())
  report.print_view(filled, console)
  text = console.file.getvalue()
  assert 'to art' in text
  assert 'to photo' in text
  assert 'not run' not in text


SEEDS = (
  {'zero_gradients': 0.1, 'masked': 'Square, transfer'},
  {'zero_gradients': 0.3, 'masked': 'Square'},
)
FIXED = {'norm_25': 0, 'norm_50': 8 / 255, 'norm_75': 'inf'}
SMALLEST = {'norm': 'l2', 'norm_25': 0.1, 'norm_50': 0.5, 'norm_75': 'inf'}


@pytest.fixture
def two_seeds(tmp_path):
  """One network with two seeds, attacked in all four ways."""
  for seed, (extra, rate) in enumerate(zip(SEEDS, (0.5, 0.6), strict=True)):
    write(
      tmp_path / str(seed),
      {
        'clean': share(0.1),
        'light': {'fgsm': share(0.2), 'salt_and_pepper': share(0.1)},
        'heavy': {'fgsm': share(rate), 'salt_and_pepper': share(0.3)},
        'smallest': {'deepfool': share(1.0)},
        'check': {'square': share(0.9)},
      },
      seed=seed,
      label='int8',
      attacked={
        ('light', 'fgsm'): extra | {'eps': 2 / 255, 'norm': 'linf'},
        ('heavy', 'fgsm'): FIXED | extra | {'eps': 8 / 255, 'norm': 'linf'},
        ('light', 'salt_and_pepper'): extra | {'eps': 0.005, 'norm': 'l2'},
        ('heavy', 'salt_and_pepper'): extra | {'eps': 0.05, 'norm': 'l2'},
        ('smallest', 'deepfool'): extra | SMALLEST,
        ('check', 'square'): extra | {'eps': 0.5, 'norm': 'l2'},
      },
    )
  return report.read([tmp_path])


def test_the_table_of_attacks_is_over_seeds(two_seeds):
  heads, (network,) = attacks.table(report.table(two_seeds))
  expected = ('attack', 'light', 'heavy', 'smallest', 'check', 'eps')
  assert heads == (*expected, 'fooled by')
  rows = {row[0]: row[1:] for row in network.rows}
  assert rows['fgsm'] == (
    '80.0 [80.0, 80.0]',
    '45.0 [0.0, 100.0]',
    '-',
    '-',
    '2/255; 8/255',
    '0, 8, inf /255',
  )
  assert rows['salt_and_pepper'][4] == '0.5 % px; 5 % px'
  assert rows['deepfool'][2:] == (
    '0.0 [0.0, 0.0]',
    '-',
    '-',
    '0.1, 0.5, inf l2',
  )
  assert rows['square'][3:5] == ('10.0 [10.0, 10.0]', '0.5 l2')
  assert network.zero_gradients == '20.0 %'
  assert network.masked == 'Square, transfer (1 of 2 seeds)'


@pytest.mark.parametrize(
  ('masked', 'expected'),
  [
    (('no', 'no'), 'no'),
    (('', ''), ''),
    (('no', 'Square'), 'Square (1 of 2 seeds)'),
    (('no', ''), 'not checked (1 of 2 seeds)'),
  ],
)
def test_verdicts_of_several_seeds(masked, expected):
  of_seeds = [attacks.Attacked(masked=text) for text in masked]
  assert attacks.mean(of_seeds).masked == expected


@pytest.mark.parametrize('width', [80, 140])
def test_attacks_in_a_terminal(two_seeds, width):
  text = printed(report.print_attacks, two_seeds, width)
  assert 'zero gradients 20.0 %, masked? Square, transfer (1 of 2' in text
  for word in ('45.0', '8/255', '5 % px', 'square', '0.1, 0.5, inf l2'):
    assert word in text


def test_attacks_on_the_page(two_seeds, tmp_path):
  pytest.importorskip('matplotlib')
  path = report.write_html(two_seeds, tmp_path / 'r.html', title='t')
  table = path.read_text().partition('<h3>Attacks')[2].partition('</table>')[0]
  assert table.count('<tr') == 1 + 4
  for cell in (
    '45.0 [0.0, 100.0]',
    '20.0 %',
    'Square, transfer (1 of 2 seeds)',
  ):
    assert f'<td>{cell}</td>' in table
