"""AugMix's operations and how strong they are, for JAX and NumPy alike.

Source: Hendrycks et al., https://arxiv.org/abs/1912.02781, with the constants
of https://github.com/google-research/augmix.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

# Numbers of a plan are places in this list. The first nine are the paper's, in
# the order of its code; the rest overlap with ImageNet-C's corruptions.
NAMES = (
  'autocontrast',
  'equalize',
  'posterize',
  'rotate',
  'solarize',
  'shear_x',
  'shear_y',
  'translate_x',
  'translate_y',
  'color',
  'contrast',
  'brightness',
  'sharpness',
)
PAPER_OPS = 9
LEAST_LEVEL = 0.1


def check_options(
  *, severity: float, width: int, depth: int, alpha: float
) -> None:
  """Raises ValueError, naming the option, for what AugMix does not define."""
  if not LEAST_LEVEL < severity <= 10:
    raise ValueError(
      f'severity must lie in (0.1, 10], got {severity}: it is the upper bound '
      'of levels that are drawn from 0.1 upwards, on a scale of 10'
    )
  if width < 1:
    raise ValueError(f'width is a number of chains, at least 1, got {width}')
  if depth != -1 and depth < 1:
    raise ValueError(
      f'depth must be at least 1, or -1 to draw 1, 2 or 3, got {depth}'
    )
  if not alpha > 0:
    raise ValueError(f'alpha must be positive, got {alpha}')


def parameters(level: Any, sign: Any, size: int, xp: ModuleType) -> list[Any]:
  """The parameter that each operation has at `level`, in the order of NAMES.

  Args:
    level: of the operation, 0.1..10; float32 of any shape.
    sign: -1 or 1, float32 of that shape.
    size: side of the images in pixels.
    xp: the arrays' library, numpy or jax.numpy.
  """
  share = level / 10
  factor = 1.8 * share + 0.1
  by_name = {
    # A float32 level can round up to 10, and zero bits would mean black.
    'posterize': xp.maximum(4 - xp.trunc(4 * share), 1),
    'rotate': sign * xp.trunc(30 * share),
    'solarize': 256 - xp.trunc(256 * share),
    'shear_x': sign * 0.3 * share,
    'shear_y': sign * 0.3 * share,
    'translate_x': sign * xp.trunc(size / 3 * share),
    'translate_y': sign * xp.trunc(size / 3 * share),
    'color': factor,
    'contrast': factor,
    'brightness': factor,
    'sharpness': factor,
  }
  return [by_name.get(name, xp.zeros_like(level)) for name in NAMES]
