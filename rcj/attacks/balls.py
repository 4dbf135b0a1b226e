"""The balls that perturbations stay in, per image: Linf and L2.

Norms are over the height, width and channels of an image; the images stay
within 0..1 besides.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from rcj.attacks.door import Images, Norm

# Below it a vector has no direction.
TINY = 1e-12
_IMAGE = (1, 2, 3)


def spread(x: Array) -> Array:
  """`[B]` as `[B,1,1,1]`."""
  return x[:, None, None, None]


def size(delta: Images, *, norm: Norm) -> Float[Array, ' B']:
  """Norm of each perturbation."""
  if norm == 'linf':
    return jnp.max(jnp.abs(delta), axis=_IMAGE)
  return jnp.sqrt(jnp.sum(delta**2, axis=_IMAGE))


def unit(delta: Images) -> Images:
  """Each perturbation divided by its L2 norm; nothing stays nothing."""
  return delta / spread(jnp.maximum(size(delta, norm='l2'), TINY))


def steepest(gradient: Images, *, norm: Norm) -> Images:
  """The perturbation of norm 1 along which a linear function grows most."""
  return jnp.sign(gradient) if norm == 'linf' else unit(gradient)


def project(delta: Images, *, eps: Float[Array, ''], norm: Norm) -> Images:
  """The nearest perturbation of at most norm eps."""
  if norm == 'linf':
    return jnp.clip(delta, -eps, eps)
  length = jnp.maximum(size(delta, norm='l2'), TINY)
  return delta * spread(jnp.minimum(1, eps / length))


def moved(
  images: Images, delta: Images, *, eps: Float[Array, ''], norm: Norm
) -> Images:
  """Images with the projected perturbation, within 0..1."""
  return jnp.clip(images + project(delta, eps=eps, norm=norm), 0, 1)


def draw(
  key: Key[Array, ''], images: Images, *, eps: Float[Array, ''], norm: Norm
) -> Images:
  """Perturbations that are uniform in the ball.

  For L2 these are the first n coordinates of a point that is uniform on the
  sphere in n + 2 dimensions: Voelker et al. 2017, "Efficiently sampling vectors
  and coordinates from the n-sphere and n-ball". Of the two others only the sum
  of squares matters, which is exponentially distributed.
  """
  shape, dtype = images.shape, images.dtype
  if norm == 'linf':
    return eps * jax.random.uniform(key, shape, dtype, -1, 1)
  key_normal, key_rest = jax.random.split(key)
  normal = jax.random.normal(key_normal, shape, dtype)
  rest = 2 * jax.random.exponential(key_rest, shape[:1], dtype)
  length = jnp.sqrt(jnp.sum(normal**2, axis=_IMAGE) + rest)
  return eps * normal / spread(length)
