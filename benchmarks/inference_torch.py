"""ONNX files of rcj, in float, as PyTorch; for benchmarks/inference.py."""

import functools

import numpy as np
import onnx
import torch
from torch.nn import functional


def convolve(x, kernel, bias=None, *, strides, pads, group, kernel_shape):
  """Conv with equal zeros on opposite sides."""
  del kernel_shape
  assert pads[:2] == pads[2:], pads
  return functional.conv2d(x, kernel, bias, strides, pads[:2], groups=group)


def max_pool(x, *, kernel_shape, strides, pads):
  """MaxPool with equal borders."""
  return functional.max_pool2d(x, kernel_shape, strides, pads[:2])


def gemm(x, kernel, bias=None, *, transB):
  """Gemm of the transposed kernel."""
  assert transB == 1
  return functional.linear(x, kernel, bias)


OPERATIONS = {
  'Sub': torch.sub,
  'Div': torch.div,
  'Conv': convolve,
  'Relu': torch.relu,
  'Clip': torch.clamp,
  'Add': torch.add,
  'MaxPool': max_pool,
  'GlobalAveragePool': functools.partial(torch.mean, dim=(2, 3), keepdim=True),
  'Flatten': lambda x, *, axis: x.flatten(axis),
  'Gemm': gemm,
  'Identity': lambda x: x,
}


class Network(torch.nn.Module):
  """The nodes of a file, one after the other."""

  def __init__(self, path: str):
    """Reads the file; KeyError names an operation that is not known."""
    super().__init__()
    graph = onnx.load(path).graph
    self._places = {}
    for i, tensor in enumerate(graph.initializer):
      # A copy: arrays of a file cannot be written to.
      value = np.array(onnx.numpy_helper.to_array(tensor))
      self.register_buffer(f'constant{i}', torch.from_numpy(value))
      self._places[tensor.name] = f'constant{i}'
    self._nodes = [
      (OPERATIONS[n.op_type], list(n.input), n.output[0], attributes(n))
      for n in graph.node
    ]
    self._input, self._output = graph.input[0].name, graph.output[0].name

  def forward(self, images: torch.Tensor) -> torch.Tensor:
    """[N, 3, H, W] to logits."""
    values = {n: getattr(self, place) for n, place in self._places.items()}
    values[self._input] = images
    for operation, inputs, output, fields in self._nodes:
      values[output] = operation(*(values[n] for n in inputs), **fields)
    return values[self._output]


def attributes(node: onnx.NodeProto) -> dict:
  """{name: value} of a node."""
  return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
