"""The operations of AugMix by number.

The first nine are the paper's, in the order of its code; the last four overlap
with ImageNet-C's corruptions and are drawn with `all_ops` only.
Source: https://github.com/google-research/augmix (augmentations.py)
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32, Int32

from rcj.augment import tones, warps
from rcj.augment.packed import Packed

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
PAPER_OPS = 9
NAMES = tuple(op.__name__ for op in OPS)


def apply_op(
  image: Packed, op: Int32[Array, ''], param: Float32[Array, 3]
) -> Packed:
  """Applies operation number `op`; its parameter is the sum of `param`.

  Double precision is switched on inside and does not show outside.
  """
  with jax.enable_x64(True):
    exact = param.astype(jnp.float64)
    return lax.switch(op, OPS, image, exact.sum())
