"""Run directories with made-up but plausible results, for the report's tests.

`python tests/synthetic_runs.py FOLDER` writes them, to look at a report.
"""

from __future__ import annotations

import csv
import json
import pathlib
import statistics
import sys

import numpy as np

from rcj import intervals
from rcj.results import COLUMNS

CORRUPTIONS = {  # relative difficulty, mean 1
  'gaussian_noise': 1.3,
  'shot_noise': 1.1,
  'impulse_noise': 1.5,
  'defocus_blur': 1.2,
  'fog': 1.4,
  'brightness': 0.4,
  'contrast': 0.9,
  'pixelate': 0.6,
  'jpeg_compression': 0.6,
}
SEVERITIES = {1: 0.5, 3: 0.9, 5: 1.6}
# (network, method, parameters, nonzero, errors in %: clean, corrupted,
# rendition)
NETWORKS = (
  ('dense', 'standard', 78128, 78128, 2.6, 30.0, 40.2),
  ('teacher', 'AugMix', 78128, 78128, 2.8, 17.0, 17.7),
  ('small', 'standard', 19992, 19992, 2.8, 35.2, 43.7),
  ('small_augmix', 'AugMix', 19992, 19992, 3.7, 19.0, 22.8),
  ('student', 'AugMix + KD', 19992, 19992, 3.0, 16.4, 17.1),
  ('student_at', 'AugMix + AT', 19992, 19992, 3.4, 17.9, 19.5),
  ('global_10', 'global weight', 78128, 7813, 3.0, 17.1, 19.9),
  ('global_40', 'global weight', 78128, 1953, 6.2, 25.8, 33.2),
  ('layer_10', 'layer weight', 78128, 7810, 2.8, 16.5, 25.8),
  ('layer_40', 'layer weight', 78128, 1950, 13.9, 33.5, 48.5),
  ('filter_10', 'L1 filter', 78128, 7901, 8.4, 29.5, 41.0),
  ('gmp_10', 'GMP', 78128, 7814, 3.1, 17.5, 21.1),
  ('hydra_10', 'Hydra', 78128, 7817, 2.4, 17.2, 20.6),
  ('hydra_40', 'Hydra', 78128, 1957, 13.1, 32.8, 47.6),
  ('hydra_kd_10', 'Hydra + KD', 78128, 7817, 2.9, 16.4, 18.7),
  ('lottery_10', 'lottery ticket', 78128, 7813, 3.3, 18.4, 22.5),
)


def write(
  folder: pathlib.Path,
  *,
  seed=0,
  noise=0,
  networks=NETWORKS,
  n=300,
  run='',
  **config,
) -> pathlib.Path:
  """Writes a run directory and returns it; `noise` tells networks apart."""
  rng = np.random.default_rng([seed, noise])
  images = np.random.default_rng(99)  # The same images for every run.
  labels = images.integers(0, 10, n).astype(np.int16)
  difficulty = images.normal(size=n)
  predictions = {
    f'labels|{suite}': labels for suite in ('clean', 'corrupted', 'rendition')
  }
  rows = []
  for network in networks:
    drift = float(np.exp(rng.normal(scale=0.06)))
    for suite, target in zip(
      ('clean', 'corrupted', 'rendition'), network[4:], strict=True
    ):
      cells = _cells(suite, drift * target / 100)
      wrong = {
        cell: _wrong(rng, difficulty, min(rate, 0.9))
        for cell, rate in cells.items()
      }
      for (corruption, severity), x in wrong.items():
        predictions[f'{network[0]}|{suite}|{corruption}|{severity}'] = np.where(
          x, (labels + 1) % 10, labels
        ).astype(np.int16)
      rows += _rows(network, suite, wrong, n, seed, run or folder.name)
  folder.mkdir(parents=True, exist_ok=True)
  with (folder / 'results.csv').open('w', newline='') as f:
    writer = csv.DictWriter(f, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
  np.savez_compressed(folder / 'predictions.npz', **predictions)
  fields = {
    'variant': 'compress',
    'seed': seed,
    'scale': 1.0,
    'data': 'digits',
    'train_images': 300,
    'epochs': 60,
    'batch_size': 32,
    'command': f'python launch/run.py --config=configs/demo.py --seed={seed}',
    'versions': {'jax': '0.10.2', 'flax': '0.12.8', 'numpy': '2.3.4'},
  }
  (folder / 'config.json').write_text(json.dumps(fields | config))
  with (folder / 'metrics.jsonl').open('w') as f:
    for phase in ('train', 'finetune'):
      for step in (100, 200, 300):
        record = {'phase': phase, 'step': step, 'loss': 90 / step, 'wall': 1.0}
        record |= {'images_per_second': 3000.0, 'data_wait': 0.001}
        f.write(json.dumps(record) + '\n')
  return folder


def _cells(suite: str, target: float) -> dict[tuple[str, str], float]:
  if suite != 'corrupted':
    return {('', ''): target}
  return {
    (corruption, str(severity)): target * hard * strong
    for corruption, hard in CORRUPTIONS.items()
    for severity, strong in SEVERITIES.items()
  }


def _wrong(rng, difficulty, rate) -> np.ndarray:
  """Errors at that rate; images that are hard are so for every network."""
  score = 0.8 * difficulty + 0.6 * rng.normal(size=difficulty.size)
  return score > statistics.NormalDist().inv_cdf(1 - rate)


def _rows(network, suite, wrong, n, seed, run) -> list[dict]:
  name, method, parameters, nonzero = network[:4]
  common = {
    'run': run,
    'variant': 'compress',
    'network': name,
    'method': method,
    'seed': seed,
    'parameters': parameters,
    'nonzero': nonzero,
    'ratio': parameters / nonzero,
    'suite': suite,
    'protocol': 'generated, 224 table' if suite == 'corrupted' else '',
    'n': n,
  }
  cells = [(*cell, x) for cell, x in wrong.items()]
  if suite == 'corrupted':
    cells.append(('mean', '', np.stack(list(wrong.values()), axis=1)))
  rows = []
  for corruption, severity, x in cells:
    error, low, high = intervals.bootstrap_mean(x, samples=200)
    cell = {'corruption': corruption, 'severity': severity, 'error': error}
    rows.append(common | cell | {'low': low, 'high': high})
  return rows


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


if __name__ == '__main__':
  root = pathlib.Path(sys.argv[1])
  for s in range(3):
    write(root / f'seed{s}', seed=s)
