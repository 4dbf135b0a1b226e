"""Post-training quantization against that of qwix."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from rcj import data, models, quantize
from rcj import graph as graphs
from rcj.graph import Graph
from rcj.ops import affine
from rcj.types import Frozen, Preprocessing
from rcj.weights import Masked

qwix = pytest.importorskip('qwix')

NODES = (
  graphs.Conv('one', (Graph.INPUT,), 16, 3, bias=True),
  graphs.Relu('one_relu', ('one',)),
  graphs.Conv('two', ('one_relu',), 32, 3, 2, bias=True),
  graphs.Relu('two_relu', ('two',)),
  graphs.MeanPool('mean', ('two_relu',)),
  graphs.Dense('head', ('mean',), 10),
)


class Theirs(nn.Module):
  @nn.compact
  def __call__(self, x):
    around = ((1, 1), (1, 1))
    x = nn.relu(nn.Conv(16, (3, 3), padding=around, name='one')(x))
    two = nn.Conv(32, (3, 3), 2, padding=around, name='two')
    return nn.Dense(10, name='head')(nn.relu(two(x)).mean((1, 2)))


# Its layers add biases of another rank.
@pytest.mark.filterwarnings("ignore:'VariableState' was removed")
@jax.numpy_rank_promotion('allow')
def test_kernels_and_answers_are_those_of_qwix():
  net = models.GraphNet(Graph(NODES, 'head', (), 'mean'))
  params, _ = models.init(jax.random.key(0), net, size=32)
  nowhere = jax.tree.map(lambda _: None, params)
  shown = Preprocessing((0.5,) * 3, (0.5,) * 3, size=32)
  frozen = Frozen(
    *(params, {}, nowhere, nowhere, net, Masked(), shown),
    classes=tuple('0123456789'),
  )
  images = data.load('digits').test.images[:128].astype(np.float32) / 255
  ours = quantize.integers(quantize.quantized(frozen, images))

  rule = qwix.QuantizationRule(weight_qtype=jnp.int8, act_qtype=jnp.int8)
  theirs = qwix.quantize_model(Theirs(), qwix.PtqProvider([rule]))
  views = 2 * images - 1
  abstract = jax.eval_shape(theirs.init, jax.random.key(0), views)['params']
  rounded = qwix.quantize_params(params, abstract)
  for name, own in params.items():
    kernel = rounded[name]['kernel'].array
    # As in torch, the largest weight lies between two integers.
    scale = affine.kernel_scale(own['kernel'], lowest=-128)
    mine = affine.quantize_kernel(own['kernel'], scale, lowest=-128)
    np.testing.assert_allclose(scale, kernel.scale.ravel(), rtol=1e-6)
    inside = np.abs(np.int32(mine)) < 127
    assert inside.mean() > 0.9
    np.testing.assert_array_equal(mine[inside], kernel.qvalue[inside])

  exact = models.predict(frozen, images)
  mine = models.predict(ours, images)
  other = jax.jit(theirs.apply)({'params': rounded}, views)
  spread = np.ptp(exact)
  assert 0 < np.abs(mine - exact).max() < 0.02 * spread
  # Its ranges are symmetric, and of each batch.
  assert np.abs(mine - exact).mean() < 1.5 * np.abs(other - exact).mean()
  top = np.sort(exact, 1)
  clear = top[:, -1] - top[:, -2] > 0.02 * spread
  assert clear.mean() > 0.3
  np.testing.assert_array_equal(
    mine.argmax(1)[clear], np.asarray(other).argmax(1)[clear]
  )
