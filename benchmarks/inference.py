"""Compressed networks in the programs that run networks on CPUs.

  bash -c '. launch/env.sh && .venv/bin/python benchmarks/inference.py'
  bash -c '. launch/env.sh && .venv/bin/python benchmarks/inference.py \
    --only=resnet50 --only=onnxruntime --batch=1 --threads=1'

Milliseconds per batch, medians of interleaved runs, and in brackets how many
times faster that is than the dense float32 network in the same program. Every
program is a process of its own with the same settings of malloc, bound to as
many cores as it has threads. XLA runs the artifact, the others the ONNX export.

Weights and images are random, which changes no speed; so are the weights that
are zero, 90 or 95 % of every convolution but the first and the depthwise ones,
and the filters that are removed, half of every group. --artifact=PATH times a
finished network instead, beside the same without zeros. What a program does not
run is '-'. DeepSparse is used where --deepsparse names a Python that has it.
"""

import argparse
import contextlib
import dataclasses
import functools
import itertools
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

import inference_goals
import jax
import jax.numpy as jnp
import numpy as np
import rich.table
from rich.console import Console

from rcj import graph as graphs
from rcj import masks, models, quantize, scores, weights
from rcj.export import artifact, onnx
from rcj.shrink import shrink
from rcj.types import Frozen

WORKER = pathlib.Path(__file__).resolve().parent / 'inference_peer.py'

RUNTIMES = {
  'rcj': 'native',
  'rcj bf16': 'bfloat16',
  'XLA': 'xla',
  'torch.compile': 'torch',
  'onnxruntime': 'onnxruntime',
  'OpenVINO': 'openvino',
  'OpenVINO bf16': 'openvino-bf16',
  'DeepSparse': 'deepsparse',
}
VARIANTS = (
  'dense',
  '90 % zeros',
  '95 % zeros',
  'half the filters',
  'int8',
  '90 % zeros, int8',
  'half, int8',
  'the artifact',
)
# What runs floats only.
LACKING = dict.fromkeys(
  ('torch', 'bfloat16', 'openvino-bf16'),
  tuple(v for v in VARIANTS if v.endswith('int8')),
)


@dataclasses.dataclass(frozen=True)
class Case:
  """A network, the images that it takes, and how many at a time."""

  name: str
  architecture: str
  size: int
  batches: tuple[int, ...]
  stem: str | None = None
  path: str = ''


CASES = (
  Case('resnet18', 'resnet18', 224, (1, 16)),
  Case('resnet50', 'resnet50', 224, (1, 16)),
  Case('mobilenet_v2', 'mobilenet_v2', 224, (1, 16)),
  Case('resnet18-cifar', 'resnet18', 32, (128,), 'cifar'),
)


def network(case: Case) -> Frozen:
  """With random weights."""
  classes = 10 if case.stem else 1000
  module = models.create(case.architecture, num_classes=classes, stem=case.stem)
  params, stats = models.init(jax.random.key(0), module, size=case.size)
  nowhere = jax.tree.map(lambda _: None, params)
  return Frozen(
    params=params,
    batch_stats=stats,
    masks=nowhere,
    scores=nowhere,
    model=module,
    effective=weights.Masked(),
    preprocessing=models.preprocessing(case.architecture, stem=case.stem),
    classes=tuple(map(str, range(classes))),
  )


def zeros(frozen: Frozen, density: float) -> Frozen:
  """Of the kernels of convolutions but the first only a part is not zero."""
  nodes = models.graph_of(frozen.model).nodes
  convolutions = [n.name for n in nodes if isinstance(n, graphs.Conv)][1:]
  inner = '|'.join(re.escape(f'{name}/kernel') for name in convolutions)
  eligible = masks.eligible(frozen.params, include=inner)
  noise = scores.random(jax.random.key(1), frozen.params, eligible)
  alive = masks.keep_top(noise, density=density, scope='layer')
  return dataclasses.replace(frozen, masks=alive)


def halved(frozen: Frozen) -> Frozen:
  """Without half of the filters of every group, physically."""
  groups = models.channel_groups(frozen.model)
  names = [n for g in groups for n in (*g.kernels, *g.followers)]
  eligible = masks.eligible(
    frozen.params, include='|'.join(map(re.escape, names))
  )
  norms = scores.l1_filter(frozen.params, eligible, groups=groups)
  alive = masks.keep_top(norms, density=0.5, scope='layer')
  return shrink(dataclasses.replace(frozen, masks=alive))


