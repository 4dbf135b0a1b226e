"""What int8 costs in accuracy, on networks that others trained.

  . launch/env.sh && .venv/bin/python benchmarks/int8_accuracy.py --data FOLDER

Post-training quantization of MobileNetV2 on 100 images of ImageNet, one of each
class of ImageNet100, and of ResNet-56 on the test images of CIFAR-10. Ranges
come from other images: those of Tiny-ImageNet, enlarged, and training images of
CIFAR-10. 'of these' is the accuracy among the classes that the images have,
'same' the part of the images on which the answer is the float network's, as JAX
runs it, 'same as twin' likewise of the network that integers were trained as,
and where the native runtime runs, of the same in JAX. FOLDER holds read.py,
what it reads (cifar10/, tiny_imagenet_30.npz), imagenet100_sample.tar and

  weights/mobilenet_v2_1.0_224_quant_dequant.npz
  weights/resnet56-4bfd9763.th
"""

import argparse
import csv
import functools
import importlib.util
import io
import pathlib
import platform
import tarfile
from collections.abc import Iterator, Sequence
from types import ModuleType

import jax
import numpy as np
import rich.table
from jaxtyping import Float, Int, UInt8
from PIL import Image
from rich.console import Console

from rcj import data, models, native, quantize
from rcj.export import program
from rcj.export.deployable import deployable
from rcj.ops.network import Network
from rcj.types import Frozen

_CROP = functools.partial(data.resize_center_crop, resize_to=256, size=224)
_BATCH = 50
_Images = UInt8[np.ndarray, 'N H W 3']
# {row's name: options of `quantize.quantized`}.
_WAYS = {
  'minmax': {},
  'percentile': {'observer': 'percentile'},
  'mse': {'observer': 'mse'},
  'per-tensor': {'per_channel': False},
}


def reader(folder: pathlib.Path) -> ModuleType:
  """The folder's read.py."""
  spec = importlib.util.spec_from_file_location('read', folder / 'read.py')
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def imagenet_sample(
  folder: pathlib.Path,
) -> tuple[_Images, Int[np.ndarray, ' N']]:
  """Centre crops of 224 px and their labels among the 1000."""
  images, labels = [], []
  with tarfile.open(folder / 'imagenet100_sample.tar') as tar:
    root = 'imagenet100_sample'
    text = tar.extractfile(f'{root}/labels.csv').read().decode()
    for row in csv.DictReader(io.StringIO(text)):
      file = tar.extractfile(f'{root}/{row["file"]}')
      images.append(_CROP(np.asarray(Image.open(file).convert('RGB'))))
      labels.append(int(row['class_index']))
  return np.stack(images), np.array(labels)


def answers(network: Frozen, images: _Images) -> Float[np.ndarray, 'N K']:
  """Logits of all images."""
  return np.concatenate(
    [
      models.predict(network, images[i : i + _BATCH].astype('f') / 255)
      for i in range(0, len(images), _BATCH)
    ]
  )


def accuracies(
  logits: Float[np.ndarray, 'N K'], labels: Int[np.ndarray, ' N']
) -> tuple[float, float]:
  """Top-1 among all classes, and among those that the images have."""
  present = np.unique(labels)
  among = present[logits[:, present].argmax(1)]
  return (logits.argmax(1) == labels).mean(), (among == labels).mean()


def native_answers(
  network: Frozen, images: _Images, storage: str = 'float32'
) -> Float[np.ndarray, 'N K']:
  """Those of the native runtime."""
  made = program.program(deployable(network), storage=storage)
  run = Network(*made)
  return np.concatenate(
    [
      run(images[i : i + _BATCH].astype('f') / 255, threads=2)
      for i in range(0, len(images), _BATCH)
    ]
  )


def rows(
  network: Frozen,
  images: _Images,
  others: _Images,
  labels: Int[np.ndarray, ' N'],
  ways: Sequence[str],
) -> Iterator[tuple[str, ...]]:
  """Of the float network, and of each way to quantize it; natively behind."""
  exact = answers(network, images)
  whole, _ = accuracies(exact, labels)

  def row(name, found, twin=None):
    now, among = accuracies(found, labels)
    same = [
      '' if x is None else f'{(found.argmax(1) == x.argmax(1)).mean():.4f}'
      for x in (exact, twin)
    ]
    return name, f'{now:.4f}', f'{now - whole:+.4f}', f'{among:.4f}', *same

  yield row('float32', exact)
  for storage in ('float32', 'bfloat16') if native.available() else ():
    found = native_answers(network, images, storage)
    yield row(f'{storage}, native', found, exact)
  for how in ways:
    fake = quantize.quantized(network, others.astype('f') / 255, **_WAYS[how])
    whole_numbers = quantize.integers(fake)
    found = answers(whole_numbers, images)
    yield row(how, found, answers(fake, images))
    if native.available():
      own = native_answers(whole_numbers, images)
      yield row(f'{how}, native', own, found)


def mobilenet(
  folder: pathlib.Path, calibration: int
) -> tuple[Frozen, _Images, _Images, Int[np.ndarray, ' N']]:
  """Network, images, other images, labels."""
  path = folder / 'weights' / 'mobilenet_v2_1.0_224_quant_dequant.npz'
  images, labels = imagenet_sample(folder)
  sets, _ = reader(folder).tiny_imagenet_30(str(folder))
  every = sets['train'][0][:: len(sets['train'][0]) // calibration]
  others = np.stack([_CROP(image) for image in every[:calibration]])
  return models.load_quant_dequant(path), images, others, labels


def resnet(
  folder: pathlib.Path, calibration: int
) -> tuple[Frozen, _Images, _Images, Int[np.ndarray, ' N']]:
  """Network, images, other images, labels."""
  path = folder / 'weights' / 'resnet56-4bfd9763.th'
  sets = reader(folder).cifar10(str(folder))
  images, labels, _ = sets['test']
  network = models.load_torch(path, 'resnet56')
  return network, images, sets['train'][0][:calibration], labels


_NETWORKS = {'mobilenet_v2': mobilenet, 'resnet56': resnet}


def shown(title: str, found: Iterator[tuple[str, ...]]) -> None:
  """Prints a table."""
  table = rich.table.Table(title=title)
  table.add_column('weights and ranges')
  for column in ('top-1', 'difference', 'of these', 'same', 'same as twin'):
    table.add_column(column, justify='right')
  for row in found:
    table.add_row(*row)
  Console(width=100).print(table)


def main() -> None:
  """Prints the tables."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--data', type=pathlib.Path, required=True)
  parser.add_argument('--calibration', type=int, default=256, help='images')
  parser.add_argument('--ways', nargs='+', choices=_WAYS, default=[*_WAYS])
  parser.add_argument(
    '--networks', nargs='+', choices=_NETWORKS, default=[*_NETWORKS]
  )
  options = parser.parse_args()
  machine = f'jax {jax.__version__}, {platform.machine()}'
  for name in options.networks:
    network, images, others, labels = _NETWORKS[name](
      options.data, options.calibration
    )
    shown(
      f'{name}, {len(network.classes)} classes, {len(images):,} images, '
      f'ranges from {len(others)} others\n{machine}',
      rows(network, images, others, labels, options.ways),
    )


if __name__ == '__main__':
  main()
