"""Settings of every test: 4 simulated CPU devices, no silent broadcasting.

Warnings are errors (pyproject.toml); compiled programs are kept between runs.
"""

import os
import pathlib

# Compiling is most of the work, and takes less if XLA need not optimise.
# What is in XLA_FLAGS already comes later and wins, so that the suite can also
# be run on the programs that users run:
# XLA_FLAGS='--xla_backend_optimization_level=3 --xla_cpu_use_fusion_emitters'.
os.environ['XLA_FLAGS'] = ' '.join(
  dict.fromkeys(
    (
      '--xla_backend_optimization_level=0',
      '--xla_cpu_use_fusion_emitters=false',
      *os.environ.get('XLA_FLAGS', '').split(),
      '--xla_force_host_platform_device_count=4',
    )
  )
)
os.environ['JAX_PLATFORMS'] = 'cpu'
# Of small programs, too, and of those in processes that tests start.
os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'

import jax
import numpy as np
import pytest

from rcj import phases

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / 'tests' / 'golden'
SHARED = ROOT.parent / 'shared'

jax.config.update('jax_numpy_rank_promotion', 'raise')
jax.config.update(
  'jax_compilation_cache_dir',
  os.environ.get('JAX_COMPILATION_CACHE_DIR', str(ROOT / '.cache' / 'jax')),
)

# Files of minutes: they come first, so that no worker ends with one of them.
LONGEST = (
  *('test_launch_run', 'test_multiprocess', 'test_launch_sweep'),
  *('test_crd_training', 'test_experiment', 'test_resume'),
  *('test_launch_export', 'test_stablehlo', 'test_recipe', 'test_shrink'),
)


def pytest_collection_modifyitems(items):
  def place(item):
    name = item.path.stem
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)

  items.sort(key=place)


_compiled, _programs = phases.Train._compiled, {}


@pytest.fixture(autouse=True)
def programs(monkeypatch):
  """Equal phases that train equal states share their compiled step."""

  def shared(phase, carry, env, total):
    leaves, structure = jax.tree.flatten(
      (carry.state, carry.saved.get(phase.teacher))
    )
    kinds = tuple((x.shape, x.dtype, x.sharding) for x in leaves)
    how = carry.model, carry.preprocessing, repr(carry.effective)
    key = repr(phase), total, env.mesh, *how, structure, kinds
    if key not in _programs:
      # The phase is kept: where its repr tells an address, it stays the only.
      _programs[key] = phase, _compiled(phase, carry, env, total)
    return _programs[key][1]

  monkeypatch.setattr(phases.Train, '_compiled', shared)


@pytest.fixture
def golden():
  """Loads `tests/golden/<name>.npz` as a dict of arrays."""

  def load(name: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / f'{name}.npz') as z:
      return dict(z)

  return load


@pytest.fixture
def shared_data() -> pathlib.Path:
  """The folder of real data; the test is skipped where there is none."""
  folder = SHARED / 'data'
  if not folder.is_dir():
    pytest.skip('real data is not on this machine')
  return folder
