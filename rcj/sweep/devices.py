"""One worker per device, by environment variables that hide the others."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Mapping

# A TPU chip of some generations is two devices, which one process opens.
_PROBE = """
import jax
tpu = jax.default_backend() == 'tpu'
chips = {tuple(d.coords) if tpu else d.id for d in jax.local_devices()}
print(jax.default_backend(), len(chips))
"""
_TPU_PORT = 8476
_GPU_MEMORY = 0.9  # of all workers on a GPU together


@dataclasses.dataclass(frozen=True)
class Slot:
  """Where one worker runs.

  Attributes:
    name: for people, such as 'gpu 1'.
    environment: variables of its process, beside those of this one.
    cores: CPU cores that its threads may use; empty for all.
  """

  name: str
  environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
  cores: frozenset[int] = frozenset()


def local() -> tuple[str, int]:
  """(backend, number of devices) of this machine, asked in another process.

  The process that asks must not open a device itself: a TPU belongs to one
  process, and JAX takes most of a GPU's memory.

  Raises:
    RuntimeError: if JAX finds no device; says why.
  """
  found = subprocess.run(
    [sys.executable, '-c', _PROBE], capture_output=True, text=True, check=False
  )
  if found.returncode:
    raise RuntimeError(f'JAX finds no device: {found.stderr.strip()[-1000:]}')
  backend, count = found.stdout.split()[-2:]
  return backend, int(count)


def slots(backend: str, count: int, *, jobs: int | None) -> tuple[Slot, ...]:
  """Places for workers.

  On a GPU more workers than devices share them and their memory. On CPU they
  share the cores, since XLA would give every worker threads for all of them;
  results depend on the number of threads in their last bits.

  Args:
    backend: 'cpu', 'gpu' or 'tpu'.
    count: local devices.
    jobs: number of workers; None for one per device, and one on CPU.

  Raises:
    ValueError: for less than one worker, and more than one on a TPU chip.
  """
  jobs = (1 if backend == 'cpu' else count) if jobs is None else jobs
  if jobs < 1:
    raise ValueError(f'expected at least one job, got {jobs}')
  if backend == 'tpu' and jobs > count:
    raise ValueError(
      f'a TPU chip belongs to one process: {jobs} jobs on {count} chips'
    )
  if backend == 'cpu':
    return tuple(_cpu(i, jobs) for i in range(jobs))
  if backend == 'tpu':
    return tuple(_tpu(i) for i in range(jobs))
  return tuple(_gpu(i % count, -(-jobs // count)) for i in range(jobs))


def _cpu(i: int, jobs: int) -> Slot:
  if jobs == 1 or not hasattr(os, 'sched_getaffinity'):
    return Slot('cpu')
  cores = sorted(os.sched_getaffinity(0))
  own = cores[i % len(cores) :: jobs]
  return Slot(f'cpu {",".join(map(str, own))}', cores=frozenset(own))


def _gpu(i: int, sharing: int) -> Slot:
  visible = os.environ.get('CUDA_VISIBLE_DEVICES')
  device = visible.split(',')[i] if visible else str(i)
  environment = {'CUDA_VISIBLE_DEVICES': device}
  if sharing > 1 and 'XLA_PYTHON_CLIENT_MEM_FRACTION' not in os.environ:
    fraction = f'{_GPU_MEMORY / sharing:.3f}'
    environment['XLA_PYTHON_CLIENT_MEM_FRACTION'] = fraction
  return Slot(f'gpu {device}', environment)


def _tpu(i: int) -> Slot:
  """A slice of one chip, as JAX's own multi-process tests cut it."""
  port = str(_TPU_PORT + i)
  return Slot(
    f'tpu {i}',
    {
      'TPU_VISIBLE_CHIPS': str(i),
      'TPU_CHIPS_PER_PROCESS_BOUNDS': '1,1,1',
      'TPU_PROCESS_BOUNDS': '1,1,1',
      'TPU_PROCESS_ADDRESSES': f'localhost:{port}',
      'TPU_PROCESS_PORT': port,
      'CLOUD_TPU_TASK_ID': '0',
    },
  )
