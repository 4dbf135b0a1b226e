"""The environment of programs that tests start."""

import os
import pathlib

import jax

ROOT = pathlib.Path(__file__).resolve().parent.parent


def environment(*, devices: int = 1, **more: str) -> dict[str, str]:
  """That of the tests, with so many simulated devices and `more` variables."""
  flags = os.environ['XLA_FLAGS']
  return {
    **os.environ,
    'PYTHONPATH': str(ROOT),
    # Of a flag that comes twice the last counts.
    'XLA_FLAGS': f'{flags} --xla_force_host_platform_device_count={devices}',
    'JAX_COMPILATION_CACHE_DIR': jax.config.jax_compilation_cache_dir,
    **more,
  }
