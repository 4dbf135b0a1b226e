"""Plans of sweeps: fields, cells, views, names and order."""

import dataclasses
import threading

import pytest
import sweep_config
from etils import epath
from sweep_config import Small
from sweep_plans import BASE, planned, view

from rcj import grid, locks, sweep
from rcj.sweep.fields import axes, replaced
from rcj.sweep.merging import add, merged
from rcj.sweep.names import LONGEST, run_name
from rcj.sweep.order import next_run
from rcj.sweep.plan import chosen, grid_view, plan

# Fields


def test_axes_have_the_types_of_the_fields():
  texts = ['ratio=5,10', 'tuning=3', 'nesterov=true,False', 'method=gw,lw']
  found = axes(texts, BASE)
  assert found == {
    'ratio': (5.0, 10.0),
    'tuning': (3,),
    'nesterov': (True, False),
    'method': ('gw', 'lw'),
  }
  assert [type(x) for x in found['ratio']] == [float, float]


@pytest.mark.parametrize(
  ('texts', 'words'),
  [
    (['ratios=5'], ["no field 'ratios'", 'ratio=4.0', "method='train'"]),
    (['ratio=much'], ["ratio='much' is no float", '4.0']),
    (['tuning=1.5'], ["tuning='1.5' is no int"]),
    (['nesterov=maybe'], ["nesterov='maybe' is no bool"]),
    (['ratio'], ['FIELD=VALUE', "'ratio'"]),
    (['ratio='], ['FIELD=VALUE']),
    (['seed=0,1'], ['--seeds']),
    (['ratio=1', 'ratio=2'], ["two axes 'ratio'"]),
  ],
)
def test_a_wrong_axis_is_answered_with_what_is_right(texts, words):
  with pytest.raises(ValueError) as e:  # noqa: PT011
    axes(texts, BASE)
  for word in words:
    assert word in str(e.value)


def test_whole_numbers_become_floats_and_nothing_is_rounded():
  config = replaced(BASE, {'ratio': 5})
  assert (config.ratio, type(config.ratio)) == (5.0, float)
  for fields in ({'tuning': 1.0}, {'tuning': True}, {'method': 1}):
    with pytest.raises(ValueError, match='is no'):
      replaced(BASE, fields)


# Cells


def test_a_grid_is_every_combination():
  made = grid_view({'method': ('gw', 'lw'), 'ratio': (5.0, 10.0)})
  assert made.name == 'grid-method-ratio'
  assert [c.fields for c in made.cells] == [
    {'method': m, 'ratio': r} for m in ('gw', 'lw') for r in (5.0, 10.0)
  ]
  assert len({c.series for c in made.cells}) == 4


def test_every_cell_names_one_run_per_seed():
  (filled,), runs = plan([view({}, {'method': 'gw'})], BASE, [3, 5])
  assert filled.cells[0].runs == ('default-seed=3', 'default-seed=5')
  assert filled.cells[1].runs == ('method=gw-seed=3', 'method=gw-seed=5')
  by_name = {run.name: run.config for run in runs}
  assert by_name['method=gw-seed=5'] == Small(method='gw', seed=5)
  assert set(by_name) == {n for c in filled.cells for n in c.runs}


def test_the_same_experiment_in_two_views_is_one_run():
  one = view({'method': 'gw', 'ratio': 4}, name='one')  # 4.0 is the default
  two = view({'method': 'gw'}, {'method': 'gw', 'ratio': 8.0}, name='two')
  (a, b), runs = plan([one, two], BASE, [0])
  assert a.cells[0].runs == b.cells[0].runs
  assert len(runs) == 2


def test_the_first_seed_of_everything_comes_first():
  runs = sweep.ordered(
    planned({'method': 'gw'}, {'method': 'lw'}, seeds=(1, 0))
  )
  assert [run.config.seed for run in runs] == [1, 1, 0, 0]


def test_a_wrong_field_of_a_cell_is_named_with_its_view():
  with pytest.raises(ValueError, match=r"view 'table', cell '0': .*no field"):
    planned({'methud': 'gw'})


def test_what_cannot_be_run_is_kept_with_the_reason():
  good, bad, wrong = planned({}, {'method': 'amda'}, {'method': 'hidra'})
  assert (good.problem, good.phases) == ('', 3)
  assert 'knows no AMDA' in bad.problem
  assert 'there are train, gw, lw' in wrong.problem


def test_views_are_chosen_by_name():
  views = sweep_config.views()
  assert [v.name for v in chosen(views, ['figure1', 'table1'])] == [
    'figure1',
    'table1',
  ]
  assert chosen(views, ['all']) == views
  with pytest.raises(ValueError, match="no view 'figure9'; there are table1"):
    chosen(views, ['figure9'])
  with pytest.raises(ValueError, match='none in this config file'):
    chosen((), ['figure1'])


