"""Image files to uint8 RGB, whatever kind of file it is.

Baseline RGB and grey JPEG go through simplejpeg where it is installed: the same
libjpeg-turbo algorithms as Pillow's, with less overhead. Everything else, and
whatever simplejpeg refuses, goes through Pillow.
"""

from __future__ import annotations

import io
import struct

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

try:
  import simplejpeg
except ImportError:
  simplejpeg = None

_DAMAGE = (
  OSError,  # truncated; UnidentifiedImageError is one, too
  SyntaxError,
  ValueError,
  EOFError,
  struct.error,
  Image.DecompressionBombError,
)
# A file with one of these may want to be turned.
_ORIENTATION = (b'Exif', b'tiff:Orientation')


def decode(data: bytes) -> UInt8[np.ndarray, 'H W 3']:
  """Pixels of a JPEG, PNG, WebP or BMP file, as a viewer shows them.

  EXIF orientation is applied. CMYK is converted (Adobe's inverted convention
  included), grey repeated, palettes looked up, transparency laid over white.
  Of 16 bits the upper 8 are kept.

  Raises:
    ValueError: if `data` is empty, truncated or no image.
  """
  if not data:
    raise ValueError('the file is empty')
  image = _decode_plain_jpeg(data)
  if image is not None:
    return image
  try:
    with Image.open(io.BytesIO(data)) as opened:
      return _to_rgb(ImageOps.exif_transpose(opened))
  except _DAMAGE as e:
    unknown = isinstance(e, UnidentifiedImageError)
    raise ValueError(
      f'{len(data):,} bytes that begin with {data[:8]!r} cannot be decoded: '
      f'{"no known image format" if unknown else e}'
    ) from e


def _decode_plain_jpeg(data: bytes) -> UInt8[np.ndarray, 'H W 3'] | None:
  if simplejpeg is None or data[:2] != b'\xff\xd8':
    return None
  if any(marker in data for marker in _ORIENTATION):
    return None
  try:
    if simplejpeg.decode_jpeg_header(data)[2] not in ('YCbCr', 'Gray'):
      return None
    return simplejpeg.decode_jpeg(data, colorspace='RGB')
  except ValueError:
    return None  # Pillow judges, and words the error


def _to_rgb(image: Image.Image) -> UInt8[np.ndarray, 'H W 3']:
  if image.mode.startswith('I'):
    pixels = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
    image = Image.fromarray(pixels)
  if image.has_transparency_data:
    image = image.convert('RGBA')
    white = Image.new('RGBA', image.size, 'white')
    image = Image.alpha_composite(white, image)
  # A copy, since the array of an image is read-only.
  return np.array(image.convert('RGB'))
