"""Several processes as one program: when to start, and how to agree.

`jax.distributed` is started only where a launcher says that there are several
processes, so that a laptop never waits for a coordinator. What decides the
course of a run, and what is written, comes from process 0 alone.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

T = TypeVar('T')

_AUTO = 'auto'
_SLURM = (
  'SLURM_JOB_ID',
  'SLURM_STEP_NODELIST',
  'SLURM_PROCID',
  'SLURM_LOCALID',
)
# How jax knows mpirun, which it prefers to Slurm.
_ORTE = 'OMPI_MCA_orte_hnp_uri'
# Exchanged in pieces of this size, so that few programs are compiled.
_BLOCK = 1024


def detect(
  environ: Mapping[str, str],
  *,
  coordinator: str | None = None,
  num_processes: int | None = None,
  process_id: int | None = None,
) -> dict[str, Any] | None:
  """Arguments for `jax.distributed.initialize`, None for one process.

  What jax finds by itself (Slurm, Open MPI 4, Cloud TPU, GKE) is left to it.

  Args:
    environ: environment variables.
    coordinator: 'host:port' of process 0, or 'auto': jax finds it, also where
      no variable shows a cluster (a TPU pod reached by ssh), or one process
      shall be told before it is stopped.
    num_processes: how many there are; by default as Open MPI says.
    process_id: which one this is; by default as Open MPI says.

  Raises:
    ValueError: if the arguments do not say enough.
  """
  if coordinator == _AUTO:
    return _devices(environ)
  if (coordinator, num_processes, process_id) == (None, None, None):
    return _found(environ)
  if num_processes is None and 'OMPI_COMM_WORLD_SIZE' in environ:
    num_processes = int(environ['OMPI_COMM_WORLD_SIZE'])
  if process_id is None and 'OMPI_COMM_WORLD_RANK' in environ:
    process_id = int(environ['OMPI_COMM_WORLD_RANK'])
  given = {
    'coordinator': coordinator,
    'num_processes': num_processes,
    'process_id': process_id,
  }
  missing = [name for name, value in given.items() if value is None]
  if missing:
    raise ValueError(
      f'several processes need {missing} too: --coordinator=HOST:PORT '
      '--num_processes=N --process_id=0..N-1, or --coordinator=auto'
    )
  return {
    'coordinator_address': coordinator,
    'num_processes': num_processes,
    'process_id': process_id,
  }


def _found(environ: Mapping[str, str]) -> dict[str, Any] | None:
  # mpirun first: within a Slurm job it has its own processes.
  if 'OMPI_COMM_WORLD_SIZE' in environ:
    return _open_mpi(environ)
  if _slurm_tasks(environ) > 1:
    return _devices(environ)
  hosts = environ.get(
    'TPU_PROCESS_ADDRESSES', environ.get('TPU_WORKER_HOSTNAMES', '')
  )
  slices = int(environ.get('MEGASCALE_NUM_SLICES') or 1)
  return {} if ',' in hosts or slices > 1 else None


def _open_mpi(environ: Mapping[str, str]) -> dict[str, Any] | None:
  if int(environ['OMPI_COMM_WORLD_SIZE']) == 1:
    return None
  if _ORTE not in environ:
    raise ValueError(
      'this Open MPI does not tell where process 0 is; give '
      '--coordinator=HOST:PORT, the rest is known'
    )
  return _devices(environ)


def _slurm_tasks(environ: Mapping[str, str]) -> int:
  """Tasks that srun started together; the batch script itself is none."""
  if any(name not in environ for name in _SLURM):
    return 1
  # In an interactive shell, NTASKS is the size of the job.
  tasks = environ.get('SLURM_NTASKS', '1')
  return int(environ.get('SLURM_STEP_NUM_TASKS', tasks))


def _devices(environ: Mapping[str, str]) -> dict[str, Any]:
  """All GPUs for a node's only task; else jax takes the one of its rank."""
  visible = environ.get('CUDA_VISIBLE_DEVICES', '')
  if visible and ',' not in visible:  # each task has its own number 0
    return {'local_device_ids': [0]}
  nodes = int(environ.get('SLURM_STEP_NUM_NODES', 0))
  if _ORTE in environ or nodes != _slurm_tasks(environ):
    return {}
  gpus = int(environ.get('SLURM_GPUS_ON_NODE') or 1)
  return {'local_device_ids': list(range(gpus))}


def agreed(make: Callable[[], T]) -> T:
  """What `make` gives on process 0, on every process; its error likewise.

  All processes must call this; `make` runs on process 0 alone.

  Raises:
    Exception: what `make` raised on process 0.
  """
  if jax.process_count() == 1:
    return make()
  value, error = None, None
  if jax.process_index() == 0:
    try:
      value = make()
    except Exception as e:
      error = e
  value, error = pickle.loads(_broadcast(pickle.dumps((value, error))))
  if error is not None:
    raise error
  return value


def _broadcast(data: bytes) -> bytes:
  size = np.array(len(data), np.int32)
  size = int(multihost_utils.broadcast_one_to_all(size))
  padded = np.zeros(-(-size // _BLOCK) * _BLOCK, np.uint8)
  if jax.process_index() == 0:
    padded[:size] = np.frombuffer(data, np.uint8)
  return bytes(multihost_utils.broadcast_one_to_all(padded)[:size])
