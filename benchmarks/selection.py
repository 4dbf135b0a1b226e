"""Choosing the k largest of a ResNet-18's weights, without sorting them.

  python benchmarks/selection.py

Times, in turns: the k-th value by `jnp.sort` and by `np.partition`, and masks,
which are more work, by `masks.keep_k` as it runs here and by bisection, its
pure-JAX reference: over all layers together, per layer, and with so many ties
that some of them must be split. Medians of the interleaved runs, and the ratios
to `jnp.sort` and `np.partition`. Every mask is checked against that of the
reference, and its count.
"""

import argparse
import functools
import os
import platform
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import rich.table
from rich.console import Console

from rcj import masks, native, topk

# Kernels of a ResNet-18 with 100 classes, 11.2 million weights.
_STAGES = ((64, 64, 0), (64, 128, 1), (128, 256, 1), (256, 512, 1))


def kernel_shapes() -> list[tuple[int, ...]]:
  """Shapes of the kernels, as Flax stores them."""
  shapes = [(7, 7, 3, 64)]
  for inputs, outputs, shortcut in _STAGES:
    shapes += [(3, 3, inputs, outputs)] + 3 * [(3, 3, outputs, outputs)]
    shapes += shortcut * [(1, 1, inputs, outputs)]
  return [*shapes, (512, 100)]


def contestants(density: float) -> dict:
  """{name: function that does the work once and returns a count kept}."""
  rng = np.random.default_rng(0)
  host = [
    np.abs(rng.normal(size=s)).astype(np.float32) for s in kernel_shapes()
  ]
  leaves = [jnp.asarray(x) for x in host]
  tied = [jnp.round(x * 8) for x in leaves]
  flat = jnp.concatenate([x.ravel() for x in leaves])
  flat_host = np.asarray(flat)
  k = masks.counts(leaves, density=density)
  k_layer = masks.counts(leaves, density=density, scope='layer')
  kth = jax.jit(lambda x: jnp.sort(x)[x.size - k])

  keep = functools.partial(masks.keep_k, strict=True)
  bisect = jax.jit(topk.largest)
  cases = {
    'global': (leaves, k),
    'per layer': (leaves, k_layer),
    'global, split ties': (tied, k),
  }

  def runner(select, case):
    return lambda: jax.block_until_ready(select(*case))

  return {
    'k-th value, jnp.sort': lambda: jax.block_until_ready(kth(flat)),
    'k-th value, np.partition': lambda: np.partition(
      flat_host, flat_host.size - k
    )[flat_host.size - k],
    **{f'masks, {n}, keep_k': runner(keep, c) for n, c in cases.items()},
    **{f'masks, {n}, bisection': runner(bisect, c) for n, c in cases.items()},
  }


def check(results: dict, density: float) -> None:
  """Raises AssertionError unless all agree."""
  values = [float(v) for n, v in results.items() if n.startswith('k-th')]
  assert values[0] == values[1], values
  n = sum(int(np.prod(s)) for s in kernel_shapes())
  for name, result in results.items():
    if 'global' in name:
      kept = sum(int(m.sum()) for m in result)
      assert kept == masks.kept(n, density=density), name
    if 'keep_k' in name:
      other = results[name.replace('keep_k', 'bisection')]
      jax.tree.map(np.testing.assert_array_equal, result, other)


def main():
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--runs', type=int, default=9, help='runs of each')
  parser.add_argument('--density', type=float, default=0.1)
  args = parser.parse_args()

  functions = contestants(args.density)
  check({name: f() for name, f in functions.items()}, args.density)
  seconds = {name: [] for name in functions}
  for _ in range(args.runs):
    for name, f in functions.items():
      start = time.perf_counter()
      f()
      seconds[name].append(time.perf_counter() - start)

  n = sum(int(np.prod(s)) for s in kernel_shapes())
  table = rich.table.Table(
    'work',
    'median ms',
    'least ms',
    'ratio to jnp.sort',
    'to np.partition',
    title=(
      f'{n:,} values, density {args.density:g}, {args.runs} interleaved runs\n'
      f'jax {jax.__version__}, numpy {np.__version__}, '
      f'{jax.devices()[0].device_kind}, {platform.machine()}, '
      f'{len(os.sched_getaffinity(0))} cores, '
      f'{" ".join(native.implementations()[:1]) or "no"} kernels'
    ),
  )
  medians = {name: statistics.median(t) for name, t in seconds.items()}
  sort, partition, *_ = medians.values()
  for name, median in medians.items():
    table.add_row(
      name,
      f'{1e3 * median:.1f}',
      f'{1e3 * min(seconds[name]):.1f}',
      f'{sort / median:.1f}',
      f'{partition / median:.1f}',
    )
  Console(width=100).print(table)


if __name__ == '__main__':
  main()
