"""Images plus a wave."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

# {side of the images: (norm, window)}. Norms are those of the paper for
# CIFAR-10 and ImageNet.
PAPER = {32: (4.0, 32), 224: (15.7, 63)}


def signs(
  key: Key[Array, ''], frequency: Int[Array, ''], indices: Int[Array, ' B']
) -> Float[Array, 'B 3']:
  """A random sign for each image and channel, float32.

  It depends on nothing but the key, the frequency and the image.

  Args:
    key: of all images and frequencies.
    frequency: its number, such as i * size + j.
    indices: places of the images in their set.
  """
  key = jax.random.fold_in(key, frequency)
  keys = jax.vmap(jax.random.fold_in, (None, 0))(key, indices)
  return jax.vmap(lambda k: jax.random.rademacher(k, (3,), jnp.float32))(keys)


def perturbed(
  images01: Float[Array, 'B H W 3'],
  wave: Float[Array, 'H W'],
  sign: Float[Array, 'B 3'],
  *,
  norm: float | Float[Array, ''],
) -> Float[Array, 'B H W 3']:
  """clip(x + norm * sign * U, 0, 1), section 2 of the paper.

  The authors' code (google-research/frequency_analysis) leaves the norm out
  where signs are random; here it is always applied.

  Args:
    images01: in 0..1.
    wave: U, see `basis`.
    sign: -1 or 1 for each image and channel.
    norm: L2 norm of what is added to each channel, before clipping.
  """
  added = norm * wave[None, :, :, None] * sign[:, None, None, :]
  return jnp.clip(images01 + added, 0, 1)
