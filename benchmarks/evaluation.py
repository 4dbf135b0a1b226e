"""A network on all 15 corruptions at 5 severities, made while it is measured.

  bash -c '. launch/env.sh && .venv/bin/python benchmarks/evaluation.py'

Times, in turns, `evaluate.evaluate` on JPEGs of 500 x 375 pixels, and its three
stages by themselves: decoding, resizing and cropping each image once to 224
pixels; corrupting it 75 times; classifying the 75 results. The whole takes less
than the stages together where they overlap. Medians, after a run of severity 1
that compiles.
"""

import argparse
import functools
import os
import pathlib
import platform
import statistics
import tempfile
import time
from collections.abc import Callable

import jax
import photos
import rich.table
from rich.console import Console

from rcj import data, evaluate, models, weights
from rcj.experiment import data_mesh
from rcj.types import Frozen, Preprocessing

evaluate.suites._KEEP_BYTES = 0  # every run makes its images anew
_SIZE = 224
_CROP = functools.partial(data.resize_center_crop, resize_to=256, size=_SIZE)
_READ = 'decode, resize, crop'
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network(
  name: str, source: data.FolderSource, mesh: jax.sharding.Mesh
) -> Frozen:
  """The network with random weights, on every device."""
  module = models.create(name, num_classes=len(source.classes))
  params, stats = models.init(jax.random.key(0), module, size=_SIZE)
  nowhere = jax.tree.map(lambda _: None, params)
  made = Frozen(
    params=params,
    batch_stats=stats,
    masks=nowhere,
    scores=nowhere,
    model=module,
    effective=weights.Masked(),
    preprocessing=Preprocessing(_MEAN, _STD, size=_SIZE),
    classes=source.classes,
  )
  return jax.device_put(made, jax.NamedSharding(mesh, jax.P()))


def stages(
  name: str,
  source: data.FolderSource,
  batch: int,
  *,
  severities: tuple[int, ...],
) -> dict[str, Callable[[], object]]:
  """{name: function that does it once for all images}."""
  mesh = data_mesh()
  shown = network(name, source, mesh)
  suite = evaluate.corrupted(source, transform=_CROP, severities=severities)
  ((_, cells),) = suite.parts()
  read = functools.partial(
    data.eval_batches, source, batch_size=batch, transform=_CROP
  )
  batches = list(read())
  clean = data.in_memory(source, transform=_CROP)
  kept = evaluate.Part(clean, tuple(c._replace(change=None) for c in cells))
  measured = functools.partial(evaluate.classify, shown, mesh=mesh)

  def corrupt() -> None:
    for cell in cells:
      for b in batches:
        cell.change(b['image'], b['index'])

  return {
    _READ: lambda: list(read()),
    'corrupt': corrupt,
    'classify': lambda: measured(kept, batch_size=batch),
    'whole': lambda: evaluate.evaluate(
      shown, suite, mesh=mesh, batch_size=batch
    ),
  }


def main() -> None:
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--runs', type=int, default=3, help='runs of each')
  parser.add_argument('--images', type=int, default=32)
  parser.add_argument('--batch', type=int, default=32, help='divides --images')
  parser.add_argument('--model', default='resnet18')
  options = parser.parse_args()
  with tempfile.TemporaryDirectory() as folder:
    photos.write(pathlib.Path(folder), options.images)
    source = data.FolderSource(folder)
    how = options.model, source, options.batch
    for run in stages(*how, severities=(1,)).values():
      run()
    each = stages(*how, severities=(1, 2, 3, 4, 5))
    seconds = {name: [] for name in each}
    for _ in range(options.runs):
      for name, run in each.items():
        start = time.perf_counter()
        run()
        seconds[name].append(time.perf_counter() - start)
  table = rich.table.Table(
    title=(
      f'{options.model}, {options.images} images of {_SIZE} px in 75 cells, '
      f'batch {options.batch}, {options.runs} interleaved runs\n'
      f'jax {jax.__version__}, {jax.devices()[0].device_kind}, '
      f'{platform.machine()}, {len(os.sched_getaffinity(0))} cores'
    )
  )
  for column in ('stage', 'images', 'median s', 'least s', 'images/s', 'share'):
    table.add_column(column, justify='right')
  medians = {name: statistics.median(s) for name, s in seconds.items()}
  for name, median in medians.items():
    n = options.images * (1 if name == _READ else 75)
    table.add_row(
      name, f'{n:,}', f'{median:.2f}', f'{min(seconds[name]):.2f}',
      f'{n / median:.1f}', f'{median / medians["whole"]:.2f}',
    )  # fmt: skip
  Console(width=100).print(table)


if __name__ == '__main__':
  main()
