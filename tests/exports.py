"""Small networks of every family and method, and which export shows which.

Each family meets each method, and both meet each export: 20 cases.
"""

from __future__ import annotations

import dataclasses
import functools

import jax.numpy as jnp
import networks
import numpy as np

from rcj import models, quantize, shrink, tree
from rcj.models.mobile import MobileNet
from rcj.types import Frozen, Preprocessing
from rcj.weights import Hydra, Masked

EXPORTS = ('artifact', 'stablehlo', 'onnx')
# The stems, shortcuts, kinds of layer and orders of layers that there are.
FAMILIES = {
  'resnet18': lambda: models.create('resnet18', num_classes=5, width=0.1),
  'resnet20': lambda: models.create('resnet20', num_classes=5, width=0.25),
  'mobile': lambda: MobileNet(networks.SMALL_MOBILE['relu6'], 5, padding='tf'),
  'wide': lambda: models.create('wide_resnet18_2', num_classes=5, width=0.05),
}
SHOWN = Preprocessing((0.5, 0.4, 0.3), (0.25, 0.2, 0.3), size=32)


def images(n=4, seed=1):
  """float32 `[n, 32, 32, 3]` in 0..1."""
  rs = np.random.RandomState(seed)
  return jnp.asarray(rs.rand(n, 32, 32, 3), jnp.float32)


def dense(family):
  """No special values such as 0 and 1 in weights or statistics."""
  module = FAMILIES[family]()
  params, stats = networks.random_network(module)
  nowhere = tree.map_named(lambda *_: None, params)
  return Frozen(
    params, stats, nowhere, nowhere, module, Masked(), SHOWN, tuple('abcde')
  )


def _masked(frozen, density=0.3):
  rs = np.random.RandomState(2)

  def leaf(name, w):
    kernel = name.endswith('kernel')
    return jnp.asarray(rs.rand(*w.shape) < density) if kernel else None

  masks = tree.map_named(leaf, frozen.params)
  return dataclasses.replace(frozen, masks=masks)


def _shrunk(frozen):
  """Every second filter of each group is removed."""
  known, alive = tree.leaves(frozen.params), {}
  for group in models.channel_groups(frozen.model):
    for name in (*group.kernels, *group.followers):
      shape = known[name].shape
      kept = np.arange(shape[-1]) % 2 == 0
      alive[name] = jnp.asarray(kept.reshape((1,) * (len(shape) - 1) + (-1,)))
  masks = tree.map_named(lambda n, _: alive.get(n), frozen.params)
  return shrink.shrink(dataclasses.replace(frozen, masks=masks))


def _hydra(frozen):
  rs = np.random.RandomState(3)

  def leaf(name, w):
    kernel = name.endswith('kernel')
    return jnp.asarray(rs.randn(*w.shape), jnp.float32) if kernel else None

  scores = tree.map_named(leaf, frozen.params)
  return dataclasses.replace(frozen, scores=scores, effective=Hydra(0.3))


def _int8(frozen):
  """Integers of a sparse network whose stem stays in floats."""
  return quantize.quantized(_masked(frozen), images(), keep_float=['conv_stem'])


METHODS = {
  'dense': lambda frozen: frozen,
  'masked': _masked,
  'shrunk': _shrunk,
  'hydra': _hydra,
  'int8': _int8,
}
CASES = tuple(
  (family, method, EXPORTS[(i + j) % len(EXPORTS)])
  for i, family in enumerate(FAMILIES)
  for j, method in enumerate(METHODS)
)


def cases(export):
  """(family, method) that an export shows."""
  return [(f, m) for f, m, e in CASES if e == export]


@functools.cache
def network(family, method) -> Frozen:
  """A network of 5 classes."""
  return METHODS[method](dense(family))