def integers(frozen: Frozen, size: int) -> Frozen:
  """In 8 bits, calibrated on noise."""
  shape = 8, size, size, 3
  noise = np.random.default_rng(0).random(shape, np.float32)
  return quantize.integers(quantize.quantized(frozen, noise))


def suffix(runtime: str) -> str:
  """Of the files that it reads."""
  return 'rcj' if runtime in ('native', 'bfloat16', 'xla') else 'onnx'


def variants(case: Case) -> dict[str, Frozen]:
  """All that is made of a network, by name."""
  if case.path:
    frozen = artifact.load(case.path)
    return {'dense': without_zeros(frozen), 'the artifact': frozen}
  dense = network(case)
  sparse, half = zeros(dense, 0.1), halved(dense)
  return {
    'dense': dense,
    '90 % zeros': sparse,
    '95 % zeros': zeros(dense, 0.05),
    'half the filters': half,
    'int8': integers(dense, case.size),
    '90 % zeros, int8': integers(sparse, case.size),
    'half, int8': integers(half, case.size),
  }


def without_zeros(frozen: Frozen) -> Frozen:
  """The same with something small in the place of every zero."""
  params = jax.tree.map(lambda x: jnp.where(x == 0, 1e-3, x), frozen.params)
  return dataclasses.replace(frozen, params=params)


def files(
  case: Case, folder: pathlib.Path, suffixes: set[str]
) -> dict[str, pathlib.Path]:
  """{variant: path without its suffix} of artifacts and ONNX files."""
  paths = {}
  for variant, frozen in variants(case).items():
    paths[variant] = folder / f'{case.name}-{VARIANTS.index(variant)}'
    for save, kind in ((artifact.save, 'rcj'), (onnx.save, 'onnx')):
      if kind in suffixes:
        save(frozen, f'{paths[variant]}.{kind}')
  return paths


class Worker:
  """One program in a process of its own."""

  def __init__(self, python: str, runtime: str, *numbers: int):
    self._process = subprocess.Popen(
      [python, WORKER, runtime, *map(str, numbers)],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      text=True,
    )

  def ask(self, *words: object) -> str:
    """The answer to a line; '' where the process has ended."""
    try:
      print(*words, file=self._process.stdin, flush=True)
    except BrokenPipeError:
      return ''
    return self._process.stdout.readline().strip()

  def close(self) -> None:
    """Ends the process."""
    with contextlib.suppress(BrokenPipeError):
      self._process.stdin.close()
    self._process.wait()


def loaded(
  worker: Worker, runtime: str, paths: dict[str, pathlib.Path]
) -> tuple[dict[str, Worker], set[str]]:
  """{variant: worker} of what it runs, and what it said of the others."""
  able, said = {}, set()
  for variant, path in paths.items():
    if variant in LACKING.get(runtime, ()):
      continue
    place = VARIANTS.index(variant)
    answer = worker.ask('load', place, f'{path}.{suffix(runtime)}')
    if answer == 'ready':
      able[variant] = functools.partial(worker.ask, 'time', place)
    else:
      said.add(answer or 'the process ended')
  return able, said


def compared(
  contestants: dict[tuple[str, str], functools.partial],
  repeats: int,
  seconds: float,
) -> dict[tuple[str, str], float]:
  """{(runtime, variant): median milliseconds}, in turns."""
  times = {who: [] for who in contestants}
  for _ in range(repeats):
    for who, ask in contestants.items():
      times[who].append(float(ask(seconds)))
  return {who: statistics.median(x) for who, x in times.items()}


def measured(
  paths: dict[str, pathlib.Path],
  runtimes: dict[str, tuple[str, str]],
  numbers: tuple[int, int, int],
  args: argparse.Namespace,
) -> tuple[dict[tuple[str, str], float], dict[str, set[str]]]:
  """Medians of all programs, and what they could not run."""
  workers, contestants, complaints = [], {}, {}
  for title, (runtime, python) in runtimes.items():
    workers.append(Worker(python, runtime, *numbers))
    able, complaints[title] = loaded(workers[-1], runtime, paths)
    contestants |= {(title, variant): ask for variant, ask in able.items()}
  found = compared(contestants, args.repeats, args.seconds)
  for worker in workers:
    worker.close()
  return found, complaints


