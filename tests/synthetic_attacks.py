"""Runs with other domains and attacks, whose errors a test sets image by image.

`python tests/synthetic_attacks.py FOLDER` writes a sweep of them, to look at
its claims.
"""

from __future__ import annotations

import json
import pathlib
import sys
import zlib

import numpy as np

from rcj import grid, intervals, report, results

N = 100


def share(rate, n=N, start=0) -> np.ndarray:
  """Which of n images are wrong: that share of them, from `start` on."""
  wrong = np.zeros(n, bool)
  wrong[(start + np.arange(round(rate * n))) % n] = True
  return wrong


def write(
  folder: pathlib.Path,
  suites,
  *,
  seed=0,
  label='int8',
  nonzero=100,
  images=0,
  attacked=None,
  **config,
) -> pathlib.Path:
  """Writes a run directory of one network and returns it.

  Args:
    folder: the run directory.
    suites: {suite: which images are wrong, bool[N]; of attacks {name: these}}.
    seed: of the run.
    label: of its method.
    nonzero: parameters left, of 100.
    images: the test images; those of other numbers have other labels.
    attacked: {(suite, attack): columns of `results.ATTACKED`}.
    **config: fields of the config.
  """
  folder.mkdir(parents=True, exist_ok=True)
  common = {
    'run': folder.name,
    'variant': 'pacs',
    'network': 'network',
    'method': label,
    'seed': seed,
    'parameters': 100,
    'nonzero': nonzero,
    'ratio': 100 / nonzero,
    'severity': '',
    'protocol': '',
  }
  rows, predictions = [], {}
  for suite, of_suite in suites.items():
    cells = of_suite if isinstance(of_suite, dict) else {'': of_suite}
    labels = _labels(suite, images, len(next(iter(cells.values()))))
    predictions[f'labels|{suite}'] = labels
    for name, wrong in cells.items():
      predictions[f'network|{suite}|{name}|'] = (labels + wrong) % 7
    found = dict(cells)
    if len(cells) > 1 and suite in ('light', 'heavy'):
      found['mean'] = np.stack(list(cells.values()), 1)
    for name, wrong in found.items():
      error, low, high = intervals.bootstrap_mean(wrong, samples=50)
      values = {'error': error, 'low': low, 'high': high, 'n': len(labels)}
      extra = (attacked or {}).get((suite, name), {})
      place = {'suite': suite, 'corruption': name}
      rows.append(common | place | values | extra)
  results.add_rows(folder, rows)
  results.add_predictions(folder, predictions)
  fields = {'variant': 'pacs', 'seed': seed, 'scale': 1.0, 'data': 'pacs'}
  (folder / 'config.json').write_text(json.dumps(fields | config))
  return folder


def _labels(suite, images, n) -> np.ndarray:
  """Attacks are on the images of the clean suite."""
  name = suite if suite.startswith('to ') else 'clean'
  rng = np.random.default_rng([images, zlib.crc32(name.encode())])
  return rng.integers(0, 7, n).astype(np.int16)


def pair(panel='net', x='', seeds=(0,)) -> list[grid.Cell]:
  """A claim's two cells, int8 first."""
  return [
    grid.Cell(
      {'method': series, 'model': panel + x},
      series,
      panel,
      x,
      tuple(f'{panel}{x}-{series}-{seed}' for seed in seeds),
    )
    for series in ('int8', 'float')
  ]


def claimed(
  folder: pathlib.Path, axis: str, cells, suites, *, images=None
) -> report.Filled:
  """A claim, filled from the runs that it writes.

  Args:
    folder: of the sweep.
    axis: the claim.
    cells: its cells, with runs.
    suites: {run: what `write` takes}; runs that are not in it are not run.
    images: {panel: number of its test images}, 0 by default.
  """
  view = grid.View('claim1', 'A claim.', 'claim', tuple(cells), axis)
  grid.write([view], folder)
  for cell in cells:
    for run in cell.runs:
      if run in suites:
        number = (images or {}).get(cell.panel, 0)
        seed = int(run.rpartition('-')[2])
        write(
          folder / run,
          suites[run],
          seed=seed,
          label=cell.series,
          images=number,
          **cell.fields,
        )
  (view,) = grid.read(folder)
  rows = report.read([folder]) if suites else []
  return report.fill(view, folder, rows)


