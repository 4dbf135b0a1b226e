"""AugMix's executors against Pillow's operations as google-research calls them.

  bash -c '. launch/env.sh && .venv/bin/python benchmarks/augmix.py'

All execute one plan on the same images: severity 3, three chains of one to
three of the paper's nine operations, normalised float32 out. One augmented view
of each image, or three views with the clean one. One thread and two have a
process each; executors and processes take turns; medians, per image of the
input. Results are first compared with Pillow's. The host entry uses one thread
in any case. torchvision, where it is installed, draws plans of its own and
returns bytes.
"""

import argparse
import contextlib
import dataclasses
import functools
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable

import jax
import numpy as np
import rich.table
from PIL import Image, ImageOps
from rich.console import Console

from rcj import native
from rcj.augment import Plan, augmix_plan, mixed_views
from rcj.ops import augmix_host
from rcj.ops.augmix_options import NAMES
from rcj.ops.preprocessing import scale_and_offset

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HOW = {'mean': _MEAN, 'std': _STD}
_PIL = 'Pillow'
_PLAN = 'rcj plan alone'
_HOST = 'rcj host entry'
_TORCH = 'torchvision v2'
_IMAGES = {224: 64, 32: 512}
_SEVERITY = 3


@dataclasses.dataclass(frozen=True)
class Case:
  """Images of `side` pixels, in `versions` and with the clean one or not."""

  side: int
  versions: int
  clean: bool

  def __str__(self):
    views = self.versions + self.clean
    return f'{self.side} px, {views} view{"s" * (views > 1)}'

  def data(self) -> tuple[np.ndarray, augmix_host.Plan]:
    """Images with the frequencies of photographs, and a plan."""
    n, side = _IMAGES[self.side], self.side
    rng = np.random.default_rng(0)
    x = rng.normal(0, 4, (n, side, side, 3))
    for cells, strength in ((3, 110), (12, 60), (40, 40)):
      shape = (n, cells, cells, 3)
      coarse = rng.integers(0, 256, shape, np.uint8)
      fine = (Image.fromarray(c).resize((side, side), 3) for c in coarse)
      x += strength / 128 * (np.stack([np.asarray(f) for f in fine]) - 128.0)
    plan = augmix_host.draw_plan(
      rng, n * self.versions, size=side, severity=_SEVERITY
    )
    return (x + 128).clip(0, 255).astype(np.uint8), plan


def operation(image: Image.Image, name: str, value: float) -> Image.Image:
  """One of the nine, by Pillow."""
  affine, bilinear = Image.Transform.AFFINE, Image.Resampling.BILINEAR
  matrix = {
    'shear_x': (1, value, 0, 0, 1, 0),
    'shear_y': (1, 0, 0, value, 1, 0),
    'translate_x': (1, 0, value, 0, 1, 0),
    'translate_y': (1, 0, 0, 0, 1, value),
  }.get(name)
  if matrix is not None:
    return image.transform(image.size, affine, matrix, bilinear)
  if name == 'rotate':
    return image.rotate(value, resample=bilinear)
  if name in ('posterize', 'solarize'):
    return getattr(ImageOps, name)(image, int(value))
  return getattr(ImageOps, name)(image)


def with_pillow(images: np.ndarray, plan: augmix_host.Plan, case: Case):
  """The views of each image, by the loops of the original."""
  scale, offset = scale_and_offset(**_HOW)
  names = [None if op < 0 else NAMES[op] for op in range(-1, len(NAMES))]
  ops = plan.op.tolist()
  params = plan.param.astype(np.float64).sum(-1).tolist()

  def preprocess(image):
    x = np.asarray(image).astype(np.float32)
    x *= scale
    x += offset
    return x

  def version(image, n):
    mixture = np.zeros((case.side, case.side, 3), np.float32)
    for k, weight in enumerate(plan.weights[n]):
      augmented = image.copy()
      for op, value in zip(ops[n][k], params[n][k], strict=True):
        if op >= 0:
          augmented = operation(augmented, names[op + 1], value)
      mixture += weight * preprocess(augmented)
    return (1 - plan.m[n]) * preprocess(image) + plan.m[n] * mixture

  views = []
  for i, x in enumerate(images):
    image = Image.fromarray(x)
    clean = [preprocess(image)] if case.clean else []
    first = i * case.versions
    versions = [version(image, first + a) for a in range(case.versions)]
    views.append(clean + versions)
  return views


def with_torchvision(images: np.ndarray, case: Case, threads: int) -> Callable:
  """Torchvision's views, thrown away; raises ImportError without it."""
  import torch
  from torchvision.transforms import v2

  torch.set_num_threads(threads)
  augment = v2.AugMix(severity=_SEVERITY, all_ops=False)
  tensors = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()

  def run():
    for x in tensors:
      for _ in range(case.versions):
        augment(x)

  return run


