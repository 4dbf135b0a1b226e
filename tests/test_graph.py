"""Graphs of networks: the same function, their form in JSON, their costs."""

from __future__ import annotations

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import NARROW, narrow

from rcj import graph as graphs
from rcj import models, tree
from rcj.graph import Graph, Relu


@pytest.fixture(scope='module', params=NARROW)
def frozen(request):
  return narrow(request.param)


@pytest.fixture(scope='module')
def images():
  return jnp.asarray(np.random.RandomState(1).randn(2, 32, 32, 3), jnp.float32)


def test_a_graph_computes_what_its_module_does(frozen, images):
  net = models.GraphNet(models.graph_of(frozen.model))
  variables = {'params': frozen.params, 'batch_stats': frozen.batch_stats}
  for train in (False, True):
    expected = frozen.model.apply(
      variables, images, train=train, mutable=['batch_stats']
    )
    found = net.apply(variables, images, train=train, mutable=['batch_stats'])
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_folding_changes_no_logit_by_more_than_rounding(frozen, images):
  small = models.folded(frozen)
  expected = models.logits(frozen, images)
  assert np.ptp(expected) > 0.01
  np.testing.assert_allclose(
    *(models.logits(small, images), expected),
    atol=1e-5 * np.ptp(expected),
    rtol=0,
  )
  assert not tree.leaves(small.batch_stats)


def test_json_gives_the_same_graph(frozen):
  graph = models.graph_of(frozen.model)
  record = json.loads(json.dumps(graph.to_json()))
  assert graphs.from_json(record) == graph
  spec = json.loads(json.dumps(models.spec(models.GraphNet(graph))))
  assert models.from_spec(spec) == models.GraphNet(graph)
  assert hash(models.from_spec(spec)) == hash(models.GraphNet(graph))


def test_shapes_of_parameters_are_known_without_arrays(frozen):
  graph = models.graph_of(frozen.model)
  expected = {n: x.shape for n, x in tree.leaves(frozen.params).items()}
  assert graphs.parameter_shapes(graph) == expected


@pytest.mark.parametrize(
  ('name', 'expected'),
  # Convolutions and classifier as fvcore and the papers count them.
  [
    ('resnet18', 1_814_073_344),
    ('resnet50', 4_089_184_256),
    ('mobilenet_v2', 300_774_272),
  ],
)
def test_macs(name, expected):
  module = models.create(name, num_classes=1000)
  assert graphs.macs(models.graph_of(module), 224) == expected


def test_masks_of_kernels_survive_folding():
  frozen = narrow('resnet8')
  alive = tree.map_named(
    lambda n, w: w > 0 if n.endswith('kernel') else None, frozen.params
  )
  small = models.folded(dataclasses.replace(frozen, masks=alive))
  for name, mask in tree.leaves(small.masks).items():
    kernel = tree.leaves(small.params)[name]
    np.testing.assert_array_equal(kernel != 0, mask)


def broken(**changes):
  graph = models.graph_of(models.create('resnet8', num_classes=2))
  return {**graph.to_json(), **changes}


def changed(**fields):
  record = broken()
  record['nodes'][0] = {**record['nodes'][0], **fields}
  return record


@pytest.mark.parametrize(
  ('record', 'message'),
  [
    ({}, 'describes no network'),
    (broken(output='elsewhere'), 'must be a Dense'),
    (broken(maps=['elsewhere']), 'elsewhere'),
    (changed(op='Softmax'), 'unknown operation'),
    (changed(inputs=['later']), 'made later'),
    (changed(inputs=['image', 'image']), 'takes 1 inputs'),
    (changed(stride=0), 'at least 1'),
    (changed(features=True), 'at least 1'),
    (changed(colour='red'), 'describes no network'),
  ],
)
def test_records_of_no_network_are_refused(record, message):
  with pytest.raises(ValueError, match=message):
    graphs.from_json(record)


def test_shapes_that_do_not_fit_are_refused():
  graph = models.graph_of(models.create('resnet8', num_classes=2))
  nodes = list(graph.nodes)
  where = next(i for i, n in enumerate(nodes) if isinstance(n, graphs.Add))
  nodes[where] = dataclasses.replace(
    nodes[where], inputs=(nodes[where].inputs[0], Graph.INPUT)
  )
  odd = dataclasses.replace(graph, nodes=tuple(nodes))
  with pytest.raises(ValueError, match='adds shapes'):
    graphs.shapes(odd, 32)


def test_an_activation_may_be_the_feature_of_the_classifier():
  """A graph needs no pooling: (C,) goes through a ReLU."""
  nodes = (
    graphs.MeanPool('pooled', (Graph.INPUT,)),
    Relu('active', ('pooled',)),
    graphs.Dense('head', ('active',), 4),
  )
  graph = Graph(nodes, 'head', (), 'active')
  net = models.GraphNet(graph)
  params, _ = models.init(jax.random.key(0), net, size=8)
  images = jnp.ones((2, 8, 8, 3))
  logits, maps, pooled = net.apply({'params': params}, images, train=False)
  assert (logits.shape, maps, pooled.shape) == ((2, 4), (), (2, 3))
