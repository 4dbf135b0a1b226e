"""Native kernels of noise, weather, colour and digital corruptions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from corruption_records import photo
from PIL import Image

from rcj import corruptions, native

NAMES = (
  *('gaussian_noise', 'shot_noise', 'impulse_noise', 'speckle_noise', 'frost'),
  *('fog', 'brightness', 'contrast', 'pixelate', 'saturate'),
)
SHAPES = ((2, 9, 33, 3), (1, 8, 8, 3))
KEY = jax.random.key(8)


@pytest.fixture(scope='module', params=SHAPES, ids=str)
def images(request):
  """Noise, and what is flat, grey, black and white, side by side."""
  rng = np.random.default_rng(1)
  images = rng.integers(0, 256, request.param, np.uint8)
  images[0, :3] = images[0, :3, :, :1]
  images[0, 3:6] = rng.choice(
    np.array([0, 255], np.uint8), images[0, 3:6].shape
  )
  images[-1, -1] = 77
  return images


@pytest.mark.parametrize('name', NAMES)
class TestKernel:
  @pytest.mark.parametrize('implementation', native.implementations())
  def test_equals_reference(self, name, images, implementation):
    """Bit for bit."""
    for severity, table in ((1, 32), (5, 224)):
      case = {'name': name, 'severity': severity, 'table': table}
      fields = corruptions.draw(KEY, images.shape, **case)
      expected = corruptions.render(images, fields, **case).astype(np.uint8)
      case['implementation'] = implementation
      found = corruptions.apply(images, fields, **case)
      assert found.dtype == np.uint8
      np.testing.assert_array_equal(found, expected)

  @pytest.mark.parametrize('implementation', native.implementations())
  def test_images_are_drawn_and_corrupted_one_by_one(
    self, name, implementation
  ):
    how = {'implementation': implementation}
    photos = [photo(f'{p}_64') for p in ('astronaut', 'coffee', 'chelsea')]
    whole = corruptions.corrupt(KEY, np.stack(photos), name, 3, **how)
    for i, image in enumerate(photos):
      at = {'indices': np.array([i]), **how}
      alone = corruptions.corrupt(KEY, image[None], name, 3, **at)
      np.testing.assert_array_equal(alone[0], whole[i])


@pytest.mark.parametrize(
  'name', ['gaussian_noise', 'shot_noise', 'impulse_noise', 'frost', 'fog']
)
def test_reference_draws_the_same(name):
  shape = (1, 8, 8, 3)
  expected = corruptions.draw(KEY, shape, name, 4)
  how = {'implementation': 'reference'}
  found = corruptions.draw(KEY, shape, name, 4, **how)
  assert expected.keys() == found.keys()
  for field, values in expected.items():
    assert values.dtype == found[field].dtype
    exact = name != 'gaussian_noise'
    difference = np.abs(1.0 * values - found[field])
    assert difference.max() <= (0 if exact else 1e-6)


def test_an_implementation_that_is_not_there():
  images = np.zeros((1, 8, 8, 3), np.uint8)
  with pytest.raises(
    native.NativeError, match='jpeg_compression has no native'
  ):
    corruptions.corrupt(
      KEY, images, 'jpeg_compression', 1, implementation='native'
    )
  with pytest.raises(native.NativeError, match="no implementation 'neon'"):
    corruptions.apply(images, {}, 'contrast', 1, implementation='neon')


@pytest.mark.parametrize('implementation', [None, 'reference'])
@pytest.mark.parametrize('size', [(8, 8), (40, 35), (31, 60), (21, 35)])
def test_pixelate_is_what_pillow_computes(size, implementation):
  rng = np.random.default_rng(2)
  image = rng.integers(0, 256, (*size, 3), np.uint8)
  for table in (32, 64, 224):
    for severity in corruptions.SEVERITIES:
      how = {'table': table, 'implementation': implementation}
      found = corruptions.apply(image[None], {}, 'pixelate', severity, **how)
      factor = corruptions.tables.TABLES['pixelate'][table][severity - 1][0]
      small = [max(1, int(n * factor)) for n in size[::-1]]
      expected = Image.fromarray(image).resize(small, Image.Resampling.BOX)
      expected = expected.resize(size[::-1], Image.Resampling.BOX)
      np.testing.assert_array_equal(found[0], expected)


IMAGES = np.zeros((2, 8, 8, 3), np.uint8)
FLOATS = np.zeros((2, 8, 8, 3), np.float32)
FLAGS = np.zeros((2, 8, 8, 3), bool)
ONE = np.float32(1)
TABLE = np.zeros((256, 9), np.float32)


@pytest.mark.skipif(not native.available(), reason='no native kernels')
@pytest.mark.parametrize(
  ('name', 'operands', 'message'),
  [
    ('gaussian_noise', (IMAGES, FLOATS[:1], ONE), r'need normal\[N,H,W,3\]'),
    ('gaussian_noise', (IMAGES, FLOATS, FLOATS), 'Wrong buffer rank'),
    ('gaussian_noise', (FLOATS, FLOATS, ONE), 'Wrong buffer dtype'),
    ('speckle_noise', (IMAGES, FLOATS[:, :7], ONE), r'got \[2,7,8,3\]'),
    ('impulse_noise', (IMAGES, FLAGS, FLAGS[:1], ONE), 'need salted'),
    ('impulse_noise', (IMAGES, FLAGS[:1], FLAGS, ONE), 'need flipped'),
    ('shot_noise', (IMAGES, FLOATS[:1], TABLE, TABLE[0]), 'need uniform'),
    ('shot_noise', (IMAGES, FLOATS, TABLE, TABLE[0, 1:]), r'\[256,9\] and \[8'),
    ('shot_noise', (IMAGES, FLOATS, TABLE[1:], TABLE[0]), r'\[255,9\] and \[9'),
    ('frost', (IMAGES, IMAGES[:1], 1.0, 1.0), 'need frost'),
    ('fog', (IMAGES, FLOATS[:1, ..., 0], ONE, ONE), 'need plasma'),
    ('contrast', (IMAGES[..., :2], ONE), r'u8\[N,H,W,3\] of one shape'),
    ('brightness', (IMAGES[..., :2], 1.0), r'u8\[N,H,W,3\] of one shape'),
    ('saturate', (IMAGES[..., :2], 1.0, 1.0), r'u8\[N,H,W,3\] of one shape'),
    ('pixelate', (IMAGES, 0.0), r'in \(0, 1\], got 0.0'),
    ('pixelate', (IMAGES, np.nan), r'in \(0, 1\], got nan'),
  ],
)
def test_operands_that_do_not_fit_are_refused(name, operands, message):
  target = native.target(f'corrupt_{name}')
  result = jax.ShapeDtypeStruct(operands[0].shape, jnp.uint8)
  with (
    jax.enable_x64(True),
    pytest.raises(jax.errors.JaxRuntimeError, match=message),
  ):
    jax.ffi.ffi_call(target, result)(*map(jnp.asarray, operands))
