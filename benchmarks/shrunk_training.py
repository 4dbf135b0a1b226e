"""A training step of a network, and of the same one without half its filters.

  bash -c '. launch/env.sh && .venv/bin/python benchmarks/shrunk_training.py'

ResNet-18 with CIFAR stem at 32 px, cross-entropy, one view, random weights.
Masks save no time, so the network with masks takes as long as the whole one;
`rcj.shrink` takes half the filters of every group away. Medians of interleaved
steps.
"""

import argparse
import platform

import jax
import rich.table
import steps
import timing
from inference import CASES, halved, network
from rich.console import Console

from rcj import graph, losses, models
from rcj.augment import Views
from rcj.types import Preprocessing

_SHOWN = Preprocessing((0.5,) * 3, (0.5,) * 3, size=32)


def main() -> None:
  """Times both in turns and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--batch', type=int, default=32)
  parser.add_argument('--repeats', type=int, default=9)
  options = parser.parse_args()
  (case,) = [c for c in CASES if c.name == 'resnet18-cifar']
  whole = network(case)
  nets = {'whole, or masked': whole.model, 'shrunk': halved(whole).model}
  terms = {'ce': losses.Weighted(1.0, losses.CrossEntropy())}
  runs = {
    name: steps.stepper(
      net, options.batch, _SHOWN, augment=Views(), terms=terms
    )
    for name, net in nets.items()
  }
  medians = timing.medians(runs, options.repeats)
  table = rich.table.Table(
    *('network', 'MACs', 'ms per step', 'ratio'),
    title=f'batch {options.batch}, medians of {options.repeats}',
  )
  for name, taken in medians.items():
    macs = graph.macs(models.graph_of(nets[name]), 32)
    ratio = medians['whole, or masked'] / taken
    table.add_row(name, f'{macs:,}', f'{1000 * taken:.0f}', f'{ratio:.2f}')
  Console().print(table)
  print(f'jax {jax.__version__}, {platform.machine()}')


if __name__ == '__main__':
  main()
