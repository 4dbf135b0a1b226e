"""How many zeros a convolution adds around an image."""

from __future__ import annotations

from typing import Literal

Padding = Literal['torch', 'tf']
Amounts = tuple[tuple[int, int], tuple[int, int]]


def amounts(
  padding: Padding, sides: tuple[int, int], size: int, stride: int
) -> Amounts:
  """Zeros before and after each axis.

  'torch' adds `size // 2` on every side. 'tf' is TensorFlow's 'SAME': just
  enough for ceil(side / stride) outputs, the odd one behind. They differ where
  the stride is 2 and the side even.

  Args:
    padding: the rule.
    sides: height and width of the image.
    size: side of the kernel, odd.
    stride: of both axes.
  """
  if padding == 'torch':
    return ((size // 2, size // 2),) * 2
  return tuple(_same(side, size, stride) for side in sides)


def _same(side: int, size: int, stride: int) -> tuple[int, int]:
  last = (side - 1) // stride * stride
  total = max(last + size - side, 0)
  return total // 2, total - total // 2
