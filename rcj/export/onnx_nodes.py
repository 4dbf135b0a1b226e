"""The operations of a graph as nodes of ONNX.

Results are `[N, C, H, W]` or `[N, C]`; kernels are transposed to ONNX's order
here and nowhere else.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import onnx

from rcj import graph as graphs
from rcj.graph import Node
from rcj.models.padding import amounts

_END = np.iinfo(np.int64).max


@dataclasses.dataclass
class Writer:
  """Nodes and constants of a file, in the order in which they were added."""

  nodes: list[onnx.NodeProto] = dataclasses.field(default_factory=list)
  constants: list[onnx.TensorProto] = dataclasses.field(default_factory=list)

  def add(
    self, kind: str, inputs: list[str], output: str, **fields: Any
  ) -> str:
    """A node with one output; gives the output's name."""
    self.nodes.append(
      onnx.helper.make_node(kind, inputs, [output], name=output, **fields)
    )
    return output

  def constant(self, name: str, value: np.ndarray) -> str:
    """A constant, and its name."""
    value = np.array(value, order='C')
    self.constants.append(onnx.numpy_helper.from_array(value, name))
    return name


def kernel(node: Node, value: np.ndarray) -> np.ndarray:
  """A kernel in ONNX's order, output channels first."""
  if isinstance(node, graphs.Dense):
    return np.asarray(value).T
  return np.asarray(value).transpose(3, 2, 0, 1)


def operation(
  to: Writer,
  node: Node,
  inputs: list[str],
  output: str,
  side: tuple[int, int],
  *,
  channels: int,
) -> str:
  """Adds one operation on floats, or a `Flatten` of values of any type.

  Args:
    to: gets the nodes.
    node: any but a `PadShortcut`, whose zeros depend on the type, and a
      `BatchNorm`.
    inputs: names of its inputs; behind them kernel and bias, if it has them.
    output: name of the result.
    side: height and width of the first input.
    channels: of the first input.
  """
  match node:
    case graphs.Conv() | graphs.Depthwise():
      (top, bottom), (left, right) = amounts(
        node.padding, side, node.size, node.stride
      )
      return to.add(
        *('Conv', inputs, output),
        kernel_shape=[node.size] * 2,
        strides=[node.stride] * 2,
        pads=[top, left, bottom, right],
        group=channels if isinstance(node, graphs.Depthwise) else 1,
      )
    case graphs.Dense():
      return to.add('Gemm', inputs, output, transB=1)
    case graphs.Relu(maximum=None):
      return to.add('Relu', inputs, output)
    case graphs.Relu():
      limits = (('low', 0), ('high', node.maximum))
      limits = [to.constant(f'{output}/{n}', np.float32(x)) for n, x in limits]
      return to.add('Clip', [*inputs, *limits], output)
    case graphs.Add():
      return to.add('Add', inputs, output)
    case graphs.MaxPool():
      pads = [(node.size - 1) // 2] * 4
      how = {'kernel_shape': [node.size] * 2, 'strides': [2, 2], 'pads': pads}
      return to.add('MaxPool', inputs, output, **how)
    case graphs.Flatten():
      last = f'{output}/channels_last'
      to.add('Transpose', inputs, last, perm=[0, 2, 3, 1])
      return flatten(to, last, output)
    case graphs.MeanPool():
      return to.add('GlobalAveragePool', inputs, output)
  raise ValueError(f'{type(node).__name__} has no form in ONNX')


def flatten(to: Writer, name: str, output: str) -> str:
  """[N, A, B, C] as [N, A * B * C]."""
  return to.add('Flatten', [name], output, axis=1)


def pad_shortcut(
  to: Writer,
  node: graphs.PadShortcut,
  name: str,
  output: str,
  *,
  channels: int,
  zero: np.ndarray,
) -> str:
  """Adds a zero-padded shortcut for values of any type.

  Args:
    to: gets the nodes.
    node: the shortcut.
    name: of its input.
    output: name of the result.
    channels: of the input.
    zero: scalar that stands for 0, of the values' type.
  """
  bounds = {
    'starts': [0, 0],
    'ends': [_END, _END],
    'axes': [2, 3],
    'steps': [node.stride] * 2,
  }
  words = [
    to.constant(f'{output}/{n}', np.array(x, np.int64))
    for n, x in bounds.items()
  ]
  taken = to.add('Slice', [name, *words], f'{output}/strided')
  before = (node.features - channels) // 2
  after = node.features - channels - before
  pads = np.array([0, before, 0, 0, 0, after, 0, 0], np.int64)
  around = to.constant(f'{output}/pads', pads)
  value = to.constant(f'{output}/zero', zero)
  return to.add('Pad', [taken, around, value], output)
