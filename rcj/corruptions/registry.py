"""Which functions draw and apply each corruption."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from jaxtyping import Array

from rcj.corruptions import (
  blur,
  digital,
  elastic,
  frost,
  gaussian,
  glass,
  hsv,
  motion,
  noise,
  snow,
  spatter,
  weather,
  zoom,
)


def no_fields(*_: Any, **__: Any) -> dict[str, Array]:
  """The fields of a corruption without randomness."""
  return {}


def as_given(*row: float) -> tuple[float, ...]:
  """Parameters that need no preparation."""
  return row


def no_assets(*_: Any) -> tuple[Array, ...]:
  """The assets of a corruption that needs none."""
  return ()


@dataclasses.dataclass(frozen=True)
class Corruption:
  """How one corruption is computed.

  Attributes:
    apply: a batch, its fields and the prepared parameters to float32 0..255;
      on the host one uint8 image and the parameters to a uint8 image.
    draw: key, height, width, the prepared parameters and `implementation` to
      one image's fields.
    prepare: a row of the severity table to arrays of a shape that severities
      share, so that they run the same compiled program.
    on_host: whether `apply` runs in numpy and Pillow; all others have a kernel,
      see `rcj.ops.corruptions`.
    double: whether `apply` is traced with 64-bit types enabled.
    assets: folder of textures, height, width and the row to what `draw` takes
      after the prepared parameters.
  """

  apply: Callable[..., Any]
  draw: Callable[..., dict[str, Array]] = no_fields
  prepare: Callable[..., tuple[Any, ...]] = as_given
  on_host: bool = False
  double: bool = False
  assets: Callable[..., tuple[Array, ...]] = no_assets


_double = functools.partial(Corruption, double=True)
CORRUPTIONS = {
  'gaussian_noise': Corruption(noise.gaussian, noise.draw_gaussian),
  'shot_noise': Corruption(noise.shot, noise.draw_shot, noise.poisson_table),
  'impulse_noise': Corruption(noise.impulse, noise.draw_impulse),
  'defocus_blur': Corruption(blur.defocus, prepare=blur.disk_kernel),
  'glass_blur': _double(glass.glass, glass.draw_glass, glass.glass_kernel),
  'motion_blur': _double(
    motion.motion, motion.draw_motion, motion.streak_kernel
  ),
  'zoom_blur': _double(zoom.zoom, prepare=zoom.zoom_levels),
  'snow': _double(snow.snow, snow.draw_snow, snow.snow_kernel),
  'frost': _double(
    frost.frost, frost.draw_frost, frost.frost_weights, assets=frost.textures
  ),
  'fog': Corruption(weather.fog, weather.draw_fog),
  'brightness': _double(hsv.brightness),
  'contrast': Corruption(digital.contrast),
  'elastic_transform': _double(
    elastic.elastic, elastic.draw_elastic, elastic.elastic_kernel
  ),
  'pixelate': _double(digital.pixelate),
  'jpeg_compression': Corruption(digital.jpeg, on_host=True),
  'speckle_noise': Corruption(noise.speckle, noise.draw_gaussian),
  'gaussian_blur': _double(gaussian.gaussian_blur, prepare=gaussian.taps),
  'spatter': _double(
    spatter.spatter, spatter.draw_spatter, spatter.spatter_kernels
  ),
  'saturate': _double(hsv.saturate),
}
