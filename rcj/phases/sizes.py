"""How much is left, as phases are asked for it."""

from __future__ import annotations

from rcj import size, tree
from rcj.carry import Carry, Env, frozen
from rcj.phases.measuring import dense_parameters
from rcj.types import Masks


def check_sizes(phase: str, **sizes: float | None) -> None:
  """Raises ValueError unless exactly one size is given, and in its range."""
  given = {name: x for name, x in sizes.items() if x is not None}
  if len(given) != 1:
    raise ValueError(
      f'{phase} wants exactly one of {", ".join(sizes)}, got {given or "none"}'
    )
  ((name, x),) = given.items()
  inside, means = {
    'density': (0 < x <= 1, 'the fraction kept, in (0, 1]'),
    'rate': (0 <= x < 1, 'the fraction removed, in [0, 1)'),
    'ratio': (x >= 1, 'all parameters over those left, at least 1'),
    'nonzero': (x >= 1, 'a number of parameters, at least 1'),
  }[name]
  if not inside:
    raise ValueError(f'{name} is {means}, not {x}')


def ratio_left(carry: Carry, ratio: float | None, nonzero: int | None) -> float:
  """Current parameters over those to be left; `ratio` is of all channels."""
  own = size.total(carry.state.params)
  if nonzero is not None:
    return own / nonzero
  return ratio * (own / dense_parameters(frozen(carry, ())))


def warn_of_lost_layers(env: Env, masks: Masks) -> None:
  """Names layers that would have become empty, and kept one weight."""
  left = {n: int(m.sum()) for n, m in tree.leaves(masks).items() if m.size > 1}
  if lost := [name for name, count in left.items() if count <= 1]:
    env.journal.say(
      f'warning: of {", ".join(lost)} one weight is left, which passes nearly '
      "nothing on; a higher density or scope='layer' keeps more"
    )
