"""AugMix's executors: the reference and every native implementation."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import GOLDEN
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from PIL import Image, ImageEnhance, ImageOps

from rcj import native
from rcj.augment import AugMix, Plan, Views, normalise
from rcj.augment.augmix import apply_chains, mixed_views
from rcj.augment.ops import OPS
from rcj.augment.plan import split
from rcj.ops import augmix_host
from rcj.ops.augmix_options import NAMES

IMAGENET = {'mean': (0.485, 0.456, 0.406), 'std': (0.229, 0.224, 0.225)}
HALF = {'mean': (0.5, 0.5, 0.5), 'std': (0.5, 0.5, 0.5)}
EXECUTORS = ('reference', *native.implementations())
has_native = pytest.mark.skipif(
  not native.available(), reason='there are no native kernels here'
)
each_executor = pytest.mark.parametrize('implementation', EXECUTORS)
each_native = pytest.mark.parametrize('implementation', EXECUTORS[1:])


@functools.partial(jax.jit, static_argnames='implementation')
def run_chains(images, plan, implementation):
  return apply_chains(images, plan, implementation=implementation)


@functools.partial(
  jax.jit, static_argnames=('implementation', 'clean', 'dtype')
)
def run_views(images, plan, implementation, clean=False, dtype='float32'):
  how = {'clean': clean, 'dtype': dtype, 'implementation': implementation}
  return mixed_views(images, plan, **how, **IMAGENET)


def drawn(seed: int, n: int, **options) -> Plan:
  """A plan that NumPy draws, which compiles nothing."""
  rng = np.random.default_rng(seed)
  return Plan(**vars(augmix_host.draw_plan(rng, n, **options)))


def plan_of(op, param, weights=None, m=None) -> Plan:
  """A plan of lists; equal weights if there are none."""
  op, param = np.asarray(op, np.int32), np.asarray(param, np.float64)
  n, width, _ = op.shape
  if weights is None:
    weights = np.full((n, width), 1 / width)
    m = np.linspace(0, 1, n)
  floats = (split(param), np.float32(weights), np.float32(m))
  return Plan(op, *floats)


def with_pillow(image: np.ndarray, name: str, value: float) -> np.ndarray:
  image, bilinear = Image.fromarray(image), Image.Resampling.BILINEAR
  matrices = {
    'shear_x': (1, value, 0, 0, 1, 0),
    'shear_y': (1, 0, 0, value, 1, 0),
    'translate_x': (1, 0, value, 0, 1, 0),
    'translate_y': (1, 0, 0, 0, 1, value),
  }
  if name in matrices:
    affine = Image.Transform.AFFINE
    image = image.transform(image.size, affine, matrices[name], bilinear)
  elif name == 'rotate':
    image = image.rotate(value, resample=bilinear)
  elif name in ('color', 'contrast', 'brightness', 'sharpness'):
    image = getattr(ImageEnhance, name.capitalize())(image).enhance(value)
  else:
    argument = () if name in ('autocontrast', 'equalize') else (int(value),)
    image = getattr(ImageOps, name)(image, *argument)
  return np.asarray(image)


def derived(images: dict[str, np.ndarray], name: str) -> np.ndarray:
  base, _, kind = name.partition('@')
  x = images[base]
  variants = {
    '': x,
    'low': x // 4 + 40,
    'const': np.full_like(x, 77),
    'two': np.where(x > 127, 200, 30).astype(np.uint8),
  }
  return variants[kind]


def test_names_are_those_of_the_operations():
  assert tuple(op.__name__ for op in OPS) == NAMES


class TestChains:
  """`augmix_chains`: bytes that equal Pillow's."""

  @each_executor
  def test_operations_equal_the_original_to_the_last_bit(
    self, golden, implementation
  ):
    images, expected = golden('augment/images'), golden('augment/pil_ops')
    assert {k.split('|')[0] for k in expected} == set(NAMES)
    wrong = {}
    for shape in {x.shape for x in expected.values()}:
      cases = [k for k, x in expected.items() if x.shape == shape]
      names, values, on = zip(*(k.split('|') for k in cases), strict=True)
      x = np.stack([derived(images, name) for name in on])
      op = [[[NAMES.index(name)]] for name in names]
      param = [[[0.0 if v == 'None' else float(v)]] for v in values]
      found = np.asarray(run_chains(x, plan_of(op, param), implementation))
      for case, got in zip(cases, found, strict=True):
        differing = int((got[0] != expected[case]).sum())
        if differing:
          wrong[case] = differing
    assert not wrong

  @each_executor
  def test_drawn_plans_on_oblong_images_equal_pillow(self, implementation):
    n = 60
    rng = np.random.default_rng(3)
    ramp = rng.integers(1, 256, (n, 1, 1, 3))
    x = (rng.integers(0, 256, (n, 33, 47, 3)) % ramp).astype(np.uint8)
    plan = drawn(5, n, size=33, severity=10, all_ops=True)
    chains = np.asarray(run_chains(x, plan, implementation))
    params = np.asarray(plan.param, np.float64).sum(-1)
    for i, k in np.ndindex(n, 3):
      image = x[i]
      for op, param in zip(plan.op[i, k], params[i, k], strict=True):
        if op >= 0:
          image = with_pillow(image, NAMES[op], float(param))
      np.testing.assert_array_equal(chains[i, k], image, f'{i} {k}')

  @each_native
  @settings(max_examples=150, deadline=None, derandomize=True)
  @given(data=st.data())
  def test_any_size_and_parameters_equal_pillow(self, implementation, data):
    small, large = st.integers(1, 20), st.integers(1, 150)
    H, W = (data.draw(st.one_of(small, large)) for _ in range(2))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    x = textured(rng, H, W)
    names = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
    params = [data.draw(parameter(name, max(H, W))) for name in names]
    image = x
    for name, param in zip(names, params, strict=True):
      image = with_pillow(image, name, param)
    got = one_chain(x, names, params, implementation)
    np.testing.assert_array_equal(got, image)

  @each_native
  @pytest.mark.parametrize('name', ['rotate', 'shear_x', 'shear_y'])
  def test_positions_that_fall_on_pixels(self, name, implementation):
    # Sides and factors for which many positions are whole or simple fractions,
    # up to rounding, on areas of equal pixels, where nothing averages out.
    rng = np.random.default_rng(1)
    for side in (9, 33, 64, 101):
      coarse = rng.integers(0, 256, (side // 3 + 1, side // 3 + 1, 3))
      x = np.kron(coarse, np.ones((3, 3, 1))).astype(np.uint8)[:side, :side]
      values = range(-30, 31) if name == 'rotate' else np.arange(-30, 31) / 100
      for value in map(float, values):
        np.testing.assert_array_equal(
          one_chain(x, [name], [value], implementation),
          with_pillow(x, name, value),
          f'{side} {value}',
        )


def textured(rng: np.random.Generator, H: int, W: int) -> np.ndarray:
  """Noise, or blocks of equal pixels, of all values or a few."""
  block = rng.integers(1, 9)
  x = rng.integers(0, 256, (-(-H // block), -(-W // block), 3))
  x = np.kron(x, np.ones((block, block, 1), int))[:H, :W]
  levels = rng.choice([2, 17, 256])
  return (x * levels // 256 * (255 // (levels - 1))).astype(np.uint8)


def parameter(name: str, size: int) -> st.SearchStrategy[float]:
  whole = {
    'posterize': st.integers(1, 8),
    'rotate': st.integers(-30, 30),
    'solarize': st.integers(0, 256),
    'translate_x': st.integers(-size - 2, size + 2),
    'translate_y': st.integers(-size - 2, size + 2),
  }
  if name in whole:
    return whole[name].map(float)
  if name in ('shear_x', 'shear_y'):
    fractions = st.integers(-12, 12).map(lambda n: n / 12)
    return st.one_of(st.floats(-0.3, 0.3), st.floats(-4, 4), fractions)
  return st.floats(0, 2)


def one_chain(x, names, params, implementation) -> np.ndarray:
  """A chain's image through the plain C function, which compiles nothing."""
  op = np.array([[[NAMES.index(name) for name in names]]], np.int32)
  one = np.ones((1, 1), np.float32)
  plan = augmix_host.Plan(op, split([[params]]), one, one[0])
  how = {'mean': (0, 0, 0), 'std': (1 / 255,) * 3}
  views = augmix_host.views(x[None], plan, implementation=implementation, **how)
  return views[0, 0].round().astype(np.uint8)


@functools.cache
def replayed(side: int) -> tuple[list[str], np.ndarray, Plan]:
  """The logged draws of the original; narrow cases get chains of weight 0."""
  text = (GOLDEN / 'augment' / 'augmix_draws.json').read_text()
  cases = json.loads(text)['cases']
  cases = {k: c for k, c in cases.items() if f'_{side}|' in k}
  shape = (len(cases), 4, 3)
  op, param = np.full(shape, -1), np.zeros(shape)
  weights = np.zeros(shape[:2])
  for n, case in enumerate(cases.values()):
    weights[n, : case['width']] = case['ws']
    for k, steps in enumerate(case['chains']):
      for d, step in enumerate(steps):
        op[n, k, d] = NAMES.index(step['op'])
        param[n, k, d] = step['param'] or 0
  m = [case['m'] for case in cases.values()]
  with np.load(GOLDEN / 'augment' / 'images.npz') as images:
    x = np.stack([images[case['image']] for case in cases.values()])
  return list(cases), x, plan_of(op, param, weights, m)


class TestViews:
  """`augmix`: mixtures, normalised."""

  @each_executor
  @pytest.mark.parametrize(
    ('side', 'how'), [(32, HALF), (64, IMAGENET), (224, IMAGENET)]
  )
  def test_the_original_is_replayed(self, golden, side, how, implementation):
    keys, x, plan = replayed(side)
    expected = golden('augment/augmix')
    chains = np.asarray(run_chains(x, plan, implementation))
    mixed = np.asarray(
      jax.jit(
        functools.partial(mixed_views, implementation=implementation, **how)
      )(x, plan)
    )[:, 0]
    for n, key in enumerate(keys):
      exact = expected[f'{key}|chains']
      np.testing.assert_array_equal(chains[n, : len(exact)], exact, key)
      if side == 224:
        crop = mixed[n, 64:160, 64:160]
        same = expected[f'{key}|mixed_normalized_crop'].reshape(crop.shape)
        share = mixed[n] * np.float32(how['std']) + np.float32(how['mean'])
        stored = expected[f'{key}|mixed01_u16'] / 65535
        np.testing.assert_allclose(share, stored, atol=1e-5)
      else:
        crop, same = mixed[n], expected[f'{key}|mixed_normalized']
      np.testing.assert_allclose(crop, same, atol=5e-6, rtol=0, err_msg=key)

  @each_native
  @pytest.mark.parametrize('clean', [False, True])
  def test_versions_of_an_image_equal_the_reference(
    self, clean, implementation
  ):
    x = np.random.default_rng(0).integers(0, 256, (3, 19, 21, 3), np.uint8)
    plan = drawn(2, 6, size=19, severity=6, all_ops=True)
    got = run_views(x, plan, implementation, clean)
    assert got.shape == (3, 2 + clean, 19, 21, 3)
    np.testing.assert_allclose(
      got, run_views(x, plan, 'reference', clean), atol=2e-6
    )
    if clean:
      np.testing.assert_allclose(got[:, 0], normalise(x, **IMAGENET), atol=1e-6)

  @each_executor
  def test_bfloat16_is_the_rounded_float32(self, implementation):
    x = np.random.default_rng(0).integers(0, 256, (3, 19, 21, 3), np.uint8)
    plan = drawn(3, 6, size=19)
    exact = run_views(x, plan, implementation, True)
    got = run_views(x, plan, implementation, True, 'bfloat16')
    assert got.dtype == jnp.bfloat16
    np.testing.assert_array_equal(got, exact.astype(jnp.bfloat16))

  @has_native
  def test_all_native_implementations_give_the_same_bits(self):
    x = np.random.default_rng(0).integers(0, 256, (2, 40, 37, 3), np.uint8)
    for width in (1, 2, 3, 5):
      plan = drawn(width, 4, size=37, width=width, depth=4, all_ops=True)
      first, *others = (
        run_views(x, plan, name, True) for name in EXECUTORS[1:]
      )
      for other in others:
        np.testing.assert_array_equal(first, other)

  @has_native
  def test_native_is_the_default_and_stays_on_its_device(self):
    mesh = jax.make_mesh((4,), ('data',), axis_types=(AxisType.Auto,))
    x = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3), np.uint8)
    batch = {'image': x, 'label': np.zeros(8, np.int32)}
    batch = jax.device_put(batch, NamedSharding(mesh, P('data')))
    key = jax.device_put(jax.random.key(0), NamedSharding(mesh, P()))
    views = functools.partial(
      Views(augmix=AugMix()), num_classes=10, mesh=mesh, **IMAGENET
    )
    text = jax.jit(views).lower(key, batch).compile().as_text()
    assert native.target('augmix') in text
    for word in ('all-gather', 'all-reduce', 'all-to-all'):
      assert word not in text

  @has_native
  @pytest.mark.parametrize(
    ('op', 'value', 'message'),
    [
      (13, 0, r'none\) to 12, got 13 in op\[1,2,0\]'),
      (-2, 0, 'got -2'),
      (2, 0, 'operation 2 takes 1 to 8 bits, got 0'),
      (3, 31, 'operation 3 takes -30 to 30 degrees, got 31'),
      (4, 300, 'operation 4 takes a threshold in 0 to 256, got 300'),
      (5, np.nan, 'operation 5 takes a finite parameter, got nan'),
    ],
  )
  def test_operations_out_of_range_are_named(self, op, value, message):
    ops, params = np.full((2, 3, 1), -1), np.zeros((2, 3, 1))
    ops[1, 2], params[1, 2] = op, value
    x = np.zeros((2, 4, 4, 3), np.uint8)
    plan = plan_of(ops, params)
    plan.param[1, 2, 0] = (value, 0, 0)
    with pytest.raises(jax.errors.JaxRuntimeError, match=message):
      mixed_views(x, plan, implementation='native', **HALF)
    with pytest.raises(jax.errors.JaxRuntimeError, match=message):
      apply_chains(x, plan, implementation='native')

  @has_native
  def test_a_gap_in_a_chain_is_named(self):
    plan = plan_of([[[0, -1, 1]]], [[[0, 0, 0]]])
    x = np.zeros((1, 4, 4, 3), np.uint8)
    with pytest.raises(
      jax.errors.JaxRuntimeError, match='must follow all used'
    ):
      mixed_views(x, plan, implementation='native', **HALF)

  @has_native
  @pytest.mark.parametrize('handler', ['augmix', 'augmix_chains'])
  def test_operands_that_do_not_fit_are_named(self, handler):
    x = np.zeros((2, 4, 4, 3), np.uint8)
    plan = plan_of(np.full((3, 2, 1), -1), np.zeros((3, 2, 1)))
    operands = [x, plan.op, plan.param]
    result, options = jax.ShapeDtypeStruct((3, 2, 4, 4, 3), np.uint8), {}
    if handler == 'augmix':
      three = np.zeros(3, np.float32)
      operands += [plan.weights, plan.m, three, three]
      result = jax.ShapeDtypeStruct((2, 1, 4, 4, 3), np.float32)
      options['clean'] = False
    message = r'need a plan of op\[B\*A,K,D\].* got \[2,4,4,3\], \[3,2,1\]'
    call = jax.ffi.ffi_call(native.target(handler), result)
    with pytest.raises(jax.errors.JaxRuntimeError, match=message):
      call(*operands, **options)

  def test_other_types_of_views_are_named(self):
    x = np.zeros((1, 4, 4, 3), np.uint8)
    plan = drawn(0, 1, size=4)
    with pytest.raises(TypeError, match='float32 or bfloat16, not float16'):
      mixed_views(x, plan, dtype=jnp.float16, **HALF)