# sweep.json


def filled(cells, seeds, *, name='table'):
  (swept,), _ = plan([view(*cells, name=name)], BASE, seeds)
  return swept


def test_a_view_that_is_swept_again_keeps_the_other_seeds():
  gw, lw = {'method': 'gw'}, {'method': 'lw'}
  other = filled([gw], [0], name='other')
  first, second = filled([gw, lw], [0]), filled([gw], [1, 0])
  got, same = merged([first, other], [second])
  assert same == other
  assert [cell.fields for cell in got.cells] == [gw]
  assert got.cells[0].runs == ('method=gw-seed=0', 'method=gw-seed=1')
  assert merged([first], [other]) == (first, other)


def test_a_grid_that_is_swept_again_keeps_the_other_values():
  first, second = (
    plan([grid_view({'ratio': values})], BASE, [seed])[0]
    for values, seed in (((5.0, 6.0), 0), ((6.0, 7.0), 1))
  )
  (got,) = merged(first, second)
  assert {cell.series: cell.runs for cell in got.cells} == {
    'ratio 5.0': ('ratio=5-seed=0',),
    'ratio 6.0': ('ratio=6-seed=0', 'ratio=6-seed=1'),
    'ratio 7.0': ('ratio=7-seed=1',),
  }


def test_two_sweeps_of_one_folder_lose_no_view(tmp_path):
  busy = threading.Event()
  one, two = view(name='one'), view(name='two')
  with locks.exclusive(epath.Path(tmp_path / 'sweep.json.lock')) as free:
    assert free
    late = threading.Thread(
      target=add, args=([two], tmp_path), kwargs={'when_busy': busy.set}
    )
    late.start()
    assert busy.wait(timeout=30)
    grid.write([one], tmp_path)
  late.join()
  assert [v.name for v in grid.read(tmp_path)] == ['one', 'two']


# Names


def test_a_name_shows_what_differs_from_the_base():
  config = Small(seed=2, method='gw', ratio=2.5)
  assert run_name(config, BASE) == 'method=gw-ratio=2.5-seed=2'
  base = dataclasses.replace(BASE, ratio=2.5)
  assert run_name(config, base, label='small') == 'small-method=gw-seed=2'
  assert run_name(Small(ratio=5.0), BASE) == 'ratio=5-seed=0'


def test_names_differ_where_configs_do():
  values = ['a/b', 'a_b', 'a:b', '', ' ', 'ä', 'x' * 200, 'x' * 201]
  values += ['gw-ratio=5', '../up', 'a=b', 'a b']
  configs = [Small(method=m) for m in values]
  configs += [Small(method='gw', ratio=5.0), Small(ratio=0.1 + 0.2)]
  configs += [Small(ratio=0.3), Small(learning_rate=1e-5), BASE]
  names = [run_name(config, BASE) for config in configs]
  assert len({name.lower() for name in names}) == len(configs)
  for name in names:
    assert len(name) <= LONGEST
    assert set(name) <= set('-_.=+') | {c for c in name if c.isalnum()}
    assert name.isascii()
    assert not name.startswith('.')


# Order


def test_runs_that_begin_alike_come_together():
  runs = planned(
    {'method': 'gw'},
    {'method': 'gw', 'epochs': 4.0},
    {'method': 'lw'},
    {'method': 'lw', 'epochs': 4.0},
    {'method': 'train'},
  )
  names = [run.name.removesuffix('-seed=0') for run in sweep.ordered(runs)]
  assert names == [
    *('method=gw', 'method=lw', 'default'),
    *('method=gw-epochs=4', 'method=lw-epochs=4'),
  ]


def test_prefixes_are_shared_up_to_the_first_difference():
  gw, lw, other = planned(
    {'method': 'gw'}, {'method': 'lw'}, {'method': 'gw', 'epochs': 3.0}
  )
  assert len(gw.prefixes) == 2
  assert gw.prefixes[0] == lw.prefixes[0]
  assert gw.prefixes[1] != lw.prefixes[1]
  assert not set(gw.prefixes) & set(other.prefixes)
  (seeded,) = planned({'method': 'gw'}, seeds=[1])
  assert not set(gw.prefixes) & set(seeded.prefixes)


def test_a_worker_avoids_the_network_that_another_trains():
  gw, lw, other = planned(
    {'method': 'gw'}, {'method': 'lw'}, {'method': 'gw', 'epochs': 3.0}
  )
  assert next_run([lw, other], [gw], ()) is other
  assert next_run([lw, other], [gw], gw.prefixes) is lw
  assert next_run([lw], [gw], ()) is lw
