"""DeepAugment's two networks, from the pixels of a file to those of another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key, UInt8

from rcj import data
from rcj.augment import cae, cae_draws, edsr, edsr_draws
from rcj.augment.weight_changes import Change

Weights = Mapping[str, Float32[np.ndarray, '...']]


@dataclasses.dataclass(frozen=True)
class Network:
  """A network that distorts images.

  Attributes:
    name: 'edsr' or 'cae', as `rcj.deepaugment.load` knows it.
    side: shorter side in pixels of what it sees.
    multiple: its sides are multiples of this.
    draw_changes: how its weights change, from a key.
    draw_plan: how its activations change, from a key, height and width.
    distort: weights, uint8 image and plan to uint8 image; compiled once for
      each size of the image.
  """

  name: str
  side: int
  multiple: int
  draw_changes: Callable[[Key[Array, '']], list[Change]]
  draw_plan: Callable[[Key[Array, ''], int, int], Any]
  distort: Callable[
    [Weights, UInt8[Array, 'h w 3'], Any], UInt8[Array, 'H W 3']
  ]

  def seen(
    self, image: UInt8[np.ndarray, 'H W 3']
  ) -> UInt8[np.ndarray, 'h w 3']:
    """The image as the network sees it.

    Rows and columns beyond the multiple are left out; the autoencoder's own
    result lacks them, too.
    """
    image = data.resize_shorter(image, self.side)
    height, width = (n - n % self.multiple for n in image.shape[:2])
    return image[:height, :width]


@jax.jit
def _enlarged(weights, image, plan):
  shown = edsr.enlarge(weights, image.astype(jnp.float32), plan)
  return jnp.clip(shown, 0, 255).astype(jnp.uint8)


@jax.jit
def _reconstructed(weights, image, plan):
  shown = cae.reconstruct(weights, image.astype(jnp.float32) / 255, plan)
  return (255 * jnp.clip(shown, 0, 1)).astype(jnp.uint8)


EDSR = Network(
  name='edsr',
  side=128,
  multiple=1,
  draw_changes=edsr_draws.draw_changes,
  draw_plan=edsr_draws.draw_plan,
  distort=_enlarged,
)
CAE = Network(
  name='cae',
  side=512,
  multiple=4,
  draw_changes=cae_draws.draw_changes,
  draw_plan=cae_draws.draw_plan,
  distort=_reconstructed,
)
