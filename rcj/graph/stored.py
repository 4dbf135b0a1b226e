"""Which results of a network exist in memory when it runs in integers."""

from __future__ import annotations

from rcj.graph.nodes import Flatten, MaxPool, MeanPool, PadShortcut, Relu
from rcj.graph.value import Graph


def stored(graph: Graph) -> dict[str, str]:
  """{result that is stored: the one whose scale and zero point it has}.

  A convolution, addition or classifier that only a ReLU reads is one operation
  with it, so that the result between them is never rounded. Pooling by the
  maximum, flattening and zero-padded shortcuts move values about and keep their
  scale. Logits are not stored: they leave the network as floats.

  Args:
    graph: of a folded network, see `models.folded`.
  """
  readers = graph.readers()
  owners = {Graph.INPUT: Graph.INPUT}
  for node in graph.nodes:
    alone = [type(reader) for reader in readers.get(node.name, ())] == [Relu]
    if isinstance(node, (MaxPool, Flatten, PadShortcut)):
      owners[node.name] = owners[node.inputs[0]]
    elif node.name != graph.output and not (
      alone and not isinstance(node, (MeanPool, Relu))
    ):
      owners[node.name] = node.name
  return owners
