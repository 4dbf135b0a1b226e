r"""Writes a finished network in the formats of other programs.

  python launch/export.py runs/hydra --to=onnx,stablehlo \
    --config=configs/digits.py:hydra
  python launch/export.py network.rcj --to=onnx --images=photos --out=exported

RUN_DIR is a run directory with one artifact, or name the artifact itself. The
files lie beside it unless --out names a folder. For each, compared with the
artifact on real images, the test set of --config or a folder of images in
folders of classes: the largest difference of a logit, images whose class is
another, bytes, and the latency in the program that runs it, for one image and
for sixteen, on one thread, measured in turns.
"""

import functools
import importlib
import sys

import numpy as np
import rich.table
from absl import app, flags, logging
from etils import epath
from ml_collections import config_flags
from parsing import parse
from rich.console import Console

from rcj import data as data_sets
from rcj import export
from rcj.export import artifact, latency, metadata, runtime
from rcj.types import Frozen

_SUFFIXES = {'onnx': 'onnx', 'stablehlo': 'stablehlo', 'litert': 'tflite'}
_BATCHES = (1, 16)

_TO = flags.DEFINE_list(
  'to', ['onnx', 'stablehlo'], f'Formats: {", ".join(_SUFFIXES)}.'
)
_OUT = flags.DEFINE_string('out', None, 'Folder of the files.')
_IMAGES = flags.DEFINE_string(
  'images', None, 'Folder of images to compare on, instead of --config.'
)
_COUNT = flags.DEFINE_integer(
  'count', 1000, 'Images to compare on at most.', lower_bound=1
)
_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'Experiment file, whose test images are compared on.'
)


def images01(network: Frozen) -> np.ndarray:
  """float32 [n, size, size, 3] of the test set or folder."""
  side = network.preprocessing.size
  if _IMAGES.value is not None:
    source = data_sets.FolderSource(_IMAGES.value)
    transform = functools.partial(
      data_sets.resize_center_crop,
      resize_to=network.preprocessing.resize or side,
      size=side,
    )
  elif _CONFIG.value is not None:
    suite = _CONFIG.value.suites(_CONFIG.value.load_data())[0]
    source, transform = next(iter(suite.parts())).source, suite.transform
  else:
    raise ValueError('expected --config or --images: real images to compare on')
  # All over the set: files are often in the order of their classes.
  count = min(_COUNT.value, len(source))
  chosen = np.linspace(0, len(source) - 1, count).astype(int)
  source = data_sets.in_memory(
    data_sets.subset(source, chosen), transform=transform
  )
  return source.images.astype(np.float32) / 255


def written(network: Frozen, path: epath.Path, provenance: object) -> None:
  """Writes the file of each format."""
  for name in _TO.value:
    file = _file(path, name)
    module = importlib.import_module(f'rcj.export.{name}')
    if name == 'onnx':
      module.save(network, file, provenance=provenance)
    else:
      module.save(network, file)
      metadata.write_beside(file, network, provenance=provenance)


def _file(path: epath.Path, name: str) -> epath.Path:
  return path.with_name(f'{path.stem}.{_SUFFIXES[name]}')


def logits(network: runtime.Runtime, images: np.ndarray) -> np.ndarray:
  """Of all images."""
  return np.concatenate(
    [network(images[i : i + 64]) for i in range(0, len(images), 64)]
  )


def compare(
  files: dict[str, epath.Path], images: np.ndarray
) -> list[tuple[str, ...]]:
  """A row for each file; the first is what the others are compared with."""
  opened = {n: runtime.opened(n, f, threads=1) for n, f in files.items()}
  outputs = {n: logits(network, images) for n, network in opened.items()}
  expected = next(iter(outputs.values()))
  runs = {
    (name, batch): network.prepare(
      np.resize(images, (batch, *images.shape[1:]))
    )
    for name, network in opened.items()
    for batch in _BATCHES
  }
  with latency.on_cores(1):
    took = latency.measure(runs)
  return [
    (
      name,
      files[name].name,
      f'{np.abs(got - expected).max() / np.ptp(expected):.1e}',
      f'{(got.argmax(-1) != expected.argmax(-1)).sum()} of {len(images)}',
      f'{files[name].stat().length:,}',
      *(f'{took[name, batch]:.2f} ms' for batch in _BATCHES),
    )
    for name, got in outputs.items()
  ]


def show(rows: list[tuple[str, ...]]) -> None:
  """Prints the table."""
  table = rich.table.Table(
    title='Differences are parts of the range of all logits'
  )
  heads = ('runtime', 'file', 'difference', 'other class', 'bytes')
  for head in (*heads, *(f'batch {batch}, 1 thread' for batch in _BATCHES)):
    table.add_column(head, justify='right')
  for row in rows:
    table.add_row(*row)
  Console(width=110).print(table)


def main(argv: list[str]) -> None:
  """Writes the files and prints the table."""
  logging.set_verbosity(logging.WARNING)
  if len(argv) != 2:
    raise app.UsageError('expected one run directory or artifact')
  if unknown := set(_TO.value) - set(_SUFFIXES):
    sys.exit(f'unknown formats {sorted(unknown)}; there are {[*_SUFFIXES]}')
  try:
    path = export.found(argv[1])
    network = artifact.load(path)
    images = images01(network)
    folder = epath.Path(_OUT.value) if _OUT.value else path.parent
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / path.name
    written(network, target, artifact.describe(path)['provenance'])
    files = {'jax': path, **{n: _file(target, n) for n in _TO.value}}
    rows = compare(files, images)
  except (ValueError, KeyError, OSError, ImportError) as e:
    sys.exit(f'{type(e).__name__}: {e}')
  show(rows)


if __name__ == '__main__':
  app.run(main, flags_parser=parse)
