"""Training throughput against PyTorch: ResNet-18, CIFAR stem, 32 px.

  bash -c '. launch/env.sh && .venv/bin/python benchmarks/training.py'

One optimisation step (forward, backward, SGD with momentum) of the same
network on the same batch, by rcj's compiled training step and by PyTorch
(eager, channels_last) in the same process and under the same malloc settings,
in turns; the table gives medians. PyTorch is the extra `bench`; without it
only rcj is timed. On a GPU, --dtype=bfloat16 times mixed precision.
"""

import argparse
import os
import platform
import statistics
import time

import jax
import jax.numpy as jnp
import rich.table
import steps
from rich.console import Console

from rcj import losses, models
from rcj.augment import Views
from rcj.types import Preprocessing

_SHOWN = Preprocessing((0.5,) * 3, (0.5,) * 3, size=32)


def rcj_step(batch_size: int, dtype: str):
  """A function that takes one training step of rcj and waits for it."""
  model = models.create(
    'resnet18', num_classes=10, stem='cifar', dtype=jnp.dtype(dtype)
  )
  terms = {'ce': losses.Weighted(1.0, losses.CrossEntropy())}
  start = steps.stepper(model, batch_size, _SHOWN, augment=Views(), terms=terms)
  return lambda: jax.block_until_ready(start())


def torch_step(batch_size: int, threads: int):
  """The same step in PyTorch, or None where it is not installed."""
  try:
    import torch
  except ImportError:
    return None, 'not installed'
  import torch_resnet

  torch.set_num_threads(threads)
  model = torch_resnet.resnet18(num_classes=10)
  model = model.to(memory_format=torch.channels_last).train()
  sgd = torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=5e-4)
  images = torch.randn(batch_size, 3, 32, 32)
  images = images.to(memory_format=torch.channels_last)
  labels = torch.randint(0, 10, (batch_size,))

  def run():
    sgd.zero_grad(set_to_none=True)
    torch.nn.functional.cross_entropy(model(images), labels).backward()
    sgd.step()

  return run, torch.__version__


def main() -> None:
  """Times both in turns and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--batch', type=int, default=128)
  parser.add_argument('--repeats', type=int, default=7)
  parser.add_argument('--dtype', default='float32')
  parser.add_argument(
    '--threads', type=int, default=len(os.sched_getaffinity(0))
  )
  options = parser.parse_args()
  torch_run, torch_version = torch_step(options.batch, options.threads)
  runs = {'rcj': rcj_step(options.batch, options.dtype), 'torch': torch_run}
  runs = {name: run for name, run in runs.items() if run is not None}
  seconds = {name: [] for name in runs}
  for run in runs.values():
    run(), run()
  for _ in range(options.repeats):
    for name, run in runs.items():
      begin = time.perf_counter()
      run()
      seconds[name].append(time.perf_counter() - begin)
  rate = {n: options.batch / statistics.median(s) for n, s in seconds.items()}
  table = rich.table.Table(
    title=f'ResNet-18 CIFAR stem, batch {options.batch}, {options.dtype}, '
    f'{options.threads} threads, median of {options.repeats}'
  )
  for column in ('step by', 'images/s', 'slowest .. fastest', 'ratio to rcj'):
    table.add_column(column, justify='right')
  for name, times in seconds.items():
    low, high = options.batch / max(times), options.batch / min(times)
    table.add_row(
      name, f'{rate[name]:.1f}', f'{low:.1f} .. {high:.1f}',
      f'{rate[name] / rate["rcj"]:.2f}',
    )  # fmt: skip
  Console().print(table)
  malloc = os.environ.get('MALLOC_MMAP_THRESHOLD_', 'default')
  print(
    f'jax {jax.__version__} on {jax.devices()[0].device_kind}, torch '
    f'{torch_version}, {platform.machine()}, malloc mmap threshold {malloc}'
  )


if __name__ == '__main__':
  main()
