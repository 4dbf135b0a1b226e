"""The program that re-measures S2: what it runs after a sweep."""

import pathlib
import shlex
import subprocess
import sys

import pytest

from rcj import grid, s2

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEEDS = 2
UNFINISHED = {'method': 'bp', 'augment': 'augmix', 'density': 0.05}


def named(view):
  """The view with a run directory for each cell and seed."""
  cells = []
  for cell in view.cells:
    words = '-'.join(str(x) for x in cell.fields.values())
    runs = tuple(f'{words}-seed={seed}' for seed in range(SEEDS))
    cells.append(grid.Cell(cell.fields, cell.series, cell.panel, '', runs))
  return grid.View(view.name, view.title, view.kind, tuple(cells), view.axis)


@pytest.fixture(scope='module')
def commands(tmp_path_factory):
  """What would be run where all is finished but one binary network."""
  folder = tmp_path_factory.mktemp('s2')
  views = s2.views(densities=(0.2, 0.05), augments=('none', 'augmix'))
  (view,) = [named(v) for v in views if v.name == 'methods']
  grid.write((view,), folder / 'cards')
  for cell in view.cells:
    if cell.fields != UNFINISHED:
      for run in cell.runs:
        path = folder / 'cards' / run / 'artifact' / 'network.rcj'
        path.parent.mkdir(parents=True)
        path.touch()
  done = subprocess.run(
    [
      *(sys.executable, 'launch/s2.py', '--dry_run', '--jobs=2'),
      *(f'--workdir={folder}', '--data_root=cifar.npz', '--set=scale=0.1'),
      *('--set=width=2', '--seeds=0,1'),
    ],
    capture_output=True,
    text=True,
    check=True,
    cwd=ROOT,
  )
  lines = done.stdout.splitlines()
  told = [line for line in lines if 'not run' in line]
  rest = [shlex.split(line)[1:] for line in lines if line not in told]
  return rest, told


def of(commands, program):
  return [words for words in commands[0] if words[0] == program]


def test_the_sweep_comes_first_with_every_field(commands):
  words = commands[0][0]
  assert words[0] == 'launch/sweep.py'
  assert {
    *('--seeds=0,1', '--jobs=2', '--views=all'),
    *('--config.scale=0.1', '--config.width=2'),
  } <= set(words)


def test_decks_are_dealt_where_their_members_are_finished(commands):
  decks = {
    words[-2].removeprefix('--method='): [
      pathlib.Path(w).name for w in words[1:] if not w.startswith('--')
    ]
    for words in of(commands, 'launch/deck.py')
  }
  assert set(decks) == {
    'LRR deck of 2',
    'LRR deck of 4',
    'LTH and LRR deck of 4',
  }
  assert decks['LRR deck of 4'] == [
    'lrr-none-0.05-seed=0',
    'lrr-none-0.05-seed=1',
    'lrr-augmix-0.05-seed=0',
    'lrr-augmix-0.05-seed=1',
  ]
  # Six need a third seed, and binary ones the network that is missing.
  assert {line.partition(':')[0] for line in commands[1]} == {
    'LRR deck of 6',
    'BP deck of 2',
    'BP deck of 4',
    'BP deck of 6',
    'EP and BP deck of 4',
  }


def test_maps_are_drawn_and_compared_with_the_dense_network(commands):
  maps = [' '.join(words) for words in of(commands, 'launch/fourier.py')]
  outs = [m.rpartition('/')[2] for m in maps]
  assert outs == [
    'dense-none',
    'lrr-none',
    'lrr-none-minus-dense',
    'bp-none',
    'bp-none-minus-dense',
    'dense-augmix',
    'lrr-augmix',
    'lrr-augmix-minus-dense',
    'spectra',
  ]
  assert '--config=' not in maps[2]
  assert '/maps/dense-none' in maps[2]
  assert commands[0][-1][0] == 'launch/report.py'
