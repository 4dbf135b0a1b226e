"""BatchNorm as part of the convolution before it.

Jacob et al., https://arxiv.org/abs/1712.05877, section 3.2; the formulas of
torch/nn/utils/fusion.py.
"""

from __future__ import annotations

import dataclasses

import jax
from jaxtyping import Array, Float

from rcj import graph as graphs
from rcj import tree
from rcj.graph import Graph, Node
from rcj.models.graph_net import GraphNet, nested
from rcj.models.int_net import IntNet
from rcj.models.trace import graph_of
from rcj.types import Frozen
from rcj.weights import Masked, fixed

_Scaling = tuple[Float[Array, ' C'], Float[Array, ' C']]


def folded(frozen: Frozen) -> Frozen:
  """The same network without BatchNorm, its weights the effective ones.

  A BatchNorm that alone reads a convolution becomes part of it; another one
  (pre-activation) becomes a 1x1 depthwise convolution of its name. Masks of
  kernels stay, learned scores become masks, for training on, and an offset is
  masked where scale and bias were; weights hold zeros there.

  Args:
    frozen: any network but one of integers; one without BatchNorm keeps its
      operations, and a `QuantNet` becomes the float network of its weights.

  Raises:
    ValueError: for a network of integers.
  """
  if isinstance(frozen.model, IntNet):
    raise ValueError(
      'a network of integers cannot be folded: it was, before it was rounded'
    )
  frozen = fixed(frozen)
  k = frozen.effective.counts(frozen.scores)
  weights = frozen.effective(frozen.params, frozen.masks, frozen.scores, k)
  graph = graph_of(frozen.model)
  arrays = tree.leaves(weights)
  statistics = tree.leaves(frozen.batch_stats)
  readers = graph.readers()
  nodes, renamed = [], {}
  for node in graph.nodes:
    inputs = tuple(renamed.get(name, name) for name in node.inputs)
    node = dataclasses.replace(node, inputs=inputs)
    if not isinstance(node, graphs.BatchNorm):
      nodes.append(node)
      continue
    scaling = _scaling(node, arrays, statistics)
    before = nodes[-1] if nodes else None
    alone = len(readers[graph.node(node.name).inputs[0]]) == 1
    if alone and _convolves(before) and before.name == inputs[0]:
      nodes[-1] = _merge(before, scaling, arrays)
      renamed[node.name] = before.name
    else:
      nodes.append(_depthwise(node, scaling, arrays))
  return _frozen(frozen, graph, nodes, renamed, arrays)


def _convolves(node: Node | None) -> bool:
  return isinstance(node, (graphs.Conv, graphs.Depthwise))


def _scaling(
  node: graphs.BatchNorm, arrays: dict[str, Array], stats: dict[str, Array]
) -> _Scaling:
  """Factor and offset of each channel; takes the parameters away."""
  mean, var = (stats[f'{node.name}/{part}'] for part in ('mean', 'var'))
  # On the host where the arrays are: nothing is compiled then.
  factor = 1 / var.__array_namespace__().sqrt(var + node.epsilon)
  if not node.affine:
    return factor, -mean * factor
  factor = factor * arrays.pop(f'{node.name}/scale')
  return factor, arrays.pop(f'{node.name}/bias') - mean * factor


def _merge(conv: Node, scaling: _Scaling, arrays: dict[str, Array]) -> Node:
  factor, offset = scaling
  kernel, bias = f'{conv.name}/kernel', f'{conv.name}/bias'
  arrays[kernel] = arrays[kernel] * factor.reshape(1, 1, 1, -1)
  arrays[bias] = arrays.get(bias, 0) * factor + offset
  return dataclasses.replace(conv, bias=True)


def _depthwise(
  node: Node, scaling: _Scaling, arrays: dict[str, Array]
) -> graphs.Depthwise:
  arrays[f'{node.name}/kernel'] = scaling[0].reshape(1, 1, 1, -1)
  arrays[f'{node.name}/bias'] = scaling[1]
  return graphs.Depthwise(node.name, node.inputs, size=1, bias=True)


def _frozen(
  frozen: Frozen,
  graph: Graph,
  nodes: list[Node],
  renamed: dict[str, str],
  arrays: dict[str, Array],
) -> Frozen:
  norms = [n.name for n in graph.nodes if isinstance(n, graphs.BatchNorm)]
  graph = Graph(
    tuple(nodes),
    *(graph.output, tuple(renamed.get(m, m) for m in graph.maps)),
    graph.pooled,
  )
  params = nested(arrays)
  masks = _masks(tree.leaves(frozen.masks), norms, renamed)
  return dataclasses.replace(
    frozen,
    params=params,
    batch_stats={},
    masks=nested({n: masks.get(n) for n in arrays}),
    scores=jax.tree.map(lambda _: None, params),
    model=GraphNet(graph, frozen.model.dtype),
    effective=Masked(),
  )


def _masks(
  known: dict[str, Array], norms: list[str], renamed: dict[str, str]
) -> dict[str, Array]:
  """Masks by leaves of the folded network."""
  found = {n: m for n, m in known.items() if n.rpartition('/')[0] not in norms}
  for norm in norms:
    at, scale = renamed.get(norm, norm), known.get(f'{norm}/scale')
    found.pop(f'{at}/bias', None)
    if scale is None:
      continue
    if at == norm:
      found[f'{norm}/kernel'] = scale.reshape(1, 1, 1, -1)
    if f'{norm}/bias' in known:
      found[f'{at}/bias'] = scale | known[f'{norm}/bias']
  return found
