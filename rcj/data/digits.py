"""Handwritten digits: 1,797 real ones, small enough for a demo in minutes.

The set that scikit-learn ships, the test part of
https://archive.ics.uci.edu/dataset/80: 8x8 counts 0..16, enlarged here to 32x32
RGB, white on black. The split is at random over images, so writers may occur in
both parts.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from rcj.data import renditions
from rcj.data.sources import ArraySource, DataSets, shorten, stratified, subset

CLASSES = tuple('0123456789')
TRAIN_SIZE = 1200
SPLIT_SEED = 0


def digits(*, train_size: int = TRAIN_SIZE) -> DataSets:
  """1,200 training, 597 test and 420 rendered images, all 32x32.

  Args:
    train_size: a smaller number gives a fixed stratified subset of the 1,200;
      0 gives them all. The test part never changes.

  Raises:
    ImportError: if scikit-learn or matplotlib is missing.
    ValueError: if `train_size` is over 1,200.
  """
  everything = _all_digits()
  chosen = stratified(everything.labels, TRAIN_SIZE, seed=SPLIT_SEED)
  rest = np.setdiff1d(np.arange(len(everything)), chosen)
  train = shorten(subset(everything, chosen), train_size, seed=SPLIT_SEED)
  return DataSets(
    name='digits',
    train=train,
    test=subset(everything, rest),
    rendition=renditions.renditions(),
    protocol={
      'train': f'{len(train)} of {TRAIN_SIZE} stratified (seed {SPLIT_SEED}) '
      "of scikit-learn's 1,797 digits, 8x8 enlarged to 32x32 (bicubic)",
      'test': f'the other {len(rest)} digits; writers may recur',
      'rendition': 'digits drawn in fonts, glyphs 24-31 px high, slanted',
    },
  )


def enlarge(counts: Float[np.ndarray, '8 8']) -> UInt8[np.ndarray, '32 32 3']:
  """Counts 0..16 to a white-on-black image, four times the side, bicubic."""
  small = np.round(np.asarray(counts) * (255 / 16)).astype(np.uint8)
  large = Image.fromarray(small).resize((32, 32), Image.Resampling.BICUBIC)
  return np.repeat(np.asarray(large)[..., None], 3, axis=-1)


def _all_digits() -> ArraySource:
  try:
    from sklearn.datasets import load_digits
  except ImportError as e:
    raise ImportError(
      'the digits come with scikit-learn, which is not installed: '
      "pip install 'rcj[demo]'"
    ) from e
  raw = load_digits()
  images = np.stack([enlarge(x) for x in raw.images])
  return ArraySource(images, raw.target.astype(np.int32), CLASSES)
