"""Square: random search with squares, without any gradient.

Andriushchenko et al., "Square Attack: a query-efficient black-box adversarial
attack via random search", 2020, https://arxiv.org/abs/1912.00049.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from rcj.attacks import balls, door, objective, squares_l2, squares_linf
from rcj.attacks.door import Images, Labels, Norm

# Of 10 000 queries, those after which squares become half as large.
_HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
_PROPOSALS = {'linf': squares_linf, 'l2': squares_l2}


def square(
  key: Key[Array, ''],
  predict: door.Predict,
  images: Images,
  labels: Labels,
  *,
  eps: float,
  norm: Norm = 'linf',
  queries: int = 5000,
  area: float = 0.8,
) -> Images:
  """Keeps those random squares that bring an image nearer to another class.

  What is lowered is the margin between the label's logit and the largest other
  one. An image is left alone once it is misclassified, which images that are
  already wrong are at the start. Costs at most `queries` forward passes and one
  for the images themselves; there are no more once all are wrong.

  Args:
    key: draws the squares.
    predict: images in 0..1 to logits; no gradient is taken.
    images: float32 in 0..1.
    labels: classes to get away from.
    eps: radius of the ball, in units of images in 0..1.
    norm: of the ball.
    queries: the budget, stripes at the start included; it stretches the
      schedule by which squares shrink.
    area: of the first squares, as a part of the image; the default is that of
      AutoAttack, the paper's are 0.05 (Linf) and 0.1 (L2).

  Raises:
    ValueError: if shapes, ranges or options are wrong.
    TypeError: if types are.
  """
  predict, images, labels = door.case(predict, images, labels)
  eps = door.radius(eps, images, norm=norm)
  door.fraction('area', area, images)
  queries = door.count('queries', queries)
  sides = _sides(queries, area, images.shape[1:3], _PROPOSALS[norm].LEAST)
  return _run(key, predict, images, labels, sides, eps=eps, norm=norm)


def _sides(
  queries: int, area: float, shape: tuple[int, int], least: int
) -> Int[np.ndarray, ' queries']:
  """Side of the square of each query, in pixels."""
  at = np.arange(queries) * 10_000 // queries
  halvings = np.searchsorted(_HALVED_AFTER, at)
  sides = np.rint(np.sqrt(area * math.prod(shape) / 2.0**halvings))
  return np.clip(sides, min(least, *shape), min(shape)).astype(np.int32)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Search:
  """The best perturbed images, their margins, and whether they are wrong."""

  query: Int[Array, '']
  x: Images
  margin: Float[Array, ' B']
  fooled: Bool[Array, ' B']


@functools.partial(jax.jit, static_argnames='norm')
def _run(key, predict, images, labels, sides, *, eps, norm) -> Images:
  proposals = _PROPOSALS[norm]

  def asked(x):
    logits = objective.logits_of(predict, x)
    return objective.margin(logits, labels), objective.wrong(logits, labels)

  def unfinished(s):
    return (s.query < len(sides)) & ~jnp.all(s.fooled)

  def query(s):
    ours = jax.random.fold_in(key, s.query)
    delta = jax.lax.cond(
      s.query == 0,
      lambda: proposals.first(ours, images, eps=eps),
      lambda: proposals.change(
        ours, s.x - images, side=sides[s.query], eps=eps
      ),
    )
    x = balls.moved(images, delta, eps=eps, norm=norm)
    margin, fooled = asked(x)
    # The first squares are where the search starts, better or not.
    better = (margin < s.margin) | fooled | (s.query == 0)
    keep = ~s.fooled & better
    return _Search(
      query=s.query + 1,
      x=jnp.where(balls.spread(keep), x, s.x),
      margin=jnp.where(keep, margin, s.margin),
      fooled=s.fooled | fooled,
    )

  start = _Search(jnp.int32(0), images, *asked(images))
  return jax.lax.while_loop(unfinished, query, start).x
