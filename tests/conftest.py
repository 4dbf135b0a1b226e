"""Settings of every test: 4 simulated CPU devices, no silent broadcasting.

Warnings are errors (pyproject.toml); compiled programs are kept between runs.
"""

import os
import pathlib

os.environ['XLA_FLAGS'] = (
  os.environ.get('XLA_FLAGS', '') + ' --xla_force_host_platform_device_count=4'
)
os.environ['JAX_PLATFORMS'] = 'cpu'

import jax
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / 'tests' / 'golden'
SHARED = ROOT.parent / 'shared'

jax.config.update('jax_numpy_rank_promotion', 'raise')
jax.config.update(
  'jax_compilation_cache_dir',
  os.environ.get('JAX_COMPILATION_CACHE_DIR', str(ROOT / '.cache' / 'jax')),
)
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)


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
