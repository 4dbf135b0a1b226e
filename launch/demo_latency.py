"""How long the networks of the demo take, in each program that runs them."""

import pathlib
import tempfile
from collections.abc import Mapping, Sequence

import jax
import numpy as np
from jaxtyping import Float
from rich import box
from rich.console import Console
from rich.table import Table

from rcj import native, report
from rcj.export import artifact, latency, onnx, runtime

BATCHES = (1, 16)
RUNTIMES = {'native': '\nrcj', 'onnx': 'onnx-\nruntime', 'jax': '\nXLA'}
_REFERENCE = 'onnx'

# (network, runtime, batch): median milliseconds.
Times = Mapping[tuple[str, str, int], float]


def timed(
  artifacts: Mapping[str, pathlib.Path],
  images01: Float[np.ndarray, '16 H W 3'],
) -> Times:
  """Medians of all networks in all programs, in turns, on one CPU thread."""
  names = [n for n in RUNTIMES if n != 'native' or native.available()]
  calls = {}
  with (
    jax.default_device(jax.devices('cpu')[0]),
    tempfile.TemporaryDirectory() as folder,
  ):
    for network, path in artifacts.items():
      exported = pathlib.Path(folder) / f'{network}.onnx'
      onnx.save(artifact.load(path), exported)
      for name in names:
        file = exported if name == 'onnx' else path
        opened = runtime.opened(name, file, threads=1)
        for batch in BATCHES:
          calls[network, name, batch] = opened.prepare(images01[:batch])
    with latency.on_cores(1):
      return latency.measure(calls, repeats=100, seconds=5.0)


def show(times: Times, rows: Sequence[report.Row], console: Console) -> None:
  """Prints milliseconds, and how many times faster than the dense network.

  Args:
    times: of networks that are named as their runs; the first is the dense
      one, and onnxruntime, which runs it, the reference.
    rows: of the report, which know the parameters.
    console: where to.
  """
  sizes = {row.run: (row.nonzero, row.parameters) for row in rows}
  networks = list(dict.fromkeys(network for network, *_ in times))
  table = Table(
    title='Milliseconds of 1 and 16 images on one CPU thread',
    caption=f'below: times faster than {networks[0]} in onnxruntime',
    box=box.SIMPLE_HEAD,
    show_edge=False,
  )
  table.add_column('network', overflow='fold')
  table.add_column('\nparameters\nleft', justify='right', no_wrap=True)
  columns = [(name, batch) for name in RUNTIMES for batch in BATCHES]
  for name, batch in columns:
    head = f'{RUNTIMES[name]}\n{batch}'
    table.add_column(head, justify='right', no_wrap=True)
  for network in networks:
    left, dense = sizes[network]
    cells = (_cell(times, networks[0], network, *at) for at in columns)
    table.add_row(network, f'{left:,}\n{left / dense:.0%}', *cells)
  console.print(table)
  if not native.available():
    console.print(f'rcj: no native kernels: {native.why_not()}')


def _cell(times: Times, dense: str, network: str, name: str, batch: int) -> str:
  if (network, name, batch) not in times:
    return '-'
  took = times[network, name, batch]
  return f'{took:.3g}\n{times[dense, _REFERENCE, batch] / took:.1f}x'
