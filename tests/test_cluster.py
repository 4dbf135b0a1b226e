"""Which environments are clusters, and what processes agree on."""

import pickle

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from rcj import cluster

SLURM = {
  'SLURM_JOB_ID': '7',
  'SLURM_STEP_NODELIST': 'node[1-2]',
  'SLURM_NTASKS': '8',
  'SLURM_STEP_NUM_NODES': '2',
  'SLURM_PROCID': '3',
  'SLURM_LOCALID': '3',
  'SLURM_GPUS_ON_NODE': '4',
}
OMPI = {'OMPI_COMM_WORLD_SIZE': '4', 'OMPI_COMM_WORLD_RANK': '2'}
URI = '1531576320.0;tcp://10.96.0.1:34911'


@pytest.mark.parametrize(
  'environ',
  [
    {},
    {'PATH': '/bin', 'TPU_WORKER_HOSTNAMES': 'localhost'},
    {**SLURM, 'SLURM_NTASKS': '1'},
    # sbatch's own shell, which srun did not start
    {'SLURM_JOB_ID': '7', 'SLURM_NTASKS': '8', 'SLURM_PROCID': '0'},
    # an interactive shell: one task in a step of its own
    {**SLURM, 'SLURM_STEP_NUM_TASKS': '1', 'SLURM_STEP_NUM_NODES': '1'},
    {'OMPI_COMM_WORLD_SIZE': '1', 'OMPI_COMM_WORLD_RANK': '0'},
    # mpirun -n 1 within a job
    {**SLURM, 'OMPI_COMM_WORLD_SIZE': '1', 'OMPI_COMM_WORLD_RANK': '0'},
    {'MEGASCALE_NUM_SLICES': '1'},
  ],
)
def test_one_process_waits_for_nobody(environ):
  assert cluster.detect(environ) is None


@pytest.mark.parametrize(
  'environ',
  [
    SLURM,
    {**OMPI, 'OMPI_MCA_orte_hnp_uri': URI},
    # mpirun's daemons are one task per node, its processes are more
    {**SLURM, 'SLURM_NTASKS': '2', **OMPI, 'OMPI_MCA_orte_hnp_uri': URI},
    {'TPU_WORKER_HOSTNAMES': 'a,b'},
    {'TPU_PROCESS_ADDRESSES': 'a:1,b:1', 'TPU_WORKER_HOSTNAMES': ''},
    {'MEGASCALE_NUM_SLICES': '2', 'TPU_WORKER_HOSTNAMES': 'a'},
  ],
)
def test_what_jax_finds_is_left_to_it(environ):
  assert cluster.detect(environ) == {}


@pytest.mark.parametrize('auto', [{}, {'coordinator': 'auto'}])
def test_the_only_task_of_a_node_has_all_its_gpus(auto):
  """Jax would give it the first."""
  environ = {**SLURM, 'SLURM_NTASKS': '2', 'SLURM_LOCALID': '0'}
  found = cluster.detect(environ, **auto)
  assert found == {'local_device_ids': [0, 1, 2, 3]}


@pytest.mark.parametrize('auto', [{}, {'coordinator': 'auto'}])
def test_a_task_that_sees_one_gpu_takes_it(auto):
  """Slurm numbers it 0, whatever the task is."""
  environ = {**SLURM, 'CUDA_VISIBLE_DEVICES': '0'}
  assert cluster.detect(environ, **auto) == {'local_device_ids': [0]}
  environ = {**SLURM, 'CUDA_VISIBLE_DEVICES': '0,1,2,3'}
  assert cluster.detect(environ, **auto) == {}


def test_auto_starts_where_nothing_shows_a_cluster():
  assert cluster.detect({}, coordinator='auto') == {}
  alone = {**SLURM, 'SLURM_NTASKS': '1', 'SLURM_STEP_NUM_NODES': '1'}
  assert cluster.detect(alone, coordinator='auto') == {
    'local_device_ids': [0, 1, 2, 3]
  }


def test_flags_say_it_all():
  found = cluster.detect(
    {}, coordinator='here:1234', num_processes=2, process_id=0
  )
  assert found == {
    'coordinator_address': 'here:1234',
    'num_processes': 2,
    'process_id': 0,
  }


def test_open_mpi_says_the_rest():
  found = cluster.detect(OMPI, coordinator='here:1234')
  assert (found['num_processes'], found['process_id']) == (4, 2)
  with pytest.raises(ValueError, match='--coordinator=HOST:PORT'):
    cluster.detect(OMPI)


@pytest.mark.parametrize(
  ('given', 'missing'),
  [
    ({'coordinator': 'here:1'}, r"\['num_processes', 'process_id'\]"),
    ({'num_processes': 2, 'process_id': 1}, r"\['coordinator'\]"),
  ],
)
def test_half_of_the_flags_are_refused(given, missing):
  with pytest.raises(ValueError, match=missing):
    cluster.detect({}, **given)


def test_one_process_agrees_with_itself():
  assert cluster.agreed(lambda: 'value') == 'value'
  with pytest.raises(KeyError, match='gone'):
    cluster.agreed(lambda: {}['gone'])


@pytest.fixture
def processes(monkeypatch):
  """Runs a function as process 0 and then as process 1."""
  sent = []

  def broadcast(x):
    if jax.process_index() == 0:
      sent.append(np.array(x))
      return x
    assert np.shape(x) == sent[0].shape, 'shapes must agree'
    return sent.pop(0)

  monkeypatch.setattr(jax, 'process_count', lambda: 2)
  monkeypatch.setattr(multihost_utils, 'broadcast_one_to_all', broadcast)

  def run(function):
    ends = []
    for p in range(2):
      monkeypatch.setattr(jax, 'process_index', lambda p=p: p)
      try:
        ends.append(function())
      except Exception as e:
        ends.append(e)
    assert not sent
    return ends

  return run


def test_all_get_what_process_0_makes(processes):
  made = iter(['x' * 5000, 'never'])
  assert (
    processes(lambda: cluster.agreed(lambda: next(made))) == ['x' * 5000] * 2
  )


def test_all_raise_what_process_0_raises(processes):
  def fail():
    raise BlockingIOError('in use')

  first, second = processes(lambda: cluster.agreed(fail))
  assert type(first) is type(second) is BlockingIOError
  assert str(first) == str(second) == 'in use'
  assert pickle.dumps(first)
