"""The operations that a finished network consists of, as plain values.

Every network of the registry is made of these few. An operation's name is that
of its result, and the path of its parameters where it has some.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

Padding = Literal['torch', 'tf']


@dataclasses.dataclass(frozen=True)
class Node:
  """One operation.

  Attributes:
    name: of its result.
    inputs: names of results of earlier nodes, or `Graph.INPUT`.
  """

  name: str
  inputs: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Conv(Node):
  """2-D convolution with 'kernel' `[size, size, in, features]`.

  Attributes:
    features: output channels.
    size: side of the kernel, odd.
    stride: of both axes.
    padding: the rule of zeros at the border, as in `models.padding`.
    bias: adds a 'bias' `[features]`.
  """

  features: int
  size: int
  stride: int = 1
  padding: Padding = 'torch'
  bias: bool = False


@dataclasses.dataclass(frozen=True)
class Depthwise(Node):
  """Convolution of each channel with its own 'kernel' `[size, size, 1, C]`.

  Attributes:
    size: side of the kernels, odd.
    stride: of both axes.
    padding: the rule of zeros at the border, as in `models.padding`.
    bias: adds a 'bias' `[C]`.
  """

  size: int
  stride: int = 1
  padding: Padding = 'torch'
  bias: bool = False


@dataclasses.dataclass(frozen=True)
class Dense(Node):
  """x @ 'kernel' `[in, features]`, and + 'bias' `[features]` if `bias`."""

  features: int
  bias: bool = True


@dataclasses.dataclass(frozen=True)
class BatchNorm(Node):
  """(x - mean) / sqrt(var + epsilon), times 'scale', plus 'bias'.

  Attributes:
    affine: has scale and bias.
    epsilon: added to the variance.
  """

  affine: bool = True
  epsilon: float = 1e-5


@dataclasses.dataclass(frozen=True)
class Relu(Node):
  """max(x, 0), and at most `maximum` where that is given."""

  maximum: float | None = None


@dataclasses.dataclass(frozen=True)
class Add(Node):
  """The sum of two results of one shape."""


@dataclasses.dataclass(frozen=True)
class MaxPool(Node):
  """Maximum over windows of stride 2.

  Attributes:
    size: side of a window: 3, with a border of one pixel, or 2, without.
  """

  size: int = 3


@dataclasses.dataclass(frozen=True)
class MeanPool(Node):
  """Mean over all pixels; `[N, H, W, C]` to `[N, C]`."""


@dataclasses.dataclass(frozen=True)
class Flatten(Node):
  """`[N, side, side, C]` to `[N, side * side * C]`, channels fastest."""

  side: int


@dataclasses.dataclass(frozen=True)
class PadShortcut(Node):
  """Every `stride`-th pixel, with channels of zeros around, half before."""

  features: int
  stride: int


OPERATIONS = {
  kind.__name__: kind
  for kind in (
    *(Conv, Depthwise, Dense, BatchNorm, Relu),
    *(Add, MaxPool, MeanPool, Flatten, PadShortcut),
  )
}
# Those that multiply by a kernel.
WEIGHTED = (Conv, Depthwise, Dense)
