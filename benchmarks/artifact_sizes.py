"""Bytes of a network as an artifact: dense, pruned, in integers.

  python benchmarks/artifact_sizes.py resnet56-4bfd9763.th --model=resnet56

The file is a PyTorch checkpoint that `models.load_torch` reads. Pruning is by
magnitude over all layers; ranges of int8 are of noise, which hardly changes the
size. Ratios are to the float32 weights of the dense network.
"""

import argparse
import dataclasses

import numpy as np
import rich.table
from rich.console import Console

from rcj import export, masks, models, quantize, scores
from rcj.types import Frozen


def pruned(frozen: Frozen, density: float) -> Frozen:
  """With masks that keep this part of the kernels."""
  eligible = masks.eligible(frozen.params)
  importance = scores.magnitude(frozen.params, eligible)
  alive = masks.keep_top(importance, density=density)
  return dataclasses.replace(frozen, masks=alive)


def main() -> None:
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('checkpoint')
  parser.add_argument('--model', required=True)
  options = parser.parse_args()
  dense = models.load_torch(options.checkpoint, options.model)
  side = dense.preprocessing.size
  noise = np.random.default_rng(0).random((8, side, side, 3), np.float32)
  ninety = pruned(dense, 0.1)
  networks = {
    'dense': dense,
    '50 % magnitude': pruned(dense, 0.5),
    '90 % magnitude': ninety,
    '98 % magnitude': pruned(dense, 0.02),
    'int8': quantize.quantized(dense, noise),
    'int8 of the 90 % network': quantize.quantized(ninety, noise),
  }
  table = rich.table.Table('network', 'packed, bytes', 'gzip, level 6')
  whole = export.sizes(dense).dense
  for name, network in networks.items():
    sizes = export.sizes(network)
    shown = (sizes.packed, sizes.gzip)
    table.add_row(name, *(f'{x:,} ({whole / x:.1f}x)' for x in shown))
  Console().print(table)
  print(f'float32 weights of the dense network: {whole:,} bytes')


if __name__ == '__main__':
  main()
