"""What the gate sees of an image: how strong each frequency is."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32


def count(size: int) -> int:
  """Numbers that `features` gives for images of this side."""
  return 3 * (size // 2 + 1)


def features(
  images01: Float[Array, 'B H W 3'],
) -> Float32[Array, 'B D']:
  """log(1 + |FFT2|) of each channel, averaged over rings of frequencies.

  Ring r holds the frequencies whose distance from zero, in cycles per image, is
  nearest to r; r is 0..size // 2, so that the corners of the spectrum are left
  out. All rings of the first channel come first.

  Args:
    images01: square images in 0..1, not normalised.

  Raises:
    ValueError: if they are not square NHWC.
  """
  shape = images01.shape
  if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3:
    raise ValueError(
      f'the gate looks at square images [B,size,size,3], got {list(shape)}'
    )
  planes = images01.astype(jnp.float32).transpose(0, 3, 1, 2)
  strength = jnp.log1p(jnp.abs(jnp.fft.rfft2(planes)))
  flat = strength.reshape(3 * shape[0], -1)
  means = jnp.matmul(
    flat, _rings(shape[1]), precision=jax.lax.Precision.HIGHEST
  )
  return means.reshape(shape[0], -1)


def _rings(size: int) -> Float32[np.ndarray, 'F R']:
  """Weights of the half of all frequencies that RFFT2 gives, in each mean."""
  cycles = np.fft.fftfreq(size) * size
  across = np.arange(size // 2 + 1)
  radius = np.rint(np.hypot(cycles[:, None], across[None, :]))
  # Each column stands for its mirror image, too, where that is another one.
  times = np.where((across == 0) | (2 * across == size), 1, 2)
  inside = radius[..., None] == np.arange(size // 2 + 1)
  weights = (inside * times[None, :, None]).reshape(radius.size, -1)
  return (weights / weights.sum(0)).astype(np.float32)
