"""DeepAugment's distortions of weights, as a list of changes to leaves.

Which leaves change, and how, is drawn in `rcj.augment.edsr_draws` and
`rcj.augment.cae_draws`; here the changes are applied.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float32

Leaf = Float32[np.ndarray, '...']
Op = Literal[
  'reverse', 'times', 'plus', 'gelu', 'convolve', 'rotate', 'largest'
]


@dataclasses.dataclass(frozen=True)
class Change:
  """One leaf becomes another of the same shape.

  Attributes:
    leaf: its name in PyTorch's state dict; kernels are [O,I,H,W].
    op: reverse: the order along an axis. times, plus: a number or array that
      broadcasts. gelu: -gelu(w), as often as the operand says,
      which broadcasts too.
      convolve: the kernels as a batch of images, with kernels [O,I,3,3].
      rotate: (quarter turns, first axis, second axis). largest: zero but for
      the largest tap of each kernel; takes no operand.
    operand: what `op` needs.
  """

  leaf: str
  op: Op
  operand: int | float | tuple[int, int, int] | np.ndarray | None = None


def apply_changes(
  weights: Mapping[str, Leaf], changes: Iterable[Change]
) -> dict[str, Leaf]:
  """The weights after all changes, in order; `weights` stay as they are.

  Raises:
    ValueError: if a leaf does not exist; lists those that do.
  """
  changed = dict(weights)
  for change in changes:
    if change.leaf not in changed:
      raise ValueError(
        f'no leaf {change.leaf!r} to change; there are {", ".join(weights)}'
      )
    new = _OPS[change.op](changed[change.leaf], change.operand)
    changed[change.leaf] = np.asarray(new, np.float32)
  return changed


def _gelu(w: Leaf, times: np.ndarray) -> Leaf:
  for i in range(times.max()):
    w = np.where(times > i, -jax.nn.gelu(w, approximate=False), w)
  return w


def _convolve(w: Leaf, kernel: np.ndarray) -> jax.Array:
  return lax.conv_general_dilated(
    jnp.asarray(w),
    jnp.asarray(kernel, jnp.float32),
    (1, 1),
    ((1, 1), (1, 1)),
    dimension_numbers=('NCHW', 'OIHW', 'NCHW'),
    precision=lax.Precision.HIGHEST,
  )


def _largest(w: Leaf, _: None) -> Leaf:
  taps = w.reshape(*w.shape[:2], -1)
  best = taps.argmax(-1)[..., None]
  kept = np.zeros_like(taps)
  np.put_along_axis(kept, best, np.take_along_axis(taps, best, -1), -1)
  return kept.reshape(w.shape)


_OPS: dict[Op, Callable] = {
  'reverse': np.flip,
  'times': np.multiply,
  'plus': np.add,
  'gelu': _gelu,
  'convolve': _convolve,
  'rotate': lambda w, turn: np.rot90(w, turn[0], turn[1:]),
  'largest': _largest,
}
