"""The kernels on many shapes, under the compiler's sanitizers."""

import os
import pathlib
import subprocess
import sys

import native_driver
import pytest
from conftest import ROOT

pytestmark = pytest.mark.skipif(
  native_driver.COMPILER is None, reason='there is no C++ compiler'
)

SANITIZE = (
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=all',
  '-fno-sanitize=shift-base',  # of negative numbers, which C++20 defines
  '-g1',
)


@pytest.fixture(scope='session')
def cases(tmp_path_factory):
  """A file of recorded calls."""
  path = tmp_path_factory.mktemp('native') / 'cases.bin'
  environment = {**os.environ, 'JAX_PLATFORMS': 'cpu', 'PYTHONPATH': str(ROOT)}
  script = ROOT / 'tests' / 'native_cases.py'
  native_driver.run(sys.executable, script, path, env=environment)
  return path


@pytest.mark.parametrize(
  'implementation', ['avx2', pytest.param('scalar', marks=pytest.mark.slow)]
)
def test_no_handler_leaves_its_buffers(implementation, cases, pytestconfig):
  if implementation == 'avx2' and not _has_avx2():
    pytest.skip('this processor does not run avx2')
  folder = pytestconfig.cache.mkdir('native') / f'sanitized_{implementation}'
  sources = native_driver.kernels() + native_driver.sources('check')
  flags = native_driver.flags(implementation, *SANITIZE)
  replay = native_driver.build(folder, 'replay', sources, flags, SANITIZE)
  done = subprocess.run([replay, cases], capture_output=True, text=True)
  assert done.returncode == 0, done.stdout[-1000:] + done.stderr
  lines = [line.split() for line in done.stdout.splitlines()]
  called = {handler for _, handler, outcome, *_ in lines if outcome != 'error'}
  # Networks must be made before they are called: the test below.
  assert called == set(native_driver.handlers(sources)) - {'network'}


@pytest.mark.parametrize(
  'lanes',
  # As of this processor, and as of AVX-512 with all its kinds of products.
  [
    (),
    pytest.param(
      ('-DRCJ_LANES=16', '-DRCJ_PLAIN_UNITS', '-Wno-psabi'),
      marks=pytest.mark.slow,
    ),
  ],
)
def test_no_network_leaves_its_memory(lanes, tmp_path, pytestconfig):
  implementation = 'avx2' if _has_avx2() else 'scalar'
  name = f'networks_{implementation}_{len(lanes)}'
  folder = pytestconfig.cache.mkdir('native') / name
  sources = native_driver.sources('network', 'check/network')
  flags = native_driver.flags(implementation, *SANITIZE, '-O1', *lanes)
  replay = native_driver.build(folder, 'replay', sources, flags, SANITIZE)
  recorded = tmp_path / 'networks.bin'
  environment = {**os.environ, 'JAX_PLATFORMS': 'cpu', 'PYTHONPATH': str(ROOT)}
  script = ROOT / 'tests' / 'network_cases.py'
  native_driver.run(sys.executable, script, recorded, env=environment)
  limits = {'ASAN_OPTIONS': 'allocator_may_return_null=1'}
  done = subprocess.run(
    [replay, recorded],
    capture_output=True,
    text=True,
    env={**os.environ, **limits},
  )
  assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]


def _has_avx2():
  cpu = pathlib.Path('/proc/cpuinfo')
  return cpu.exists() and ' avx2 ' in cpu.read_text()
