"""From pixel values to a network's input, in NumPy alone."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32


def scale_and_offset(
  *, mean: tuple[float, float, float], std: tuple[float, float, float]
) -> tuple[Float32[np.ndarray, 3], Float32[np.ndarray, 3]]:
  """(x / 255 - mean) / std as x * scale + offset.

  Args:
    mean: per channel, for images in 0..1.
    std: per channel, for images in 0..1.
  """
  std = np.asarray(std, np.float64)
  scale, offset = 1 / (255 * std), -np.asarray(mean, np.float64) / std
  return scale.astype(np.float32), offset.astype(np.float32)
