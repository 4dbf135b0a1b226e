"""Gaussian noise of a given size: the attack that knows nothing."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from rcj.attacks import balls, door
from rcj.attacks.door import Images


def gaussian_noise(
  key: Key[Array, ''], images: Images, *, eps: float
) -> Images:
  """Noise in a random direction, of L2 norm `eps` before clipping to 0..1.

  As `L2AdditiveGaussianNoiseAttack` of foolbox.

  Args:
    key: draws the noise.
    images: float32 in 0..1.
    eps: L2 norm, in units of images in 0..1.

  Raises:
    ValueError: if shapes, ranges or options are wrong.
    TypeError: if types are.
  """
  images = door.pictures(images)
  eps = door.radius(eps, images, norm='l2')
  normal = jax.random.normal(key, images.shape, images.dtype)
  return jnp.clip(images + eps * balls.unit(normal), 0, 1)
