"""A network of integers as ONNX with QuantizeLinear and DequantizeLinear.

Each stored result is a uint8 tensor; between two of them stand operations on
floats with a DequantizeLinear on every input, the pattern that onnxruntime,
OpenVINO and TensorRT turn into integer kernels. The scales are those of the
network, so that the integers in between are the same, up to the runtime's
rounding of ties.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rcj import graph as graphs
from rcj.export import onnx_nodes
from rcj.export.onnx_nodes import Writer
from rcj.graph import Graph, Node, Relu

# Leaves room for the sum of products beside the bias.
_LARGEST_BIAS = 2**30


class Integers:
  """Writes a network's operations.

  Attributes:
    to: gets nodes and constants.
    graph: the operations, folded.
    arrays: {path: array}: kernels, their scales, and biases.
    steps: {path: array}: 'scale' and 'zero' of each result with its own.
    shapes: {name: (H, W, C) or (C,)} of results.
    floats: names of nodes that are computed in float.
  """

  def __init__(
    self,
    to: Writer,
    graph: Graph,
    arrays: Mapping[str, np.ndarray],
    steps: Mapping[str, np.ndarray],
    shapes: Mapping[str, tuple[int, ...]],
    floats: tuple[str, ...],
  ):
    """Nothing is written yet."""
    self.to, self.graph, self.arrays, self.steps = to, graph, arrays, steps
    self.shapes, self.floats = shapes, frozenset(floats)
    self._owners = graphs.stored(graph)
    self._integers, self._floats = {}, {}

  def write(self, image: str) -> str:
    """All operations, on the normalised image; gives the logits' name."""
    self._store(Graph.INPUT, image)
    for node in self.graph.nodes:
      if isinstance(node, graphs.PadShortcut):
        self._pad(node)
      elif isinstance(node, graphs.Flatten):
        self._flatten(node)
      else:
        self._operation(node)
    return self._floats[self.graph.output]

  def _operation(self, node: Node) -> None:
    inputs = [
      self._read(name, f'{node.name}/input{i}')
      for i, name in enumerate(node.inputs)
    ]
    if self._implied(node):
      result = inputs[0]
    else:
      if isinstance(node, graphs.WEIGHTED):
        inputs += self._weights(node)
      first = self.shapes[node.inputs[0]]
      result = onnx_nodes.operation(
        *(self.to, node, inputs, node.name, first[:2]), channels=first[-1]
      )
      if node.name in self.floats:
        result = self._shielded(result)
    self._floats[node.name] = result
    if node.name in self._owners:
      self._store(node.name, result)
    if isinstance(node, graphs.MeanPool):
      self._integers[node.name] = onnx_nodes.flatten(
        self.to, self._integers[node.name], f'{node.name}/flat'
      )

  def _shielded(self, result: str) -> str:
    """The same numbers, not as the direct result of a kernel.

    onnxruntime rounds any kernel between a DequantizeLinear and a
    QuantizeLinear to integers, those that are to stay floats too.
    """
    name = f'{result}/floats'
    least = np.finfo(np.float32).min
    least = self.to.constant(f'{name}/least', np.float32(least))
    return self.to.add('Max', [result, least], name)

  def _implied(self, node: Node) -> bool:
    """Whether what is stored cannot lie outside the ReLU's range anyway."""
    if not isinstance(node, Relu) or node.name not in self._owners:
      return False
    scale, zero = self._affine(node.name)
    below = node.maximum is None or node.maximum / scale > 254.5 - zero
    return int(zero) == 0 and below

  def _affine(self, name: str) -> tuple[np.float32, np.uint8]:
    owner = self._owners[name]
    scale, zero = (self.steps[f'{owner}/{n}'] for n in ('scale', 'zero'))
    return np.float32(scale), np.uint8(zero)

  def _parameters(self, name: str, output: str) -> list[str]:
    scale, zero = self._affine(name)
    return [
      self.to.constant(f'{output}/scale', scale),
      self.to.constant(f'{output}/zero', zero),
    ]

  def _store(self, name: str, floats: str) -> None:
    stored = f'{name}/stored'
    words = self._parameters(name, stored)
    self._integers[name] = self.to.add(
      'QuantizeLinear', [floats, *words], stored
    )

  def _read(self, name: str, output: str) -> str:
    """Floats of a result; each reader has its DequantizeLinear."""
    if name not in self._integers:
      return self._floats[name]
    words = self._parameters(name, output)
    return self.to.add(
      'DequantizeLinear', [self._integers[name], *words], output
    )

  def _weights(self, node: Node) -> list[str]:
    kernel, bias = (
      self.arrays.get(f'{node.name}/{n}') for n in ('kernel', 'bias')
    )
    kernel = onnx_nodes.kernel(node, kernel)
    if node.name in self.floats:
      both = {'kernel': kernel, 'bias': bias}
      return [
        self.to.constant(f'{node.name}/{n}', x)
        for n, x in both.items()
        if x is not None
      ]
    scale = np.asarray(self.arrays[f'{node.name}/scale'], np.float32)
    step = self._affine(node.inputs[0])[0]
    kernel, scale = fitted(kernel, scale, bias, step)
    steps = step * scale
    bias = np.rint(np.asarray(bias, np.float64) / steps).astype(np.int32)
    both = {'kernel': (kernel, scale), 'bias': (bias, steps)}
    return [self._constant(f'{node.name}/{n}', *x) for n, x in both.items()]

  def _constant(self, name: str, value: np.ndarray, scale: np.ndarray) -> str:
    words = [
      self.to.constant(f'{name}/integers', value),
      self.to.constant(f'{name}/scale', scale),
    ]
    if value.dtype == np.int8:
      words.append(self.to.constant(f'{name}/zero', np.zeros_like(scale, 'i1')))
    return self.to.add('DequantizeLinear', words, name, axis=0)

  def _flatten(self, node: graphs.Flatten) -> None:
    (name,) = node.inputs
    side, channels = self.shapes[name][:2], self.shapes[name][-1]
    self._integers[node.name] = onnx_nodes.operation(
      *(self.to, node, [self._integers[name]], f'{node.name}/stored', side),
      channels=channels,
    )

  def _pad(self, node: graphs.PadShortcut) -> None:
    name = node.inputs[0]
    self._integers[node.name] = onnx_nodes.pad_shortcut(
      *(self.to, node, self._integers[name], f'{node.name}/stored'),
      channels=self.shapes[name][-1],
      zero=self._affine(node.name)[1],
    )


def fitted(
  kernel: np.ndarray, scale: np.ndarray, bias: np.ndarray, step: np.float32
) -> tuple[np.ndarray, np.ndarray]:
  """Weights whose bias fits in 32 bits, in steps of `step * scale`.

  Where almost nothing is left of a channel's weights, its scale is tiny and its
  bias, counted in steps, huge. Such a channel gets a larger scale.

  Args:
    kernel: int8, output channels first.
    scale: float32[C].
    bias: float32[C].
    step: scale of the input.
  """
  least = np.abs(bias) / (np.float64(step) * _LARGEST_BIAS)
  larger = np.maximum(scale, least).astype(np.float32)
  factor = (scale / larger).reshape(-1, *(1,) * (kernel.ndim - 1))
  return np.rint(kernel * factor).astype(np.int8), larger
