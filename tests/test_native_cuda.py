"""The CUDA kernels without a GPU: their code on the host, compiled, lowered."""

import ctypes
import functools
import shutil
import subprocess

import jax
import jax.numpy as jnp
import native_driver
import numpy as np
import pytest
import test_ops_gather
import test_ops_select
from test_native import forget

from rcj import native
from rcj.augment import Plan
from rcj.augment.augmix import mixed_views
from rcj.augment.plan import split
from rcj.ops import augmix_host, random, select
from rcj.ops.augmix_options import NAMES

NVCC = shutil.which('nvcc')
# A mixture of one chain alone, in 0..255, is that chain.
PLAIN = {'mean': (0, 0, 0), 'std': (1 / 255,) * 3}
IMAGENET = {'mean': (0.485, 0.456, 0.406), 'std': (0.229, 0.224, 0.225)}


@pytest.fixture(scope='session')
def emulation(pytestconfig):
  """The library of CUDA kernels that run on the host."""
  if native_driver.COMPILER is None:
    pytest.skip('there is no C++ compiler')
  sources = [p for p in native_driver.sources('check') if 'gpu_' in p.name]
  options = ('-O2', '-fPIC', '-fvisibility=hidden')
  flags = native_driver.flags('scalar', *options)
  folder = pytestconfig.cache.mkdir('native') / 'emulation'
  path = native_driver.build(folder, 'gpu.so', sources, flags, ['-shared'])
  library = ctypes.CDLL(str(path))
  for op in ('augmix', 'random_bits', 'select', 'gather_dot', 'gather_sum'):
    handler = jax.ffi.pycapsule(getattr(library, f'rcj_{op}_gpu'))
    jax.ffi.register_ffi_target(f'emulated_{op}', handler, platform='cpu')


@pytest.fixture
def emulated(emulation, monkeypatch):
  """`implementation='cuda'` runs on the host."""
  real = native.target

  def target(op, implementation):
    if implementation == native.GPU:
      return f'emulated_{op}'
    return real(op, implementation)

  monkeypatch.setattr(native, 'target', target)
  return native.GPU


def derived(images, name):
  """An image by the name that golden files give it."""
  base, _, kind = name.partition('@')
  x = images[base]
  variants = {
    '': x,
    'low': x // 4 + 40,
    'const': np.full_like(x, 77),
    'two': np.where(x > 127, 200, 30).astype(np.uint8),
  }
  return variants[kind]


def one_operation(name, value):
  """A plan that applies an operation and mixes nothing."""
  ones = np.ones((1, 1), np.float32)
  op = np.full((1, 1, 1), NAMES.index(name), np.int32)
  value = 0.0 if value == 'None' else float(value)
  return Plan(op, split(np.full((1, 1, 1), value)), ones, ones[0])


@pytest.mark.parametrize('name', NAMES)
def test_operation_equals_pillow_to_the_last_bit(golden, emulated, name):
  images, expected = golden('augment/images'), golden('augment/pil_ops')
  cases = [k for k in expected if k.startswith(f'{name}|')]
  assert cases
  for case in cases:
    _, value, image = case.split('|')
    found = mixed_views(
      derived(images, image)[None],
      one_operation(name, value),
      implementation=emulated,
      **PLAIN,
    )
    np.testing.assert_array_equal(found[0, 0], expected[case], case)


@pytest.mark.parametrize(
  ('shape', 'versions', 'width', 'depth'),
  [
    ((3, 33, 47), 2, 3, -1),
    ((1, 1, 1), 3, 3, -1),
    ((2, 2, 5), 1, 1, 2),
    ((2, 5, 2), 2, 4, 7),
    ((2, 40, 64), 30, 2, 3),
  ],
)
def test_views_equal_those_of_the_cpu(emulated, shape, versions, width, depth):
  rng = np.random.default_rng(3)
  images = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
  images %= rng.integers(1, 256, (shape[0], 1, 1, 3)).astype(np.uint8)
  plan = augmix_host.draw_plan(
    rng,
    shape[0] * versions,
    size=shape[1],
    severity=10,
    width=width,
    depth=depth,
    all_ops=True,
  )
  how = {'clean': True, **IMAGENET}
  found = mixed_views(images, plan, implementation=emulated, **how)
  brief = mixed_views(
    images, plan, implementation=emulated, dtype=jnp.bfloat16, **how
  )
  other = (*native.implementations(), 'reference')[0]
  expected = jax.jit(
    functools.partial(mixed_views, implementation=other, **how)
  )(images, Plan(**vars(plan)))
  np.testing.assert_allclose(found, expected, atol=5e-6, rtol=0)
  np.testing.assert_array_equal(brief, found.astype(jnp.bfloat16))


