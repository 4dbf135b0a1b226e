"""Real waves of one frequency, and which of them there are."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

Places = int | Int[np.ndarray, '*shape']


def mirror(size: int, place: Places) -> Places:
  """Where the opposite frequency lies along one axis of a centred spectrum.

  Where `size` is even the most negative frequency is its own opposite.
  """
  return (2 * (size // 2) - place) % size


def basis(size: int, i: int, j: int) -> Float[np.ndarray, 'size size']:
  """The wave U of frequency (i, j): real, float64, of L2 norm 1.

  Its spectrum has 0.5 + 0.5i at (i, j), 0.5 - 0.5i at the mirrored place, and
  nothing elsewhere, times a constant; (i, j) is the first of both in the order
  of rows, so that both have the same wave. A frequency that is its own mirror
  has a cosine. Section 2 of the paper (`rcj.fourier`).

  Args:
    size: side of the image in pixels.
    i: row in the centred spectrum.
    j: column in the centred spectrum.

  Raises:
    ValueError: if (i, j) lies outside the spectrum.
  """
  if not (0 <= i < size and 0 <= j < size):
    raise ValueError(
      f'frequencies of {size} px lie at 0..{size - 1} of a centred spectrum, '
      f'got ({i}, {j}); frequency 0 is at ({size // 2}, {size // 2})'
    )
  here, there = (i, j), (mirror(size, i), mirror(size, j))
  i, j = min(here, there)
  y, x = np.ogrid[:size, :size]
  # Whole turns are taken off as integers: no rounding grows with the angle.
  steps = ((i - size // 2) * y + (j - size // 2) * x) % size
  angle = 2 * np.pi / size * steps
  sine = 0 if here == there else np.sin(angle)
  return (np.cos(angle) - sine) / size


def half_plane(
  size: int, *, window: int | None = None
) -> tuple[Int[np.ndarray, 'F 2'], Int[np.ndarray, 'window window']]:
  """The frequencies to measure; the others have the same waves.

  Args:
    size: side of the images in pixels.
    window: side of the square of lowest frequencies, None for all.

  Returns:
    (i, j) of each frequency in the spectrum of the whole image, and for each
    place of the window the number of the frequency that holds for it.

  Raises:
    ValueError: if the window is larger than the spectrum, or empty.
  """
  window = size if window is None else window
  if not 1 <= window <= size:
    raise ValueError(
      f'the window is 1..{size}, the side of the images, not {window}'
    )
  places = np.arange(window) + size // 2 - window // 2
  i, j = np.meshgrid(places, places, indexing='ij')
  mirrored = mirror(size, i) * size + mirror(size, j)
  first, number = np.unique(
    np.minimum(i * size + j, mirrored), return_inverse=True
  )
  return np.stack(np.divmod(first, size), -1), number.reshape(window, window)
