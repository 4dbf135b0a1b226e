"""Networks as ONNX files, in float or in integers.

Input: 'images', float32 `[batch, 3, size, size]`, RGB in 0..1; the file
normalises them itself. Output: 'logits', float32 `[batch, classes]`. What the
network's classes are called and how images become its input is in the file's
metadata.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from etils import epath

from rcj import files, models, tree
from rcj import graph as graphs
from rcj.export import metadata, onnx_nodes
from rcj.export.deployable import deployable
from rcj.export.onnx_integers import Integers
from rcj.export.onnx_nodes import Writer
from rcj.graph import Graph
from rcj.types import Frozen

# Old enough for every runtime in use, new enough for all that is written.
OPSET, IR_VERSION = 17, 8


def save(
  frozen: Frozen, path: epath.PathLike, *, provenance: Any = None
) -> None:
  """Writes a network to a file; arguments are `to_onnx`'s."""
  made = to_onnx(frozen, provenance=provenance)
  files.write_whole(epath.Path(path), made.SerializeToString())


def to_onnx(frozen: Frozen, *, provenance: Any = None) -> onnx.ModelProto:
  """The network as ONNX, checked, of opset 17.

  A network of integers (`models.IntNet`, or a `QuantNet` that becomes one)
  keeps its scales and is written as in `onnx_integers`; any other is written in
  float32, with BatchNorm folded and weights as its masks leave them.

  Args:
    frozen: the network.
    provenance: what JSON can hold, kept in the file's metadata.

  Raises:
    onnx.checker.ValidationError: if the file would break ONNX's rules.
  """
  frozen = deployable(frozen)
  writer = Writer()
  logits = _operations(frozen, writer, _normalised(frozen, writer))
  writer.add('Identity', [logits], 'logits')
  side, float32 = frozen.preprocessing.size, onnx.TensorProto.FLOAT
  describe = onnx.helper.make_tensor_value_info
  body = onnx.helper.make_graph(
    writer.nodes,
    'rcj',
    [describe('images', float32, ['batch', 3, side, side])],
    [describe('logits', float32, ['batch', frozen.model.num_classes])],
    writer.constants,
  )
  made = onnx.helper.make_model(
    body,
    opset_imports=[onnx.helper.make_opsetid('', OPSET)],
    ir_version=IR_VERSION,
    producer_name='rcj',
  )
  onnx.helper.set_model_props(made, metadata.to_json(frozen, provenance))
  onnx.checker.check_model(made, full_check=True)
  return made


def _normalised(frozen: Frozen, to: Writer) -> str:
  """(images - mean) / std.

  Not part of the first convolution: the zeros at its border are those of the
  normalised image.
  """
  how, last = frozen.preprocessing, 'images'
  for kind, name in (('Sub', 'mean'), ('Div', 'std')):
    value = np.array(getattr(how, name), np.float32).reshape(1, 3, 1, 1)
    constant = to.constant(f'preprocessing/{name}', value)
    last = to.add(kind, [last, constant], f'preprocessing/{kind}')
  return last


def _operations(frozen: Frozen, to: Writer, image: str) -> str:
  graph = frozen.model.graph
  arrays, steps = (
    {name: np.asarray(x) for name, x in tree.leaves(part).items()}
    for part in (frozen.params, frozen.batch_stats)
  )
  shapes = graphs.shapes(graph, frozen.preprocessing.size)
  if isinstance(frozen.model, models.IntNet):
    floats = frozen.model.keep_float
    return Integers(to, graph, arrays, steps, shapes, floats).write(image)
  return _floats(graph, arrays, shapes, to, image)


def _floats(
  graph: Graph,
  arrays: dict[str, np.ndarray],
  shapes: dict[str, tuple[int, ...]],
  to: Writer,
  image: str,
) -> str:
  names = {Graph.INPUT: image}
  for node in graph.nodes:
    inputs = [names[name] for name in node.inputs]
    first = shapes[node.inputs[0]]
    if isinstance(node, graphs.PadShortcut):
      names[node.name] = onnx_nodes.pad_shortcut(
        *(to, node, *inputs, node.name),
        channels=first[-1],
        zero=np.float32(0),
      )
      continue
    for name in (f'{node.name}/kernel', f'{node.name}/bias'):
      if name in arrays:
        value = arrays[name]
        if name.endswith('/kernel'):
          value = onnx_nodes.kernel(node, value)
        inputs.append(to.constant(name, value))
    names[node.name] = onnx_nodes.operation(
      *(to, node, inputs, node.name, first[:2]), channels=first[-1]
    )
    if isinstance(node, graphs.MeanPool):
      names[node.name] = onnx_nodes.flatten(
        to, names[node.name], f'{node.name}/flat'
      )
  return names[graph.output]
