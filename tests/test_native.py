"""The native layer itself: which libraries are used, and why not."""

import concurrent.futures
import json
import os
import subprocess
import sys
import zipfile

import jax
import jax.numpy as jnp
import native_driver
import numpy as np
import pytest
from conftest import ROOT

from rcj import native
from rcj.ops import random

needs_native = pytest.mark.skipif(
  not native.available(), reason='there are no native kernels here'
)
# What a program sees: the default first, and the reason if there is none.
SHOW = """
import json
from rcj import native
def attempt(f):
  try:
    return f()
  except Exception as error:
    return f'{type(error).__name__}: {error}'
shown = map(attempt, (native.implementations, native.why_not, native.has_cuda))
print(json.dumps(list(shown)))
"""


def forget():
  """Lets the native layer look again."""
  for f in vars(native).values():
    if hasattr(f, 'cache_clear'):
      f.cache_clear()


@pytest.fixture
def patch(monkeypatch):
  """Changes the native layer for a test, however the tests are run."""
  monkeypatch.setenv('RCJ_NATIVE', 'auto')

  def set_attribute(name, value):
    monkeypatch.setattr(native, name, value)
    forget()

  yield set_attribute
  monkeypatch.undo()
  forget()


def shown(*options, folder=ROOT, **environment):
  """Implementations, reason and whether there is CUDA, in another process."""
  return json.loads(
    subprocess.run(
      [sys.executable, *options, '-c', SHOW],
      cwd=folder,  # where Python looks first
      env={**os.environ, **environment},
      capture_output=True,
      text=True,
      check=True,
    ).stdout
  )


def test_environment_decides():
  usable = [name for name in native.CPU if native._reason(name) is None]
  everything = [usable, native._reason('scalar')]
  assert shown(RCJ_NATIVE='auto')[:2] == everything
  assert shown(RCJ_NATIVE='')[:2] == everything
  assert shown(RCJ_NATIVE='off') == [[], 'RCJ_NATIVE=off', False]
  for name in native.CPU:
    found, why, _ = shown(RCJ_NATIVE=name)
    if name in usable:
      assert (found, why) == ([name], None)
    else:
      reason = f'NativeError: RCJ_NATIVE={name}, but {native._reason(name)}'
      assert found == why == reason
  for answer in shown(RCJ_NATIVE='avx1024'):
    assert answer == (
      'ValueError: RCJ_NATIVE must be auto, require, off, or one of avx512, '
      "avx2, scalar, not 'avx1024'"
    )


@needs_native
def test_required_kernels_are_there():
  assert shown(RCJ_NATIVE='require')[1] is None


def words(implementation=None):
  return random.bits(jax.random.key(1), 70, implementation=implementation)


def test_without_libraries_the_reference_runs(patch, tmp_path, monkeypatch):
  expected = words('reference')
  patch('_FOLDER', tmp_path)
  assert not native.available()
  assert not native.has_cuda()
  assert 'rcj_scalar.so does not exist' in native.why_not()
  np.testing.assert_array_equal(words(), expected)
  with pytest.raises(native.NativeError, match='does not exist'):
    words('native')
  for name, compiler in (('avx2', 'C\\+\\+17 compiler'), ('cuda', 'nvcc')):
    with pytest.raises(native.NativeError, match=f'no {compiler} was found'):
      words(name)
  monkeypatch.setenv('RCJ_NATIVE', 'require')
  forget()
  with pytest.raises(native.NativeError, match='RCJ_NATIVE=require, but'):
    words()


def test_file_that_is_no_library_is_refused(patch, tmp_path):
  (tmp_path / 'rcj_scalar.so').write_text('no library')
  patch('_FOLDER', tmp_path)
  assert 'rcj_scalar.so does not load' in native.why_not()


@needs_native
def test_library_of_another_program_is_refused(patch):
  patch('_load', lambda name: object())
  assert "no attribute 'rcj_ffi_api_minor'" in native.why_not()