def contestants(case: Case, threads: int) -> dict[str, Callable]:
  """{name: function that makes all views}, after a check of the results."""
  images, plan = case.data()
  on_device = jax.device_put(images)
  jax_plan = jax.device_put(Plan(**vars(plan)))
  draw = jax.jit(
    functools.partial(
      augmix_plan, n=len(plan.m), size=case.side, severity=_SEVERITY
    )
  )
  key = jax.random.key(0)
  made, checked = {}, {}
  for name in (*native.implementations(), 'reference'):
    run = jax.jit(
      functools.partial(
        mixed_views, clean=case.clean, implementation=name, **_HOW
      )
    )
    label = f'rcj {name}'
    checked[label] = functools.partial(run, on_device, jax_plan)
  if native.available():
    checked[_HOST] = functools.partial(
      augmix_host.views, images, plan, clean=case.clean, **_HOW
    )
  made |= {name: _ready(run) for name, run in checked.items()}
  made[_PLAN] = _ready(functools.partial(draw, key))
  if threads == 1:
    made[_PIL] = lambda: with_pillow(images, plan, case)
    expected = np.array(made[_PIL]())
    for run in checked.values():
      np.testing.assert_allclose(run(), expected, atol=5e-6)
  with contextlib.suppress(ImportError):
    made[_TORCH] = with_torchvision(images, case, threads)
  return made


def _ready(run: Callable) -> Callable:
  return lambda: jax.block_until_ready(run())


def worker(pipe, case: Case, threads: int) -> None:
  """Answers a name by the seconds that it took, until there is none."""
  made = contestants(case, threads)
  for run in made.values():
    run()
  pipe.send(list(made))
  while (name := pipe.recv()) is not None:
    start = time.perf_counter()
    made[name]()
    pipe.send(time.perf_counter() - start)


def started(case: Case, threads: int, cpus: list[int]):
  """A process that may use that many processors, and the names it answers."""
  ours, theirs = multiprocessing.Pipe()
  context = multiprocessing.get_context('spawn')
  process = context.Process(target=worker, args=(theirs, case, threads))
  # XLA has a thread per processor that it may use when it starts.
  os.sched_setaffinity(0, cpus[:threads])
  process.start()
  os.sched_setaffinity(0, cpus)
  return process, ours, ours.recv()


def measured(case: Case, threads: list[int], runs: int) -> dict:
  """{(name, threads): median seconds per image}."""
  cpus = sorted(os.sched_getaffinity(0))
  workers = {t: started(case, t, cpus) for t in threads}
  seconds = {
    (name, t): [] for t, (_, _, names) in workers.items() for name in names
  }
  for _ in range(runs):
    for (name, t), times in seconds.items():
      pipe = workers[t][1]
      pipe.send(name)
      times.append(pipe.recv())
  for process, pipe, _ in workers.values():
    pipe.send(None)
    process.join()
  images = _IMAGES[case.side]
  return {key: statistics.median(t) / images for key, t in seconds.items()}


def add_rows(table: rich.table.Table, case: Case, medians: dict) -> None:
  """A row for each executor, the fastest first."""
  pillow = medians[_PIL, 1]
  alone = {name: median for (name, t), median in medians.items() if t == 1}
  for name, median in sorted(alone.items(), key=lambda item: item[1]):
    two = medians.get((name, 2))
    table.add_row(
      str(case),
      name,
      f'{median * 1e6:,.1f}',
      '' if name == _PLAN else f'{pillow / median:.2f}',
      '' if two is None else f'{two * 1e6:,.1f}',
      '' if two is None else f'{median / two:.2f}',
    )
  table.add_section()


def main():
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--runs', type=int, default=9, help='runs of each')
  parser.add_argument('--sides', type=int, nargs='+', default=[224, 32])
  args = parser.parse_args()
  available = len(os.sched_getaffinity(0))
  threads = [1, 2] if available > 1 else [1]
  table = rich.table.Table(
    *('images', 'executor', 'µs/image', 'to Pillow'),
    *('2 threads', 'to 1 thread'),
    title=(
      f'{args.runs} interleaved runs, medians\njax {jax.__version__}, '
      f'Pillow {Image.__version__}, {platform.machine()}, {available} cores'
    ),
  )
  for side in args.sides:
    for case in (Case(side, 1, False), Case(side, 2, True)):
      add_rows(table, case, measured(case, threads, args.runs))
  Console().print(table)


if __name__ == '__main__':
  main()