def found(filled: report.Filled) -> dict[tuple[str, str], report.Finding]:
  """{(quantity, pair; 'all' for all of them): finding} of a claim."""
  return {
    (str(f.quantity), 'all' if f.pooled else f.place): f
    for f in filled.findings
  }


ATTACKS = ('fgsm', 'pgd', 'salt_and_pepper')
DOMAINS = ('art', 'cartoon', 'sketch')
# Share of wrong images: clean, first other domain, light, heavy.
METHODS = {
  'float': (0.1, 0.4, 0.3, 0.8),
  'int8': (0.11, 0.41, 0.3, 0.6),
  'pruned': (0.15, 0.5, 0.45, 0.85),
}


def sweep(folder: pathlib.Path, *, seeds=2, n=N) -> tuple[grid.View, ...]:
  """Two networks by three methods with all suites, a table and two claims."""
  seeds = tuple(range(seeds))
  cells = [
    grid.Cell(
      {'method': method, 'model': panel},
      method,
      panel,
      runs=tuple(f'{panel}-{method}-{seed}' for seed in seeds),
    )
    for panel in ('ResNet-18', 'ResNet-34')
    for method in METHODS
  ]
  both = [c for c in cells if c.series != 'pruned']
  order = sorted(both, key=lambda c: c.series, reverse=True)
  lower = 'heavy:pgd minus heavy:salt_and_pepper lower'
  views = (
    grid.View('table1', 'All methods.', 'table', tuple(cells)),
    grid.View(
      'claim1',
      'int8 keeps the robustness.',
      'claim',
      tuple(order),
      'clean, shifts, heavy within 3',
    ),
    grid.View('claim2', 'int8 masks.', 'claim', tuple(order), lower),
  )
  grid.write(views, folder)
  for number, cell in enumerate(cells):
    for seed, run in enumerate(cell.runs):
      write(
        folder / run,
        plausible(METHODS[cell.series], n, 10 * number + seed),
        seed=seed,
        label=cell.series,
        attacked=_measured(masked=cell.series == 'int8'),
        **cell.fields,
      )
  return views


def plausible(rates, n=N, key=0):
  """Suites of `write` with errors at about these rates."""
  rng = np.random.default_rng(key)
  hard = np.random.default_rng(99).random(n)  # for every network

  def wrong(rate):
    return 0.7 * hard + 0.3 * rng.random(n) > 1 - rate

  clean, shift, light, heavy = rates
  result = {'clean': wrong(clean)}
  result |= {f'to {d}': wrong(shift + 0.1 * i) for i, d in enumerate(DOMAINS)}
  for suite, rate in (('light', light), ('heavy', heavy)):
    result[suite] = {
      a: wrong(rate - 0.2 * (a == 'salt_and_pepper')) for a in ATTACKS
    }
  result['smallest'] = {'deepfool': wrong(0.95)}
  return result


def _measured(*, masked: bool):
  both = {'zero_gradients': 0.2 * masked}
  both['masked'] = 'zero gradients, Square' if masked else 'no'
  found = {
    (suite, attack): both | {'eps': eps, 'norm': 'linf'}
    for suite, eps in (('light', 2 / 255), ('heavy', 8 / 255))
    for attack in ATTACKS[:2]
  }
  for suite, eps in (('light', 0.005), ('heavy', 0.05)):
    found[suite, ATTACKS[2]] = both | {'eps': eps, 'norm': 'l2'}
  norms = {'norm_25': 0.1, 'norm_50': 0.25, 'norm_75': 'inf', 'norm': 'l2'}
  found['smallest', 'deepfool'] = both | norms
  return found


if __name__ == '__main__':
  sweep(pathlib.Path(sys.argv[1]), seeds=3, n=400)