def show(
  title: str,
  runtimes: dict[str, tuple[str, str]],
  found: dict[tuple[str, str], float],
) -> None:
  """Prints one table."""
  table = rich.table.Table(title=title)
  for column in ('', *runtimes):
    table.add_column(column, justify='right')
  for variant in dict.fromkeys(v for _, v in found):
    table.add_row(variant, *(cell(found, r, variant) for r in runtimes))
  Console(width=110).print(table)


def cell(
  found: dict[tuple[str, str], float], runtime: str, variant: str
) -> str:
  """Milliseconds and ratio."""
  if (runtime, variant) not in found:
    return '-'
  own, dense = found[runtime, variant], found.get((runtime, VARIANTS[0]))
  ratio = f' ({dense / own:.2f}x)' if dense else ''
  return f'{own:.2f}{ratio}'


def machine() -> str:
  """Processor and its instructions for integers."""
  path = pathlib.Path('/proc/cpuinfo')
  text = path.read_text() if path.exists() else ''
  name = re.search(r'model name\s*: (.*)', text)
  flags = re.search(r'flags\s*: (.*)', text)
  known = ('avx2', 'avx512f', 'avx_vnni', 'avx512_vnni', 'amx_int8')
  flags = set(flags[1].split()) if flags else set()
  has = ' '.join(x for x in known if x in flags)
  return (
    f'{name[1] if name else platform.machine()}, {os.cpu_count()} CPUs, {has}'
  )


def main() -> None:
  """Prints a table for each network, batch and number of threads."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    '--only',
    action='append',
    default=[],
    help=f'of {[c.name for c in CASES]} and {list(RUNTIMES)}; may be repeated',
  )
  parser.add_argument('--batch', type=int, help='only this one')
  parser.add_argument('--threads', type=int, help='only these', default=0)
  parser.add_argument('--repeats', type=int, default=7, help='turns')
  parser.add_argument('--seconds', type=float, default=0.5, help='of a turn')
  parser.add_argument('--deepsparse', default='', help='its Python')
  parser.add_argument(
    '--artifact', default='', help='.rcj file to time beside its dense twin'
  )
  parser.add_argument(
    '--json', type=pathlib.Path, help='gets all numbers; tables are added'
  )
  args = parser.parse_args()
  known = {c.name for c in CASES} | set(RUNTIMES)
  if unknown := set(args.only) - known:
    parser.error(f'unknown {sorted(unknown)}; there are {sorted(known)}')
  cases = [c for c in CASES if c.name in args.only] or CASES
  if args.artifact:
    size = artifact.load(args.artifact).preprocessing.size
    name = pathlib.Path(args.artifact).stem
    cases = [Case(name, '', size, (1, 16, 128), path=args.artifact)]
  runtimes = {
    title: (name, args.deepsparse if name == 'deepsparse' else sys.executable)
    for title, name in RUNTIMES.items()
    if title in args.only or not set(args.only) & set(RUNTIMES)
  }
  if not args.deepsparse:
    runtimes.pop('DeepSparse', None)
  malloc = os.environ.get(
    'MALLOC_TRIM_THRESHOLD_', 'default: use launch/env.sh'
  )
  print(f'{machine()}; malloc trim threshold {malloc}; random weights')
  report = inference_goals.Report(args.json, machine())
  with tempfile.TemporaryDirectory() as folder:
    for case in cases:
      suffixes = {suffix(runtime) for runtime, _ in runtimes.values()}
      paths = files(case, pathlib.Path(folder), suffixes)
      for batch, threads in itertools.product(case.batches, (1, 2)):
        if args.batch in (None, batch) and args.threads in (0, threads):
          numbers = threads, batch, case.size
          found, complaints = measured(paths, runtimes, numbers, args)
          title = (
            f'{case.name}, {case.size} px, batch {batch}, {threads} thread'
          )
          show(title + 's' * (threads > 1), runtimes, found)
          for runtime, words in complaints.items():
            for said in sorted(words):
              print(f'{runtime}: {said[:200]}')
          report.add(case.name, case.size, batch, threads, found)


if __name__ == '__main__':
  main()