def test_random_words_equal_those_of_the_reference(emulated):
  keys = jax.random.split(jax.random.key(3), 5)
  how = {'stream': 7}
  for count in (1, 63, 64, 200):
    found = random.bits(keys, count, implementation=emulated, **how)
    expected = random.bits(keys, count, implementation='reference', **how)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('kind', ['normal', 'ties', 'special', 'dormant'])
def test_selection_equals_the_reference(emulated, kind):
  rng = np.random.default_rng(4)
  sizes = (0, 5, 4096, 20_000, 1, 0)
  leaves = [test_ops_select.values(rng, kind, size) for size in sizes]
  n = sum(sizes)
  each = [0, 2, 4096, 777, 3, 1]
  for k in (-1, 0, 1, n // 3, n - 1, n, n + 9, each):
    found = select.largest(leaves, np.int32(k), implementation=emulated)
    expected = test_ops_select.expected(leaves, k)
    for a, b in zip(found, expected, strict=True):
      np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('shape', [(1, 1, 1, 1), (3, 40, 130, 1100)])
def test_gathered_products_equal_the_reference(emulated, shape):
  for dtype in (jnp.float32, jnp.bfloat16):
    given = test_ops_gather.problem(shape, dtype)
    found = test_ops_gather.both(*given, implementation=emulated)
    expected = test_ops_gather.expected(*given)
    for a, b in zip(found, expected, strict=True):
      np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-5 * np.abs(b).max())


def test_gathered_rows_may_be_none(emulated):
  given = test_ops_gather.problem((3, 9, 4, 0))
  products, x = test_ops_gather.both(*given, implementation=emulated)
  assert products.shape == (3, 0)
  np.testing.assert_array_equal(x, np.zeros((3, 4)))


@pytest.fixture(scope='session')
def cuda_library(pytestconfig):
  """The folder of rcj_cuda.so, compiled for Hopper."""
  if NVCC is None:
    pytest.skip('there is no nvcc')
  folder = pytestconfig.cache.mkdir('native') / 'cuda'
  include = [f'-I{native_driver.KERNELS}', '-isystem', jax.ffi.include_dir()]
  flags = ['-std=c++17', '-arch=sm_90', '-fmad=false', '-O3', *include]
  hidden = '-Xcompiler=-fPIC,-fvisibility=hidden,-Wall'
  sources = sorted(native_driver.KERNELS.glob('*/*.cu'))
  sources.append(native_driver.KERNELS / 'common' / 'library.cc')
  native_driver.build(
    folder, 'rcj_cuda.so', sources, [*flags, hidden], ['-shared'], compiler=NVCC
  )
  return folder


def lowered(platform):
  """The text of AugMix for a platform."""
  spec = jax.ShapeDtypeStruct
  plan = Plan(
    spec((4, 3, 2), np.int32),
    spec((4, 3, 2, 3), np.float32),
    spec((4, 3), np.float32),
    spec((4,), np.float32),
  )
  views = jax.jit(functools.partial(mixed_views, clean=True, **IMAGENET))
  traced = views.trace(spec((2, 8, 8, 3), np.uint8), plan)
  return traced.lower(lowering_platforms=(platform,)).as_text()


def test_library_is_offered_to_gpus_alone(cuda_library, monkeypatch):
  monkeypatch.setattr(native, '_FOLDER', cuda_library)
  monkeypatch.setenv('RCJ_NATIVE', 'auto')
  forget()
  try:
    assert native.has_cuda()
    assert '@rcj_augmix_cuda' in lowered('cuda')
    for platform in ('cpu', 'tpu'):
      assert 'rcj_augmix_cuda' not in lowered(platform)
  finally:
    monkeypatch.undo()
    forget()


def test_library_needs_the_driver_alone(cuda_library):
  library = cuda_library / 'rcj_cuda.so'
  needed = subprocess.run(
    ['ldd', library], capture_output=True, text=True, check=True
  ).stdout
  assert 'libcu' not in needed
