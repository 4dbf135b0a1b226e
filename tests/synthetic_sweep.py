"""A sweep's folder with made-up results in the shape of paper S0's figures.

`python tests/synthetic_sweep.py FOLDER` writes it, to look at a report.
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
import zlib

import synthetic_runs

from rcj import grid, report

MODELS = {'ResNet-18': 11_227_812, 'MobileNetV2': 2_351_972}
MODELS['MnasNet'] = 3_230_412
HARD = {'ResNet-18': 0.0, 'MobileNetV2': 4.0, 'MnasNet': 6.0}
TEACHERS = ('standard', 'AugMix', 'DeepAugment', 'AMDA', 'SWSL')
RATIOS = (5.0, 10.0, 20.0, 40.0)
# Percentage points that a method adds to the corrupted error.
EFFECTS = {
  'no distillation': 0.0,
  'KD': -6.0,
  'AT': -3.0,
  'CRD': -5.0,
  'Hydra': 1.0,
  'Hydra + KD': -2.0,
  'global weight': 0.0,
  'layer weight': 2.0,
  'random weight': 12.0,
  'L1 filter': 9.0,
  'random filter': 14.0,
  'width-scaled': 4.0,
}


def figure1() -> grid.View:
  """Distillation from teachers, by model."""
  cells = [
    grid.Cell({'model': model, 'method': 'train'}, 'no distillation', model)
    for model in MODELS
  ]
  cells += [
    grid.Cell(
      {'model': model, 'method': method.lower(), 'teacher': teacher.lower()},
      method,
      model,
      teacher,
    )
    for model in MODELS
    for teacher in TEACHERS
    for method in ('KD', 'AT', 'CRD')
  ]
  title = 'Students of differently trained teachers (paper S0, figure 1).'
  return grid.View('figure1', title, 'bars', tuple(cells), 'teacher')


def figure2() -> grid.View:
  """Learned masks against magnitude, by model."""
  cells = [
    grid.Cell(
      {'model': model, 'method': method.lower(), 'ratio': ratio}, method, model
    )
    for model in MODELS
    for method in ('Hydra', 'Hydra + KD', 'global weight')
    for ratio in RATIOS
  ]
  title = 'Hydra masks and global weight pruning (paper S0, figure 2).'
  return grid.View('figure2', title, 'lines', tuple(cells), 'ratio')


def figure4() -> grid.View:
  """Pruning criteria in one panel, over parameters left."""
  names = tuple(EFFECTS)[4:]
  cells = [
    grid.Cell(
      {'model': 'ResNet-18', 'method': method.lower(), 'ratio': ratio},
      method,
      'ResNet-18',
    )
    for method in names
    if method != 'Hydra + KD'
    for ratio in RATIOS
  ]
  title = 'Pruning criteria, ResNet-18 (paper S0, figure 4).'
  return grid.View('figure4', title, 'lines', tuple(cells), 'nonzero')


def table1() -> grid.View:
  """Distillation with augmentation, as a table."""
  cells = [
    grid.Cell(
      {'model': model, 'method': method.lower(), 'augment': 'augmix'},
      f'AugMix + {method}' if method != 'no distillation' else 'AugMix',
      model,
    )
    for model in MODELS
    for method in ('no distillation', 'KD', 'AT', 'CRD')
  ]
  title = 'Distillation with AugMix (paper S0, table 1).'
  return grid.View('table1', title, 'table', tuple(cells))


def sweep(
  folder: pathlib.Path, views, *, seeds=1, n=60, skip=lambda cell: False
) -> tuple[grid.View, ...]:
  """Writes sweep.json and the runs of all cells but the skipped ones."""
  named = tuple(
    dataclasses.replace(
      view, cells=tuple(_with_runs(cell, seeds) for cell in view.cells)
    )
    for view in views
  )
  grid.write(named, folder)
  for cell in (cell for view in named for cell in view.cells):
    for seed, run in enumerate(cell.runs):
      if not skip(cell) and not (folder / run).exists():
        synthetic_runs.write(
          folder / run,
          seed=seed,
          noise=zlib.crc32(run.encode()),
          networks=[network(cell)],
          n=n,
          command='python launch/sweep.py',
          **cell.fields,
        )
  return named


def network(cell: grid.Cell) -> tuple:
  """A network with errors that follow from the cell's place."""
  method = cell.series.removeprefix('AugMix + ')
  total = MODELS[cell.panel]
  ratio = cell.fields.get('ratio', 1.0)
  corrupted = 62.0 + HARD[cell.panel] + EFFECTS.get(method, 0.0)
  corrupted -= 12.0 * ('augment' in cell.fields) + 4 * (ratio < 15)
  if cell.x:
    corrupted -= 2.0 * TEACHERS.index(cell.x)
  corrupted += 0.25 * ratio
  clean, rendition = corrupted - 40, corrupted + 6
  left = round(total / ratio)
  return ('network', method, total, left, clean, corrupted, rendition)


def _with_runs(cell: grid.Cell, seeds: int) -> grid.Cell:
  fields = sorted(cell.fields.items())
  name = '-'.join(f'{k}={v}'.replace(' ', '_') for k, v in fields)
  return dataclasses.replace(
    cell, runs=tuple(f'{name}-seed{seed}' for seed in range(seeds))
  )


def small(view: grid.View, panels=tuple(MODELS)[:2]) -> grid.View:
  """The view with the cells of some panels."""
  cells = tuple(c for c in view.cells if c.panel in panels)
  return dataclasses.replace(view, cells=cells)


VIEWS = tuple(small(f()) for f in (table1, figure1, figure2, figure4))


def skipped(cell: grid.Cell) -> bool:
  """One kind of teacher and one ratio, as if not run yet."""
  return cell.x == 'AMDA' or cell.fields.get('ratio') == 20.0


def filled(folder: pathlib.Path) -> dict[str, report.Filled]:
  """{name: view} of a sweep's folder."""
  rows = report.read([folder])
  return {v.name: report.fill(v, folder, rows) for v in grid.read(folder)}


def one_view(folder: pathlib.Path, cells, kind='table', **options) -> None:
  """Writes a sweep of one view, called v."""
  view = grid.View('v', 'A view.', kind, tuple(cells), 'ratio')
  sweep(folder, [view], n=40, **options)


def cells(panel='ResNet-18', **fields) -> list[grid.Cell]:
  """Two distilled networks of one model."""
  return [
    grid.Cell({'model': panel, 'method': m.lower(), **fields}, m, panel)
    for m in ('KD', 'AT')
  ]


if __name__ == '__main__':
  sweep(
    pathlib.Path(sys.argv[1]),
    (figure1(), figure2(), figure4(), table1()),
    seeds=3,
    n=1000,
    skip=lambda cell: (
      (cell.x in ('DeepAugment', 'AMDA') and cell.panel != 'ResNet-18')
      or (cell.panel == 'MnasNet' and cell.fields.get('ratio') == 40.0)
    ),
  )
