"""Repeating a compiled step."""

from __future__ import annotations

from collections.abc import Callable

import jax
from jaxtyping import Array, Bool

from rcj.types import PyTree


def repeat(
  steps: int,
  step: Callable[[int, PyTree], PyTree],
  state: PyTree,
  arguments: PyTree,
  *,
  done: Callable[[PyTree], Bool[Array, '']] | None = None,
) -> PyTree:
  """`state` after `step(i, state)` for i from 0 to `steps - 1`.

  The host repeats the step, because convolutions with respect to their input
  are three to four times slower inside a loop of XLA:CPU; within a compiled
  function it is a loop of that program.

  Args:
    steps: how often.
    step: a compiled function.
    state: what it changes.
    arguments: what it reads besides.
    done: whether to stop before the next step.
  """
  leaves = jax.tree.leaves((state, arguments))
  if any(isinstance(x, jax.core.Tracer) for x in leaves):
    return _within_a_program(steps, step, state, done)
  for i in range(steps):
    if done is not None and done(state):
      break
    state = step(i, state)
  return state


def _within_a_program(steps, step, state, done) -> PyTree:
  if done is None:
    return jax.lax.fori_loop(0, steps, step, state)
  _, state = jax.lax.while_loop(
    lambda s: (s[0] < steps) & ~done(s[1]),
    lambda s: (s[0] + 1, step(*s)),
    (0, state),
  )
  return state
