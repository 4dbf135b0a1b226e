"""Robustness suites: predictions per image, and rows of error rates.

Every network is measured on the same images in the same cells, and the
outcome of each image is kept, so that intervals are over images (an image's
corrupted versions are resampled together) and comparisons are paired. Images
may be in memory or read on demand; each process reads its own share. `attacked`
measures adversarial images, `checks` whether gradients could be trusted there,
`heat_map` images plus waves of each frequency.
"""

from rcj.evaluate.attacked import (
  Attempt,
  attacked,
  check_classes,
  zero_gradients,
)
from rcj.evaluate.heat_map import heat_map, map_difference, read_map
from rcj.evaluate.masking import Checks, checks
from rcj.evaluate.predict import Outcome, Predictor, classify, evaluate
from rcj.evaluate.rows import rows
from rcj.evaluate.spectra import spectra
from rcj.evaluate.suites import Cell, Part, Suite, corrupted, plain, published
from rcj.evaluate.waves import wrong_answers

__all__ = [
  'Attempt',
  'Cell',
  'Checks',
  'Outcome',
  'Part',
  'Predictor',
  'Suite',
  'attacked',
  'check_classes',
  'checks',
  'classify',
  'corrupted',
  'evaluate',
  'heat_map',
  'map_difference',
  'plain',
  'published',
  'read_map',
  'rows',
  'spectra',
  'wrong_answers',
  'zero_gradients',
]
