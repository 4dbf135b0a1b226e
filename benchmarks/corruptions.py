"""The corruptions of ImageNet-C on one core, against imagecorruptions.

  bash -c '. launch/env.sh && .venv/bin/python benchmarks/corruptions.py'

imagecorruptions is used where it can be imported, by the Python of --peer with
the sources in --peer_path: its release fails on current NumPy, git master works
beside numba, scikit-image, opencv-python-headless and setuptools<81. Else its
figures are those of another, faster machine, and marked by an asterisk.

Milliseconds per image are CPU time, draws included, medians of interleaved
runs; every process is bound to the same core.
"""

import argparse
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

os.environ['OMP_NUM_THREADS'] = os.environ['NUMBA_NUM_THREADS'] = '1'
if hasattr(os, 'sched_setaffinity'):
  os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import jax
import numpy as np
import rich.table
from PIL import Image
from rich.console import Console

from rcj import corruptions, native

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORKER = ROOT / 'benchmarks' / 'corruption_peer.py'

# imagecorruptions@c959e65 at 224 pixels and severity 3, CPU milliseconds.
ELSEWHERE = {
  'gaussian_noise': 4.8,
  'shot_noise': 12.0,
  'impulse_noise': 4.3,
  'defocus_blur': 4.4,
  'glass_blur': 12.8,
  'motion_blur': 4.6,
  'zoom_blur': 41.8,
  'snow': 5.5,
  'frost': 4.3,
  'fog': 1.1,
  'brightness': 14.8,
  'contrast': 1.1,
  'elastic_transform': 9.4,
  'pixelate': 0.2,
  'jpeg_compression': 0.3,
  'speckle_noise': 2.0,
  'gaussian_blur': 1.9,
  'spatter': 3.7,
  'saturate': 15.4,
}


def photographs(count: int, size: int) -> np.ndarray:
  """uint8 [count, size, size, 3]: three photographs, mirrored and turned."""
  with np.load(ROOT / 'tests/golden/augment/images.npz') as z:
    found = [z[f'{p}_224'] for p in ('astronaut', 'coffee', 'chelsea')]
  found = [np.asarray(Image.fromarray(x).resize((size, size))) for x in found]
  found = [np.rot90(x, k) for k in range(4) for x in found]
  return np.stack([found[i % len(found)] for i in range(count)])


class Peer:
  """imagecorruptions in a process of its own."""

  def __init__(self, python: str, path: str, images: pathlib.Path):
    variables = {**os.environ, 'PYTHONPATH': path}
    self.process = subprocess.Popen(
      [python, WORKER, images],
      env=variables,
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      text=True,
    )
    self.works = self.process.stdout.readline() == 'ready\n'

  def seconds(self, name: str, severity: int) -> float:
    """CPU time of all images, 0 where it fails."""
    print(name, severity, file=self.process.stdin, flush=True)
    return float(self.process.stdout.readline())

  def close(self) -> None:
    """Ends the process."""
    self.process.stdin.close()
    self.process.wait()


def ours(images: np.ndarray, implementation: str | None) -> Callable:
  """Function of a name and a severity to CPU time of all images."""
  key = jax.random.key(0)

  def seconds(name: str, severity: int) -> float:
    start = time.process_time()
    on_host = name == 'jpeg_compression'
    corruptions.corrupt(
      key,
      images,
      name,
      severity,
      table=224,
      implementation=None if on_host else implementation,
    )
    return time.process_time() - start

  return seconds


def medians(
  each: dict[str, Callable], severity: int, runs: int
) -> dict[str, dict[str, float]]:
  """{contestant: {corruption: seconds}}, after a run that compiles."""
  found = {who: {} for who in each}
  for name in corruptions.NAMES:
    for seconds in each.values():
      seconds(name, severity)
    times = [
      {w: f(name, severity) for w, f in each.items()} for _ in range(runs)
    ]
    for who in each:
      found[who][name] = statistics.median(t[who] for t in times)
  return found


def suite(images: np.ndarray, runs: int) -> float:
  """Seconds for all 75 cells of the benchmark, the best of the runs."""
  seconds = ours(images, None)
  cells = [(n, s) for n in corruptions.STANDARD for s in corruptions.SEVERITIES]
  return min(sum(seconds(*cell) for cell in cells) for _ in range(max(runs, 2)))


def show(
  milliseconds: dict[str, dict[str, float]], marks: dict[str, str], title: str
) -> None:
  """Prints the table; ratios are to rcj, the first contestant."""
  rcj, *others = milliseconds
  table = rich.table.Table(title=title)
  for column in ('', rcj, *(c for o in others for c in (o, 'ratio'))):
    table.add_column(column, justify='right')
  sums = {'sum of the 15': corruptions.STANDARD}
  for row in (*corruptions.NAMES, *sums):
    of = {
      w: sum(t[n] for n in sums.get(row, [row]))
      for w, t in milliseconds.items()
    }
    cells = [f'{of[rcj]:.2f}']
    for other in others:
      ratio = f'{of[other] / of[rcj]:.1f}' if of[other] else ''
      cells += [f'{of[other]:.2f}{marks.get(other, "")}', ratio]
    table.add_row(row, *cells, end_section=row == corruptions.STANDARD[-1])
  Console(width=110).print(table)


def main() -> None:
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--size', type=int, default=224, help='pixels')
  parser.add_argument('--severity', type=int, default=3)
  parser.add_argument('--images', type=int, default=16, help='in a batch')
  parser.add_argument('--runs', type=int, default=5, help='of each')
  parser.add_argument('--peer', default=sys.executable, help='its Python')
  parser.add_argument('--peer_path', default='', help='its PYTHONPATH')
  parser.add_argument(
    '--reference', action='store_true', help='rcj without kernels, too: slow'
  )
  args = parser.parse_args()
  images = photographs(args.images, args.size)
  each = {'rcj': ours(images, None)}
  if args.reference:
    each['rcj reference'] = ours(images, 'reference')
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / 'images.npy'
    np.save(path, images)
    peer = Peer(args.peer, args.peer_path, path)
    if peer.works:
      each['imagecorruptions'] = peer.seconds
    found = medians(each, args.severity, args.runs)
    peer.close()
  milliseconds = {
    who: {n: 1e3 * s / len(images) for n, s in times.items()}
    for who, times in found.items()
  }
  marks = {}
  if not peer.works and (args.size, args.severity) == (224, 3):
    milliseconds['imagecorruptions'] = ELSEWHERE
    marks['imagecorruptions'] = '*'
  kernels = native.implementations()[:1] or (native.why_not(),)
  show(
    milliseconds,
    marks,
    f'CPU ms per image of {args.size} x {args.size} pixels, severity '
    f'{args.severity}, batches of {args.images}, {args.runs} interleaved runs\n'
    f'one core, {platform.machine()}, jax {jax.__version__}, numpy '
    f'{np.__version__}, kernels: {kernels[0]}'
    + ('\n* on another machine, not in this run' if marks else ''),
  )
  seconds = suite(images, args.runs) / len(images)
  print(
    f'All 75 cells: {1e3 * seconds:.1f} ms per clean image, {75 / seconds:.0f} '
    'corrupted images/s'
  )


if __name__ == '__main__':
  main()
