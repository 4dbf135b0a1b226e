"""Mean amplitudes of images by frequency."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

# Spectra are complex128, ten times the bytes of what is transformed.
_AT_ONCE = 64


def spectrum(images: Float[np.ndarray, 'N H W C']) -> Float[np.ndarray, 'H W']:
  """Mean amplitude |FFT2| over images and channels, centred, float64.

  Of the difference between corrupted and clean images it is what figure 2 of
  the paper (`rcj.fourier`) shows.

  Args:
    images: of any range.

  Raises:
    ValueError: if there are no images [N, H, W, C].
  """
  if images.ndim != 4 or not images.size:
    raise ValueError(f'expected images [N, H, W, C], got {list(images.shape)}')
  total = np.zeros(images.shape[1:3])
  for start in range(0, len(images), _AT_ONCE):
    part = np.fft.fft2(images[start : start + _AT_ONCE], axes=(1, 2))
    total += np.abs(part).mean(-1).sum(0)
  return np.fft.fftshift(total / len(images))


def radial(amplitude: Float[np.ndarray, 'H W']) -> Float[np.ndarray, ' R']:
  """Mean over rings, by distance from frequency 0, rounded: 0, 1, ...

  The last ring is the largest that is whole, of radius (min(H, W) - 1) // 2.

  Args:
    amplitude: of a centred spectrum.
  """
  h, w = amplitude.shape
  y, x = np.ogrid[:h, :w]
  ring = np.rint(np.hypot(y - h // 2, x - w // 2)).astype(int).ravel()
  total = np.bincount(ring, amplitude.ravel())
  return (total / np.bincount(ring))[: (min(h, w) - 1) // 2 + 1]