@needs_native
def test_library_of_a_newer_api_is_not_registered(patch):
  built = native.library('scalar').rcj_ffi_api_minor()
  assert built <= native._runtime_minor()
  patch('_runtime_minor', lambda: built - 1)
  expected = f'built for FFI API 0.{built}, this jaxlib has 0.{built - 1}'
  assert expected in native.why_not()
  assert native.implementations() == ()
  with pytest.raises(native.NativeError, match='install rcj again'):
    native.target('random_bits', 'scalar')


@needs_native
def test_newer_instructions_are_left_to_newer_processors(patch):
  patch('_runs', lambda implementation: False)
  assert native.implementations() == ('scalar',)
  with pytest.raises(native.NativeError, match='does not run avx2'):
    words('avx2')


def test_unknown_names_are_refused():
  with pytest.raises(native.NativeError, match="no implementation 'avx'"):
    words('avx')
  if native.available():
    with pytest.raises(native.NativeError, match='has no rcj_nonsense'):
      native.target('nonsense')


@needs_native
@pytest.mark.parametrize('implementation', native.implementations())
def test_libraries_are_those_of_the_sources(implementation):
  library = native.library(implementation)
  handlers = native_driver.handlers(native_driver.kernels())
  assert 'random_bits' in handlers
  missing = [name for name in handlers if not hasattr(library, f'rcj_{name}')]
  assert not missing, 'install rcj again'


@needs_native
def test_error_of_a_kernel_is_told():
  result = jax.ShapeDtypeStruct((4, 10), jnp.uint32)
  call = jax.ffi.ffi_call(native.target('random_bits'), result)
  keys = jnp.zeros((3, 2), jnp.uint32)
  told = r'INVALID_ARGUMENT: random_bits: keys .* got \[3,2\] and \[4,10\]'
  with pytest.raises(jax.errors.JaxRuntimeError, match=told):
    call(keys, stream=np.int64(0))


@needs_native
def test_many_threads_at_once():
  keys = jax.random.split(jax.random.key(5), 60)
  draw = jax.jit(lambda keys: random.bits(keys, 50))
  expected = np.asarray(draw(keys))

  def repeat(i):
    device = jax.devices()[i % len(jax.devices())]
    here = jax.device_put(keys, device)
    return all((np.asarray(draw(here)) == expected).all() for _ in range(30))

  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    assert all(pool.map(repeat, range(8)))


def test_programs_hold_the_kernel_of_their_platform():
  traced = jax.jit(lambda key: random.bits(key, 10)).trace(jax.random.key(1))
  texts = {
    platform: traced.lower(lowering_platforms=(platform,)).as_text()
    for platform in ('cpu', 'tpu')
  }
  assert ('@rcj_random_bits_' in texts['cpu']) == native.available()
  assert 'custom_call @rcj' not in texts['tpu']


@pytest.mark.slow
@pytest.mark.parametrize(
  'environment', [{'CXX': '/nowhere/c++'}, {'RCJ_NO_NATIVE': '1'}]
)
def test_install_without_a_compiler_is_pure_and_says_so(environment, tmp_path):
  options = ('--no-deps', '--no-build-isolation', '--no-cache-dir')
  # Another build's folder would remember its compiler.
  options = (*options, f'-Cbuild-dir={tmp_path}/build', '-w', tmp_path)
  subprocess.run(
    [sys.executable, '-m', 'pip', 'wheel', *options, ROOT],
    env={**os.environ, **environment},
    check=True,
    capture_output=True,
  )
  (wheel,) = tmp_path.glob('*.whl')
  with zipfile.ZipFile(wheel) as archive:
    names = archive.namelist()
    archive.extractall(tmp_path / 'installed')
  assert 'rcj/native.py' in names
  assert not [name for name in names if name.endswith('.so')]
  # An editable install of this environment would come before the folder.
  found, why, cuda = shown('-S', folder=tmp_path / 'installed')
  assert (found, cuda) == ([], False)
  assert 'no C++17 compiler was found, or with RCJ_NO_NATIVE' in why
