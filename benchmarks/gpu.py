"""The CUDA kernels on a GPU: checked, timed, and beside a training step.

  python benchmarks/gpu.py

First AugMix and random words are compared with their references on random
plans. Then the views of a batch of 224-pixel images, clean and two versions,
are timed beside the reference, and beside a copy of as many bytes as they read
and write at least: a kernel that did nothing but move them would take as long.
Then the same views within a training step of ResNet-18 in bfloat16. Last,
block-sparse products beside dense ones, see benchmarks/block_sparse.py, for the
3 x 3 convolution of ResNet-50's last stage and for a large matrix. Everything
takes turns; medians. Fails where there is no GPU or no CUDA library.
"""

import argparse
import functools
from collections.abc import Callable

import block_sparse
import jax
import jax.numpy as jnp
import numpy as np
import rich.table
import steps
import timing
from rich.console import Console

from rcj import models, native
from rcj.augment import AugMix, Plan, Views
from rcj.augment.augmix import mixed_views
from rcj.ops import augmix_host, random
from rcj.types import Preprocessing

_HOW = {'mean': (0.485, 0.456, 0.406), 'std': (0.229, 0.224, 0.225)}
_SHOWN = Preprocessing(_HOW['mean'], _HOW['std'], size=224)
# Images are all read, and all views written.
_VIEWS = 3
# Rows, and the matrix that multiplies them; all of whole blocks.
_PRODUCTS = ((256 * 7 * 7, (9 * 512, 512)), (8192, (4096, 4096)))


def inputs(seed: int, shape: tuple[int, int, int], versions: int, **options):
  """Images and a plan, on the device."""
  rng = np.random.default_rng(seed)
  images = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
  images %= rng.integers(1, 256, (shape[0], 1, 1, 3)).astype(np.uint8)
  plan = augmix_host.draw_plan(
    rng, shape[0] * versions, size=shape[1], **options
  )
  return jax.device_put((images, Plan(**vars(plan))))


def executor(implementation: str, **options) -> Callable:
  """All views of a batch, clean ones included."""
  return jax.jit(
    functools.partial(
      mixed_views, clean=True, implementation=implementation, **_HOW, **options
    )
  )


def check() -> None:
  """Raises an AssertionError where a kernel and its reference differ."""
  for seed, (shape, width, depth) in enumerate(
    [
      ((8, 32, 32), 3, -1),
      ((3, 33, 47), 4, 7),
      ((1, 1, 1), 3, 3),
      ((2, 224, 224), 3, -1),
      ((700, 64, 64), 3, -1),  # in parts, if scratch memory is short
    ]
  ):
    options = {'width': width, 'depth': depth, 'severity': 10, 'all_ops': True}
    operands = inputs(seed, shape, 2, **options)
    found = executor('cuda')(*operands)
    expected = executor('reference')(*operands)
    np.testing.assert_allclose(found, expected, atol=5e-6, rtol=0)
    brief = executor('cuda', dtype='bfloat16')(*operands)
    np.testing.assert_array_equal(brief, found.astype(jnp.bfloat16))
  keys = jax.random.split(jax.random.key(1), 7)
  for count in (1, 1000, 100_000):
    found = random.bits(keys, count, implementation='cuda')
    expected = random.bits(keys, count, implementation='reference')
    np.testing.assert_array_equal(found, expected)


def copy_of(moved: int) -> Callable:
  """Reads half of so many bytes and writes the other."""
  data = jnp.zeros(moved // 8, jnp.float32)
  return functools.partial(jax.jit(lambda x: x + 1), data)


def kernel_table(batches: list[int], repeats: int) -> rich.table.Table:
  """Times of the kernel, of its reference and of a copy."""
  table = rich.table.Table(
    *('batch', 'views', 'by', 'µs/image', 'GB/s', 'of the copy'),
    title=f'{_VIEWS} views of 224 px, median of {repeats}',
  )
  for batch in batches:
    operands = inputs(0, (batch, 224, 224), _VIEWS - 1, severity=3)
    for dtype, size in (('float32', 4), ('bfloat16', 2)):
      moved = batch * 224 * 224 * 3 * (1 + _VIEWS * size)
      runs = {
        name: functools.partial(executor(name, dtype=dtype), *operands)
        for name in ('cuda', 'reference')
      }
      turns = {'copy': copy_of(moved), 'cuda': runs['cuda']}
      times = timing.medians(turns, repeats, calls=20)
      # The reference takes its time.
      times |= timing.medians({'reference': runs['reference']}, 3)
      for name, took in times.items():
        table.add_row(
          *(str(batch), dtype, name, f'{1e6 * took / batch:.2f}'),
          f'{moved / took / 1e9:,.0f}',
          f'{100 * times["copy"] / took:.1f} %',
        )
  return table


def step_table(batch: int, repeats: int) -> rich.table.Table:
  """What the views cost a training step."""
  model = models.create('resnet18', num_classes=1000, dtype=jnp.bfloat16)
  start = functools.partial(
    steps.stepper, model, batch, _SHOWN, terms=steps.JSD
  )
  runs = {
    'clean views': start(augment=steps.Clean('bfloat16')),
    'AugMix': start(augment=Views(augmix=AugMix(), dtype='bfloat16')),
  }
  times = timing.medians(runs, repeats, calls=5)
  table = rich.table.Table(
    *('step on', 'ms', 'images/s', 'for the views'),
    title=f'ResNet-18 bfloat16, batch {batch} in {_VIEWS} views, 224 px',
  )
  for name, took in times.items():
    share = 1 - times['clean views'] / took
    table.add_row(
      *(name, f'{1000 * took:.1f}', f'{batch / took:,.0f}'),
      f'{100 * share:.1f} %',
    )
  return table


def main() -> None:
  """Checks, then prints the tables."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--batches', type=int, nargs='+', default=[8, 64, 256])
  parser.add_argument('--repeats', type=int, default=9)
  options = parser.parse_args()
  native.library(native.GPU)  # says why, if it cannot be had
  if jax.default_backend() != 'gpu':
    parser.error(f'needs a GPU, found {jax.devices()}')
  check()
  print('CUDA kernels agree with their references')
  console = Console()
  console.print(kernel_table(options.batches, options.repeats))
  console.print(step_table(max(options.batches), options.repeats))
  for m, shape in _PRODUCTS:
    console.print(block_sparse.crossover(m, shape, options.repeats, calls=20))
  device = jax.devices()[0].device_kind
  print(f'jax {jax.__version__} on {device}')


if __name__ == '__main__':
  main()
