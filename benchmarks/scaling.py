"""A training step on several devices: on simulated ones, and on paper.

  bash -c '. launch/env.sh && .venv/bin/python benchmarks/scaling.py'

First, ResNet-18 with CIFAR stem at 32 px, one batch split over 1, 2, 4 and 8
simulated devices that share the cores of this machine: what splitting costs
beside one device, the time to compile, and what a device sends and holds, read
from the compiled program. Steps take turns; medians.

Then, on paper, ResNet-50 at 224 px on machines that are not here. What the
devices exchange is read from a program that was compiled for 8 simulated ones,
everything else is stated under the table. No number of it was measured.
"""

import argparse
import dataclasses
import platform
import time
from collections.abc import Sequence

import jax
import rich.table
import steps
import timing
from rich.console import Console

from rcj import graph, losses, models, program
from rcj.augment import Views
from rcj.types import Preprocessing

_SHOWN = Preprocessing((0.5,) * 3, (0.5,) * 3, size=32)
_TERMS = {'ce': losses.Weighted(1.0, losses.CrossEntropy())}
_COUNTS = (1, 2, 4, 8)
# Multiplications and additions of a step, in multiplications of a forward pass:
# forward, and the gradients of inputs and of weights.
_OPERATIONS = 2 * 3
_BACKWARD = 2 / 3

_FORMULAS = """\
On paper, not measured. n devices, each with {images} images; C = compute time
  of a step = {operations} x {macs:.2f} GMAC x {images} / ({use:g} x peak)
an all-reduce of b bytes takes latency + 2 (n - 1) / n x b / rate, in a ring
  statistics S: {small} of them, {small_size:.2f} MB, always waited for
  gradients G: {large} of them, {large_size:.1f} MB, after the backward
efficiency = C / (C + S + G); with overlap C / (C + S + max(0, G - 2/3 C))
Assumed: the latencies, and the share of the peak that a step reaches; of fewer
operations per second, the exchanges would be a smaller part. Rates and peaks
are the makers':
  H100 SXM: NVLink 450 GB/s each way, 989 TFLOP/s bfloat16; latency 20 us
  TPU v5e: one link of four, 50 GB/s each way, 197 TFLOP/s
  TPU v5p: one link of six, 100 GB/s each way, 459 TFLOP/s
A torus has several rings, so that its rates are low estimates; its latency is
1 us for each device along each axis."""


@dataclasses.dataclass(frozen=True)
class Cluster:
  """Devices that are not here.

  Attributes:
    name: what they are.
    devices: how many.
    rate: bytes per second that each sends to its neighbour in a ring.
    latency: seconds of an all-reduce of nothing; on a torus one microsecond
      for each device along each of its axes.
    peak: floating-point operations per second of each, bfloat16.
  """

  name: str
  devices: int
  rate: float
  latency: float
  peak: float

  def seconds(self, exchanged: Sequence[program.Exchange]) -> float:
    """Of these operations, one after the other."""
    passed = 2 * (self.devices - 1) / self.devices
    return sum(self.latency + passed * x.size / self.rate for x in exchanged)


_CLUSTERS = (
  Cluster('8 H100, NVLink', 8, 450e9, 20e-6, 989e12),
  Cluster('64 TPU v5e, 8 x 8', 64, 50e9, 16e-6, 197e12),
  Cluster('512 TPU v5p, 8 x 8 x 8', 512, 100e9, 24e-6, 459e12),
)


def mesh_of(count: int) -> jax.sharding.Mesh:
  """The first devices, along one axis."""
  kinds = (jax.sharding.AxisType.Auto,)
  return jax.make_mesh(
    (count,), ('data',), kinds, devices=jax.devices()[:count]
  )


