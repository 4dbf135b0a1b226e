import io

import numpy as np
import pytest
from PIL import Image

from rcj.data import decode as decode_module
from rcj.data.decode import decode


def photo(height=48, width=64):
  """Smooth colours, which JPEG keeps well."""
  y, x = np.mgrid[:height, :width]
  planes = [x * 255 // width, y * 255 // height, (x + y) * 255 // 160]
  return np.stack(planes, -1).astype(np.uint8)


def encode(image, kind, **options):
  file = io.BytesIO()
  image.save(file, kind, **options)
  return file.getvalue()


PHOTO = photo()
RGB = Image.fromarray(PHOTO)


def distance(a, b):
  assert a.shape == b.shape
  assert a.dtype == np.uint8
  return np.abs(a.astype(int) - b.astype(int)).mean()


@pytest.mark.parametrize('kind', ['png', 'bmp', 'webp'])
def test_lossless(kind):
  options = {'lossless': True} if kind == 'webp' else {}
  np.testing.assert_array_equal(decode(encode(RGB, kind, **options)), PHOTO)


@pytest.mark.parametrize('fast', [True, False])
@pytest.mark.parametrize('subsampling', [0, 2])
def test_jpeg(fast, subsampling, monkeypatch):
  if fast:
    pytest.importorskip('simplejpeg')
  else:
    monkeypatch.setattr(decode_module, 'simplejpeg', None)
  data = encode(RGB, 'jpeg', quality=95, subsampling=subsampling)
  assert distance(decode(data), PHOTO) < 2
  with Image.open(io.BytesIO(data)) as pillow:
    assert distance(decode(data), np.asarray(pillow)) < 0.1


def test_grey_jpeg():
  grey = RGB.convert('L')
  image = decode(encode(grey, 'jpeg', quality=95))
  assert (image[..., 0] == image[..., 2]).all()
  assert distance(image[..., 0], np.asarray(grey)) < 2


def test_cmyk_jpeg_as_adobe_writes_it():
  data = encode(RGB.convert('CMYK'), 'jpeg', quality=95)
  assert b'Adobe' in data
  assert distance(decode(data), PHOTO) < 4


TURNS = {
  1: lambda x: x,
  2: lambda x: x[:, ::-1],
  3: lambda x: x[::-1, ::-1],
  4: lambda x: x[::-1],
  5: lambda x: x.transpose(1, 0, 2),
  6: lambda x: np.rot90(x, -1),
  7: lambda x: np.rot90(x, 2).transpose(1, 0, 2),
  8: lambda x: np.rot90(x),
}


@pytest.mark.parametrize('orientation', TURNS)
def test_exif_orientation(orientation):
  exif = Image.Exif()
  exif[0x0112] = orientation
  data = encode(RGB, 'jpeg', quality=95, exif=exif)
  assert distance(decode(data), TURNS[orientation](PHOTO)) < 2


def test_16_bit_grey_png():
  deep = np.arange(0, 65536, 16, np.uint16).reshape(64, 64)
  image = decode(encode(Image.fromarray(deep), 'png'))
  np.testing.assert_array_equal(image[..., 1], deep // 256)
  assert (image.min(), image.max()) == (0, 255)


def test_palette():
  data = encode(RGB.convert('P', palette=Image.Palette.ADAPTIVE), 'png')
  assert distance(decode(data), PHOTO) < 12


@pytest.mark.parametrize('mode', ['RGBA', 'LA', 'P'])
def test_transparency_shows_white(mode):
  if mode == 'P':
    image = Image.new('P', (8, 8), 3)
    image.putpalette([10] * 768)
    data = encode(image, 'png', transparency=3)
  else:
    data = encode(Image.new(mode, (8, 8), 0), 'png')
  assert (decode(data) == 255).all()


def test_half_transparent():
  half = Image.new('RGBA', (4, 4), (100, 0, 200, 128))
  expected = np.array([100, 0, 200]) * (128 / 255) + 255 * (127 / 255)
  np.testing.assert_allclose(
    decode(encode(half, 'png'))[0, 0], expected, atol=1
  )


def test_bilevel():
  assert set(np.unique(decode(encode(RGB.convert('1'), 'png')))) == {0, 255}


@pytest.mark.parametrize('kind', ['png', 'jpeg', 'webp', 'bmp'])
@pytest.mark.parametrize('keep', [0.6, 0.02])
def test_truncated(kind, keep):
  data = encode(RGB, kind)
  with pytest.raises(ValueError, match=r'bytes that begin with .* cannot be'):
    decode(data[: int(keep * len(data))])


@pytest.mark.parametrize('data', [b'not an image at all', b'\xff\xd8 almost'])
def test_no_image(data):
  with pytest.raises(ValueError, match=f'{len(data)} bytes that begin'):
    decode(data)


def test_empty():
  with pytest.raises(ValueError, match='empty'):
    decode(b'')
