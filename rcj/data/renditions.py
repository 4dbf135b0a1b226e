"""The "-R" set of the digits: the ten digits as fonts draw them.

As ImageNet-R (https://arxiv.org/abs/2006.16241) shows known classes in another
style, these show printed digits to networks that were trained on handwriting.
The fonts are those that matplotlib ships and that draw plain digits: its
mathematical ones map digits to symbols, or have none.
"""

from __future__ import annotations

import functools
import pathlib

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from rcj.data.sources import ArraySource

FONTS = (
  *('DejaVuSans', 'DejaVuSans-Bold'),
  *('DejaVuSans-Oblique', 'DejaVuSans-BoldOblique'),
  *('DejaVuSansMono', 'DejaVuSansMono-Bold'),
  *('DejaVuSansMono-Oblique', 'DejaVuSansMono-BoldOblique'),
  *('DejaVuSerif', 'DejaVuSerif-Bold'),
  *('DejaVuSerif-Italic', 'DejaVuSerif-BoldItalic'),
  *('STIXGeneral', 'STIXGeneralBol'),
  *('STIXGeneralItalic', 'STIXGeneralBolIta'),
  *('cmr10', 'cmb10', 'cmss10', 'cmti10', 'cmtt10'),
)
SIDE = 32
HEIGHTS = (24, 31)  # pixels, both included
MAX_SLANT = 0.2  # shift per row, as a fraction of the row
JITTER = 2  # pixels from the middle; more would only measure position
DRAWINGS = 2  # of each digit in each font
SEED = 0
_EM = 96  # drawn large, then reduced: smooth at any height


@functools.cache
def renditions() -> ArraySource:
  """420 images, 32x32, white on black: 21 fonts, 10 digits, 2 drawings each.

  Glyph height (24 to 31 px), slant (-0.2 to 0.2) and position (up to 2 px from
  the middle, the whole glyph in the image) are drawn from a fixed seed.

  Raises:
    ImportError: if matplotlib, whose fonts are used, is missing.
    FileNotFoundError: if it lacks one of the fonts.
  """
  rng = np.random.default_rng(SEED)
  images, labels = [], []
  for name in FONTS:
    font = ImageFont.truetype(str(_font_file(name)), _EM)
    for digit in range(10):
      for _ in range(DRAWINGS):
        images.append(_draw(rng, font, str(digit)))
        labels.append(digit)
  return ArraySource(
    np.stack(images), np.asarray(labels, np.int32), tuple('0123456789')
  )


def _font_file(name: str) -> pathlib.Path:
  try:
    import matplotlib
  except ImportError as e:
    raise ImportError(
      'the renditions are drawn in the fonts of matplotlib, which is not '
      "installed: pip install 'rcj[demo]'"
    ) from e
  folder = pathlib.Path(matplotlib.get_data_path(), 'fonts', 'ttf')
  file = folder / f'{name}.ttf'
  if not file.is_file():
    raise FileNotFoundError(
      f'matplotlib {matplotlib.__version__} has no font {name} in {folder}; '
      f'it has {len(list(folder.glob("*.ttf")))} fonts'
    )
  return file


def _draw(
  rng: np.random.Generator, font: ImageFont.FreeTypeFont, text: str
) -> UInt8[np.ndarray, 'side side 3']:
  height = int(rng.integers(HEIGHTS[0], HEIGHTS[1] + 1))
  slant = rng.uniform(-MAX_SLANT, MAX_SLANT)
  glyph = _slanted(font, text, slant)
  width = min(SIDE, max(1, round(glyph.width * height / glyph.height)))
  glyph = glyph.resize((width, height), Image.Resampling.LANCZOS)
  canvas = Image.new('L', (SIDE, SIDE))
  canvas.paste(glyph, (_place(rng, width), _place(rng, height)))
  return np.repeat(np.asarray(canvas)[..., None], 3, axis=-1)


def _place(rng: np.random.Generator, extent: int) -> int:
  """First row or column of a glyph of this extent."""
  middle = (SIDE - extent) // 2 + int(rng.integers(-JITTER, JITTER + 1))
  return min(max(middle, 0), SIDE - extent)


def _slanted(
  font: ImageFont.FreeTypeFont, text: str, slant: float
) -> Image.Image:
  """The sheared glyph at full size, cut to its ink."""
  canvas = Image.new('L', (3 * _EM, 2 * _EM))
  ImageDraw.Draw(canvas).text((_EM, _EM // 4), text, font=font, fill=255)
  # Rows move about the middle of the canvas: x_in = x + slant * (y - middle).
  inverse = (1, slant, -slant * _EM, 0, 1, 0)
  canvas = canvas.transform(
    canvas.size, Image.Transform.AFFINE, inverse, Image.Resampling.BICUBIC
  )
  return canvas.crop(canvas.getbbox())
