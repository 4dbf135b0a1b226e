"""What every attack asks of its arguments, before anything is compiled.

Values are looked at where there are any: inside a compiled function there are
only shapes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Norm = Literal['linf', 'l2']
Images = Float[Array, 'B H W 3']
Labels = Int[Array, ' B']
Predict = Callable[[Images], Float[Array, 'B K']]


def case(
  predict: Predict, images: Any, labels: Any
) -> tuple[jax.tree_util.Partial, Images, Labels]:
  """What is attacked, checked; raises as `network`, `pictures`, `classes`."""
  images = pictures(images)
  return network(predict), images, classes(labels, images)


def network(predict: Predict) -> jax.tree_util.Partial:
  """The function as a pytree, so that weights it binds become arguments.

  Raises:
    TypeError: if `predict` cannot be called, or not be told from another.
  """
  if not callable(predict):
    raise TypeError(
      'predict must be a function from images in 0..1 to logits, not '
      f'{type(predict).__name__}; for a Frozen: '
      'functools.partial(models.predict, frozen)'
    )
  if isinstance(predict, jax.tree_util.Partial):
    return predict
  if isinstance(predict, functools.partial):
    bound = jax.tree.leaves((predict.args, predict.keywords))
    if all(isinstance(x, jax.Array | np.ndarray) for x in bound):
      return jax.tree_util.Partial(
        predict.func, *predict.args, **predict.keywords
      )
  try:
    hash(predict)
  except TypeError:
    raise TypeError(
      f'predict, a {type(predict).__name__}, has no hash, so that it would be '
      'compiled at each call: bind its arrays with functools.partial'
    ) from None
  return jax.tree_util.Partial(predict)


def pictures(images: Any) -> Images:
  """Images as an array.

  Raises:
    ValueError: if they are not `[B,H,W,3]` or not within 0..1.
    TypeError: if they are not float32 or float64.
  """
  images = jnp.asarray(images)
  if images.ndim != 4 or images.shape[-1] != 3 or not images.size:
    raise ValueError(
      f'images must be [B,H,W,3], not {list(images.shape)}; one image needs '
      'images[None], channels come last'
    )
  if images.dtype not in (jnp.float32, jnp.float64):
    raise TypeError(
      f'images must be float32 in 0..1, not {images.dtype}; of uint8 images '
      'these are images / 255'
    )
  if not isinstance(images, jax.core.Tracer):
    with jax.ensure_compile_time_eval():
      low, high = float(jnp.min(images)), float(jnp.max(images))
    if not (low >= 0 and high <= 1):
      raise ValueError(
        f'images must lie in 0..1, these lie in {low:g}..{high:g}; they are '
        'neither 0..255 nor normalised: predict does that'
      )
  return images


def classes(labels: Any, images: Images) -> Labels:
  """Labels as an array.

  Raises:
    ValueError: if there is not one for each image, or one is negative.
    TypeError: if they are not integers.
  """
  labels = jnp.asarray(labels)
  if labels.shape != images.shape[:1]:
    raise ValueError(
      f'labels must be [B] with B = {len(images)} as images, not '
      f'{list(labels.shape)}; of one-hot rows these are argmax(axis=-1)'
    )
  if not jnp.issubdtype(labels.dtype, jnp.integer):
    raise TypeError(f'labels must be integers, not {labels.dtype}')
  if not isinstance(labels, jax.core.Tracer):
    with jax.ensure_compile_time_eval():
      least = int(jnp.min(labels))
    if least < 0:
      raise ValueError(f'labels must be 0 or more, {least} is no class')
  return labels


def radius(eps: Any, images: Images, *, norm: str) -> Float[Array, '']:
  """Radius of the ball, as a scalar of the images' type.

  Raises:
    ValueError: if it is not a number of at least 0, or there is no such norm.
  """
  if norm not in get_args(Norm):
    raise ValueError(f'norm must be one of {get_args(Norm)}, not {norm!r}')
  radius = amount('eps', eps, images)
  if norm == 'linf' and _known(eps, 0) > 1:
    raise ValueError(
      f'eps = {float(eps):g} is more than the whole range 0..1 of a pixel; it '
      'is in units of images in 0..1: 8 grey levels are 8 / 255'
    )
  return radius


def amount(name: str, value: Any, images: Images) -> Float[Array, '']:
  """A scalar of the images' type.

  Raises:
    ValueError: if it is not one number of at least 0.
  """
  if np.shape(value):
    raise ValueError(
      f'{name} must be one number, not {list(np.shape(value))}: call once for '
      'each'
    )
  if not 0 <= _known(value, 0) < np.inf:
    raise ValueError(f'{name} must be finite, 0 or more, not {float(value):g}')
  return jnp.asarray(value, images.dtype)


def fraction(name: str, value: Any, images: Images) -> Float[Array, '']:
  """A scalar in 0..1 of the images' type.

  Raises:
    ValueError: if it is not one number in 0..1.
  """
  result = amount(name, value, images)
  if _known(value, 0) > 1:
    raise ValueError(
      f'{name} must be in 0..1, not {float(value):g}: 5 % are 0.05'
    )
  return result


def _known(value: Any, otherwise: float) -> float:
  """The value, where it is known before the program runs."""
  return otherwise if isinstance(value, jax.core.Tracer) else float(value)


def count(name: str, value: Any) -> int:
  """A whole number of at least 1.

  Raises:
    ValueError: if it is not one.
  """
  whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
  if not (whole and value >= 1):
    raise ValueError(f'{name} must be a whole number, 1 or more, not {value!r}')
  return int(value)
