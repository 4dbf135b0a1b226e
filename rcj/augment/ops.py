"""The operations of AugMix by number.

Source: https://github.com/google-research/augmix (augmentations.py)
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32, Int32

from rcj.augment import tones, warps
from rcj.augment.packed import Packed

# As `rcj.ops.augmix_options.NAMES` lists them.
OPS = (
  tones.autocontrast,
  tones.equalize,
  tones.posterize,
  warps.rotate,
  tones.solarize,
  warps.shear_x,
  warps.shear_y,
  warps.translate_x,
  warps.translate_y,
  tones.color,
  tones.contrast,
  tones.brightness,
  tones.sharpness,
)


def apply_op(
  image: Packed, op: Int32[Array, ''], param: Float32[Array, 3]
) -> Packed:
  """Applies operation number `op`; its parameter is the sum of `param`.

  Double precision is switched on inside and does not show outside.
  """
  with jax.enable_x64(True):
    exact = param.astype(jnp.float64)
    return lax.switch(op, OPS, image, exact.sum())
