"""Compresses small networks on real digits and shows how robust they stay.

  bash launch/demo.sh [--workdir=runs/demo] [--seeds=1]

Trains the networks of `NETWORKS`, each in its own run directory, and measures
them on clean, corrupted and rendered digits. The best compressed one is written
as ONNX, and measured again in onnxruntime. Ends with tables, report.html, and
the latency of compressed and dense networks, natively and in other programs.
Networks that begin alike train once. What is finished is skipped, what was
stopped continues.
"""

import dataclasses
import importlib.util
import pathlib
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable

import demo_latency
import jax
import numpy as np
from absl import app, flags, logging
from rich.console import Console

from rcj import experiment, report

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_WORKDIR = flags.DEFINE_string(
  'workdir', str(_ROOT / 'runs' / 'demo'), 'Folder of the run directories.'
)
_SEEDS = flags.DEFINE_integer('seeds', 1, 'How many seeds to train.')
_SCALE = flags.DEFINE_float('scale', 1.0, 'Multiplies all numbers of epochs.')

# (variant, fields); ratio = all parameters / non-zero parameters.
NETWORKS = (
  ('std', {}),
  ('augmix', {}),
  ('kd_augmix', {}),
  ('teacher', {}),
  ('hydra', {'ratio': 10.0}),
  ('l1', {'ratio': 3.0, 'shrink': True}),
  ('l1', {'ratio': 3.0, 'shrink': True, 'quantize': 'int8'}),
)


def digits_config(variant: str, **fields):
  """The config of configs/digits.py with some fields replaced."""
  path = _ROOT / 'configs' / 'digits.py'
  spec = importlib.util.spec_from_file_location('digits', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return dataclasses.replace(module.get_config(variant), **fields)


def train(folder: pathlib.Path, console: Console) -> dict[pathlib.Path, list]:
  """Trains what is missing; the flags that stand for each run directory."""
  first = digits_config('std')
  data = first.load_data()
  suites = first.suites(data)
  runs = {}
  for seed in range(_SEEDS.value):
    for variant, changed in NETWORKS:
      fields = {'seed': seed, 'scale': _SCALE.value, **changed}
      config = digits_config(variant, **fields)
      words = [variant, *map(_word, changed.items()), f'seed{seed}']
      run = folder / '-'.join(words)
      runs[run] = [
        f'--config={_ROOT / "configs" / "digits.py"}:{variant}',
        *(f'--config.{name}={value}' for name, value in fields.items()),
      ]
      console.print(f'[bold]{run.name}[/]')
      experiment.claim(run, config)
      experiment.execute(
        config,
        run,
        load_data=lambda: data,
        make_suites=lambda _: suites,
        prefixes=folder / 'shared',
        console=console,
      )
  return runs


def _word(field: tuple[str, object]) -> str:
  name, value = field
  return {'ratio': f'ratio{value}', 'shrink': 'shrunk'}.get(name, str(value))


def best(rows: list[report.Row]) -> pathlib.Path:
  """The run of the compressed network with the least error on corruptions."""
  means = [
    row
    for row in rows
    if (row.suite, row.corruption) == ('corrupted', 'mean') and row.ratio > 1
  ]
  return min(means, key=lambda row: row.error).folder


def ship(run: pathlib.Path, config: list[str], console: Console) -> None:
  """Writes a network as ONNX and measures it in onnxruntime."""
  artifact = run / 'artifact'
  commands = (
    ('export', f'{artifact / "network.rcj"}', '--to=onnx'),
    (
      *('evaluate', f'--artifact={artifact / "network.onnx"}'),
      *('--runtime=onnx', '--threads=1', f'--workdir={run}'),
    ),
  )
  for name, *arguments in commands:
    command = [f'launch/{name}.py', *arguments, *config]
    console.print(f'[bold]python {shlex.join(command)}[/]', soft_wrap=True)
    subprocess.run([sys.executable, *command], check=True, cwd=_ROOT)


def latencies(
  runs: Iterable[pathlib.Path],
  shipped: pathlib.Path,
  rows: list[report.Row],
  console: Console,
) -> None:
  """Prints what dense networks take, and Hydra and the shipped one beside."""
  # Compressed networks have the architecture of the teacher.
  first = {run.name.split('-')[0]: run for run in reversed([*runs])}
  chosen = (first['teacher'], first['std'], first['hydra'], shipped)
  images = digits_config('std').load_data().test.images[:16]
  times = demo_latency.timed(
    {run.name: run / 'artifact' / 'network.rcj' for run in chosen},
    images.astype(np.float32) / 255,
  )
  demo_latency.show(times, rows, console)


def main(argv: list[str]) -> None:
  """Trains what is missing, ships the best, writes the report."""
  logging.set_verbosity(logging.WARNING)  # orbax reports every file it writes
  if len(argv) > 1:
    raise app.UsageError(f'unknown arguments: {argv[1:]}')
  console, begin = Console(), time.time()
  folder = pathlib.Path(_WORKDIR.value).resolve()
  try:
    runs = train(folder, console)
    run = best(report.read(runs))
    ship(run, runs[run], console)
    rows = report.read(runs)
    report.print_table(rows, console)
  except ValueError as e:
    sys.exit(str(e))
  except subprocess.CalledProcessError as e:
    sys.exit(e.returncode)
  page = folder / 'report.html'
  report.write_html(
    rows, page, title='Compressed and robust: digits', notes=_NOTES
  )
  latencies(runs, run, rows, console)
  console.print(
    f'{len(runs)} networks on {jax.device_count()} device(s) in '
    f'{time.time() - begin:.0f} s; report: {page}'
  )


_NOTES = (
  'Networks learn from 300 real handwritten digits and are measured on 597 '
  'others. What may be read from one seed: AugMix + JSD against standard '
  'training, and that a ratio of 10 costs little. Differences of a point or '
  'two on so few images may not.',
)

if __name__ == '__main__':
  app.run(main)
