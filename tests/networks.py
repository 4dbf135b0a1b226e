"""Networks with random weights for tests, none of them trained."""

from __future__ import annotations

import json
import math

import jax
import jax.numpy as jnp
import numpy as np

from rcj import graph, models, tree
from rcj.models.mobile_plan import Architecture, Row
from rcj.types import Frozen
from rcj.weights import Masked

# Every kind of block of the mobile networks, without their depth.
SMALL_MOBILE = {
  'relu6': Architecture(
    'relu6',
    (
      (Row(16, 1, stride=1, expansion=1), Row(24, 2, stride=2, expansion=6)),
      (Row(32, 1, stride=2, expansion=6),),
    ),
    activation='relu6',
    wide_last=True,
    last_features=64,
  ),
  'relu': Architecture(
    'relu',
    (
      (Row(16, 1, 1, expansion=1, skip=False), Row(24, 2, 2, expansion=3)),
      (Row(40, 1, stride=2, expansion=3, size=5),),
    ),
    activation='relu',
    scale=0.5,
    last_features=64,
  ),
}

# Networks by name, narrow, but of every family, shortcut and padding.
NARROW = {
  'resnet18': {'width': 0.1},
  'resnet50': {'width': 0.05, 'stem': 'cifar'},
  'resnet8': {'width': 0.25},
  'resnet20': {'width': 0.5},
  'mobilenet_v2': {'width': 0.1, 'padding': 'tf'},
  'mnasnet0_5': {'width': 0.1},
  'wide_resnet28_10': {'width': 0.05},
  'wide_resnet18_2': {'width': 0.05},
  'conv4': {'width': 1 / 16},
}


def two_layers(dtype=jnp.float32):
  """Two convolutions with BatchNorm: for what holds of every network."""
  nodes = (
    graph.Conv('one', (graph.Graph.INPUT,), 8, 3),
    graph.BatchNorm('bn_one', ('one',)),
    graph.Relu('relu_one', ('bn_one',)),
    graph.Conv('two', ('relu_one',), 16, 3, stride=2),
    graph.BatchNorm('bn_two', ('two',)),
    graph.Relu('relu_two', ('bn_two',)),
    graph.MeanPool('pooled', ('relu_two',)),
    graph.Dense('head', ('pooled',), 10),
  )
  maps = ('relu_one', 'relu_two')
  return models.GraphNet(graph.Graph(nodes, 'head', maps, 'pooled'), dtype)


def draw(z: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
  """The state dict of torchvision that a golden file describes."""
  rs = np.random.RandomState(int(z['seed']))
  state = {}
  for key, text in zip(z['keys'].tolist(), z['shapes'].tolist(), strict=True):
    shape = json.loads(text)
    if key.endswith('num_batches_tracked'):
      x = np.zeros(shape)
    elif key.endswith('running_var'):
      x = rs.uniform(0.5, 1.5, shape)
    elif len(shape) == 1 and key.endswith('.weight'):
      x = rs.uniform(0.25, 0.75, shape)
    elif len(shape) == 1:
      x = rs.standard_normal(shape) * 0.1
    else:
      x = rs.standard_normal(shape) * np.sqrt(1 / np.prod(shape[1:]))
    state[key] = np.asarray(x, np.float32)
  return state


def golden_images(z: dict[str, np.ndarray]) -> np.ndarray:
  """The NHWC input whose logits a golden file holds."""
  rs = np.random.RandomState(int(z['seed']) + 1)
  size = int(z['size'])
  x = rs.standard_normal((int(z['batch']), 3, size, size))
  return x.astype(np.float32).transpose(0, 2, 3, 1)


def shapes(module, size=32):
  """Shapes of parameters and statistics, without computing them."""
  return jax.eval_shape(
    lambda key: models.init(key, module, size=size), jax.random.key(0)
  )


def size_of(params) -> int:
  """Number of parameters."""
  return sum(math.prod(x.shape) for x in jax.tree.leaves(params))


def narrow(name, seed=0, **options):
  """One of `NARROW`, as it is used, with no special values in it."""
  module = models.create(name, num_classes=5, **(NARROW[name] | options))
  return frozen_of(module, seed)


def frozen_of(module, seed=0):
  """A dense network of five classes, with no special values in it."""
  params, batch_stats = random_network(module, seed, offsets=0.5)
  nowhere = jax.tree.map(lambda _: None, params)
  how = models.preprocessing('resnet8')
  return Frozen(
    *(params, batch_stats, nowhere, nowhere),
    *(module, Masked(), how, tuple('abcde')),
  )


def random_network(module, seed=0, *, offsets=0.2):
  """Parameters and statistics with no special values such as 0 and 1.

  `offsets` is the standard deviation of biases and means.
  """
  rs = np.random.RandomState(seed)

  def leaf(name, x):
    if name.endswith(('var', 'scale')):
      return jnp.asarray(rs.uniform(0.5, 1.5, x.shape), jnp.float32)
    std = math.prod(x.shape[:-1]) ** -0.5 if len(x.shape) > 1 else offsets
    return jnp.asarray(rs.standard_normal(x.shape) * std, jnp.float32)

  params, batch_stats = shapes(module)
  return tree.map_named(leaf, params), tree.map_named(leaf, batch_stats)