def measured(batch: int, repeats: int) -> rich.table.Table:
  """Steps of one batch on more and more simulated devices."""
  model = models.create('resnet18', num_classes=10, stem='cifar')
  runs, compiled, took = {}, {}, {}
  for count in _COUNTS:
    step, arguments = steps.prepared(
      *(model, batch, _SHOWN),
      augment=Views(),
      terms=_TERMS,
      mesh=mesh_of(count),
    )
    lowered = step.lower(*arguments)
    begin = time.perf_counter()
    compiled[count] = lowered.compile()
    took[count] = time.perf_counter() - begin
    runs[count] = steps.repeated(compiled[count], arguments)
  medians = timing.medians(runs, repeats)
  table = rich.table.Table(
    *('devices', 'ms per step', 'to one device', 'compile s'),
    *('exchanges', 'MB exchanged', 'MB held', 'MB working'),
    title=f'ResNet-18, 32 px, batch {batch}, simulated devices, medians of '
    f'{repeats}; MB per device',
  )
  for count in _COUNTS:
    sent = program.exchanges(compiled[count].as_text())
    needs = program.memory(compiled[count])
    table.add_row(
      *(str(count), f'{1000 * medians[count]:.0f}'),
      f'{medians[count] / medians[1]:.2f}',
      *(f'{took[count]:.1f}', str(len(sent))),
      f'{sum(x.size for x in sent) / 1e6:.1f}',
      *(f'{needs.held / 1e6:.0f}', f'{needs.working / 1e6:.0f}'),
    )
  return table


def exchanged_by_resnet50() -> list[program.Exchange]:
  """What its step exchanges; the size of images does not change it."""
  model = models.create('resnet50', num_classes=1000)
  step, arguments = steps.prepared(
    *(model, 8, _SHOWN), augment=Views(), terms=_TERMS, mesh=mesh_of(8)
  )
  # Machine code that never runs need not be good.
  brief = {'xla_backend_optimization_level': 0}
  compiled = step.lower(*arguments).compile(compiler_options=brief)
  return program.exchanges(compiled.as_text())


def on_paper(images: int, use: float) -> tuple[rich.table.Table, str]:
  """Efficiencies of larger machines, and how they were computed."""
  macs = graph.macs(
    models.graph_of(models.create('resnet50', num_classes=1000)), 224
  )
  sent = exchanged_by_resnet50()
  # Kernels have axes; BatchNorm's sums, and what is as small, have one.
  large = [x for x in sent if any(len(shape) > 1 for shape in x.shapes)]
  small = [x for x in sent if x not in large]
  table = rich.table.Table(
    *('machine', 'C ms', 'S ms', 'G ms', 'efficiency', 'with overlap'),
    title=f'ON PAPER: ResNet-50, 224 px, {images} images per device, bfloat16',
  )
  for cluster in _CLUSTERS:
    compute = _OPERATIONS * macs * images / (use * cluster.peak)
    waited, beside = cluster.seconds(small), cluster.seconds(large)
    hidden = max(0, beside - _BACKWARD * compute)
    table.add_row(
      cluster.name,
      *(f'{1000 * t:.2f}' for t in (compute, waited, beside)),
      f'{100 * compute / (compute + waited + beside):.1f} %',
      f'{100 * compute / (compute + waited + hidden):.1f} %',
    )
  return table, _FORMULAS.format(
    images=images,
    operations=_OPERATIONS,
    macs=macs / 1e9,
    use=use,
    small=len(small),
    small_size=sum(x.size for x in small) / 1e6,
    large=len(large),
    large_size=sum(x.size for x in large) / 1e6,
  )


def main() -> None:
  """Prints both tables."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--batch', type=int, default=32)
  parser.add_argument('--repeats', type=int, default=3)
  parser.add_argument('--images', type=int, default=128, help='on paper')
  parser.add_argument(
    '--use', type=float, default=0.4, help='share of the peak, on paper'
  )
  options = parser.parse_args()
  jax.config.update('jax_platforms', 'cpu')
  jax.config.update('jax_num_cpu_devices', max(_COUNTS))
  # A program from the cache would seem to compile in no time.
  jax.config.update('jax_enable_compilation_cache', False)
  console = Console(width=100)
  console.print(measured(options.batch, options.repeats))
  table, formulas = on_paper(options.images, options.use)
  console.print(table)
  print(formulas)
  print(
    f'jax {jax.__version__} on {jax.devices()[0].device_kind}, '
    f'{platform.machine()}'
  )


if __name__ == '__main__':
  main()
