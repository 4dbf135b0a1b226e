"""Native kernels of the blurs, snow, elastic transform and spatter."""

import functools

import jax
import numpy as np
import pytest

from rcj import corruptions, native
from rcj.corruptions import dispatch, registry, tables
from rcj.ops import corruptions as ops

KEY = jax.random.key(11)


def pictures(shape):
  """Noise, steps, and parts that are flat, where truncation tells."""
  rng = np.random.default_rng(5)
  n, height, width = shape
  images = rng.integers(0, 256, (*shape, 3), np.uint8)
  images[:, height // 2 :] = rng.integers(0, 256, (n, 1, 1, 3))
  images[:, height // 2 :, : width // 3] = 255
  return images


@functools.cache
def by_reference(name, shape, severity):
  images = pictures(shape)
  how = {'table': 224, 'implementation': 'reference'}
  fields = corruptions.draw(KEY, images.shape, name, severity, **how)
  return fields, corruptions.apply(images, fields, name, severity, **how)


def call(name, fields=None, prepared=None, shape=(2, 9, 12, 3)):
  """Runs a kernel of severity 5 on black images, with other operands."""
  row = tables.parameters(name, 5, 224, shape)
  drawn = corruptions.draw(KEY, (2, 9, 12, 3), name, 5, table=224)
  fields = drawn | (fields or {})
  with jax.enable_x64(registry.CORRUPTIONS[name].double):
    given = list(jax.tree.leaves(dispatch._arrays(name, row)))
    for index, value in (prepared or {}).items():
      given[index] = jax.numpy.asarray(value)
    return ops.apply(
      name,
      jax.numpy.zeros(shape, np.uint8),
      fields,
      tuple(given),
      reference=None,
      implementation='native',
    )


def refuses(message, name, *args, **how):
  if not native.available():
    pytest.skip(native.why_not())
  with pytest.raises(jax.errors.JaxRuntimeError, match=message):
    jax.block_until_ready(call(name, *args, **how))


class Kernel:
  """What is asked of every kernel."""

  name: str

  # The lowest image, a width that no vector divides, kernels that reach beyond
  # the border several times.
  @pytest.mark.parametrize('implementation', native.implementations())
  @pytest.mark.parametrize('severity', [1, 3, 4, 5])
  def test_equals_the_reference(self, implementation, severity):
    shape = (2, 8, 21)
    fields, expected = by_reference(self.name, shape, severity)
    found = corruptions.apply(
      pictures(shape),
      fields,
      self.name,
      severity,
      table=224,
      implementation=implementation,
    )
    # The reference may contract products and sums where nothing forbids it.
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference != 0).mean() <= 1e-3

  @pytest.mark.parametrize('implementation', native.implementations())
  def test_takes_no_image_at_all(self, implementation):
    images = np.zeros((0, 8, 8, 3), np.uint8)
    found = corruptions.corrupt(
      KEY, images, self.name, 2, implementation=implementation
    )
    assert found.shape == images.shape


class TestDefocusBlur(Kernel):
  name = 'defocus_blur'

  def test_wrong_operands(self):
    even = np.zeros((4, 4, 2), np.float32)
    refuses(
      r'kernel must be f32\[K,K,2\], K odd, got \[4,4,2\]',
      self.name,
      prepared={0: even},
    )

  @pytest.mark.parametrize('implementation', native.implementations())
  def test_more_equal_taps_than_16_bits_hold(self, implementation):
    """441 taps of a white image sum up to 112455."""
    kernel = np.zeros((21, 21, 2), np.float32)
    kernel[..., 0] = 148 / 2**16
    found = ops.apply(
      self.name,
      np.full((1, 30, 30, 3), 255, np.uint8),
      {},
      (kernel,),
      reference=None,
      implementation=implementation,
    )
    assert (np.asarray(found) == 255 * 441 * 148 // 2**16).all()


class TestGaussianBlur(Kernel):
  name = 'gaussian_blur'

  @pytest.mark.parametrize('reach', [-1, 25])
  def test_wrong_operands(self, reach):
    refuses(
      rf'reach of the kernel must be 0 to 24, got {reach}',
      self.name,
      prepared={1: np.int32(reach)},
    )


class TestGlassBlur(Kernel):
  name = 'glass_blur'

  def test_wrong_operands(self):
    refuses(
      r'images \[2,9,12,3\] need offsets s8\[N,R,H,W,2\], got \[2,3,9,11,2\]',
      self.name,
      {'offsets': np.zeros((2, 3, 9, 11, 2), np.int8)},
    )
    refuses('reach .* 0 to 24, got 25', self.name, prepared={1: np.int32(25)})
    refuses(
      'distance must be 0 to 127, got -1',
      self.name,
      prepared={2: np.int32(-1)},
    )


class TestMotionBlur(Kernel):
  name = 'motion_blur'

  def test_wrong_operands(self):
    refuses(
      r'need angle f64\[N\], got \[3\]', self.name, {'angle': np.zeros(3)}
    )
    refuses(
      'angle 1 is not finite', self.name, {'angle': np.array([0, np.inf])}
    )
    refuses(
      'length of the kernel must be 1 to 41, got 42',
      self.name,
      prepared={1: np.int32(42)},
    )


class TestZoomBlur(Kernel):
  name = 'zoom_blur'

  def test_wrong_operands(self):
    refuses(
      'count of levels must be 0 to 26, got 27',
      self.name,
      prepared={1: np.int32(27)},
    )
    refuses(
      'enlarges must be at least 1, got 0.5',
      self.name,
      prepared={0: np.full(26, 0.5)},
    )


class TestSnow(Kernel):
  name = 'snow'

  def test_wrong_operands(self):
    refuses(
      r'need normal f64\[N,H,W\], got \[2,12,9\]',
      self.name,
      {'normal': np.zeros((2, 12, 9))},
    )
    refuses(
      r'need angle f64\[N\], got \[1\]', self.name, {'angle': np.zeros(1)}
    )
    refuses(
      'enlarges must be at least 1, got nan', self.name, prepared={2: np.nan}
    )
    refuses('length .* 1 to 41, got 0', self.name, prepared={6: np.int32(0)})


class TestElasticTransform(Kernel):
  name = 'elastic_transform'

  def test_wrong_operands(self):
    refuses(
      r'need down and right f64\[N,H,W\], got \[2,9,9\]',
      self.name,
      {'right': np.zeros((2, 9, 9))},
    )
    refuses(
      r'need jitter f64\[N,3,2\], got \[2,3,3\]',
      self.name,
      {'jitter': np.zeros((2, 3, 3))},
    )
    refuses(
      r'at least 3 pixels high and wide, got \[2,2,12,3\]',
      self.name,
      {'down': np.zeros((2, 2, 12)), 'right': np.zeros((2, 2, 12))},
      shape=(2, 2, 12, 3),
    )


class TestSpatter(Kernel):
  name = 'spatter'

  def test_wrong_operands(self):
    refuses(
      r'need normal f64\[N,H,W\], got \[2,9,11\]',
      self.name,
      {'normal': np.zeros((2, 9, 11))},
    )
    for place in (6, 8):
      refuses(
        'reach of the kernel must be 0 to 24, got 25',
        self.name,
        prepared={place: np.int32(25)},
      )
