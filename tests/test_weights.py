import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import masks, weights
from rcj import scores as scores_lib


def layer(g, name):
  """Params, function (weights, input) -> output, and layout changers."""
  if name == 'dense':

    def to_flax(w):
      return jnp.asarray(w.T)

    def forward(w, x):
      return x @ w + g['dense_b'][None]

    return to_flax, forward
  stride, pad, groups = (
    int(g[f'{name}_{a}']) for a in ('stride', 'pad', 'groups')
  )

  def forward(w, x):
    y = jax.lax.conv_general_dilated(
      x,
      w,
      (stride, stride),
      [(pad, pad)] * 2,
      feature_group_count=groups,
      dimension_numbers=('NCHW', 'HWIO', 'NCHW'),
    )
    return y + g[f'{name}_b'][None, :, None, None]

  return (lambda w: jnp.asarray(w.transpose(2, 3, 1, 0))), forward


@pytest.mark.parametrize('name', ['conv', 'dw', 'dense'])
def test_hydra_equals_the_reference(golden, name):
  g = golden('compress/hydra')
  to_flax, forward = layer(g, name)
  params = {'kernel': to_flax(g[f'{name}_w'])}
  none = {'kernel': None}

  @jax.jit
  def run(params, scores, k):
    def loss(params, scores):
      w = weights.hydra(params, none, scores, k)['kernel']
      y = forward(w, g[f'{name}_x'])
      return jnp.sum(y * g[f'{name}_upstream']), (y, w)

    return jax.grad(loss, (0, 1), has_aux=True)(params, scores)

  init = scores_lib.scaled_init(params, masks.eligible(params))
  trained = {'kernel': to_flax(g[f'{name}_scores'])}
  for density in g['ks']:
    k = weights.Hydra(float(density)).counts(trained)
    pre = f'{name}_k{density}_'
    _, (_, w) = run(params, init, k)
    np.testing.assert_array_equal(w != 0, to_flax(g[f'{pre}init_mask']))
    (grad_w, grad_s), (y, w) = run(params, trained, k)
    np.testing.assert_array_equal(w != 0, to_flax(g[f'{pre}trained_mask']))
    close(y, g[f'{pre}trained_out'])
    close(grad_s['kernel'], to_flax(g[f'{pre}trained_grad_scores']))
    close(grad_w['kernel'], to_flax(g[f'{pre}finetune_grad_w']))


def close(result, expected):
  scale = np.abs(expected).max()
  np.testing.assert_allclose(result / scale, expected / scale, atol=1e-5)


PARAMS = {
  'conv': {'kernel': jnp.arange(1.0, 9).reshape(1, 1, 2, 4)},
  'fc': {'kernel': jnp.arange(1.0, 7).reshape(3, 2), 'bias': jnp.ones(2)},
}
NONE = jax.tree.map(lambda _: None, PARAMS)


def test_hydra_leaves_other_leaves_alone_and_keeps_one_weight():
  scores = {'conv': {'kernel': jnp.ones((1, 1, 2, 4))}, 'fc': NONE['fc']}
  effective = weights.Hydra(0.01)
  k = effective.counts(scores)
  result = effective(PARAMS, NONE, scores, k)
  assert int((result['conv']['kernel'] != 0).sum()) == 1
  np.testing.assert_array_equal(result['fc']['bias'], 1)
  np.testing.assert_array_equal(result['fc']['kernel'], PARAMS['fc']['kernel'])


def test_hydra_scores_of_zero_and_dormant_weights_get_no_gradient():
  scores = {'kernel': jnp.asarray([[-3.0, 0.0], [2.0, 1.0]])}
  params = {'kernel': jnp.asarray([[1.0, 2.0], [3.0, 4.0]])}
  mask = {'kernel': jnp.asarray([[True, True], [False, True]])}
  grad_w, grad_s = jax.grad(
    lambda w, s: jnp.sum(weights.hydra(w, mask, s, jnp.int32(2))['kernel']),
    (0, 1),
  )(params, scores)
  # sign(s) * w, dense but for the zero score and the masked weight.
  np.testing.assert_array_equal(grad_s['kernel'], [[-1, 0], [0, 4]])
  # The two largest |s| are kept; one of them is masked.
  np.testing.assert_array_equal(grad_w['kernel'], [[1, 0], [0, 0]])


def test_hydra_counts_need_shapes_only():
  shapes = {
    'a': jax.ShapeDtypeStruct((10, 100), jnp.float32),
    'b': None,
    'c': jax.ShapeDtypeStruct((7,), jnp.float32),
  }
  # int(0.1 * 1000) is 99 in float64, because 1 - 0.9 is below 0.1.
  layer = weights.Hydra(0.9).counts(shapes)
  assert layer.dtype == np.int32
  np.testing.assert_array_equal(layer, [1000 - 99, 7 - 0])
  assert weights.Hydra(0.5, scope='global').counts(shapes) == 1007 - 503


def test_a_new_density_does_not_compile_again():
  scores = {'kernel': jnp.arange(64.0).reshape(8, 8)}
  step = jax.jit(lambda s, k: weights.hydra(s, {'kernel': None}, s, k))
  for density in (0.5, 0.25, 0.125):
    k = weights.Hydra(density).counts(scores)
    result = step(scores, k)['kernel']
    assert int((result != 0).sum()) == int(64 * density)
  assert step._cache_size() == 1


def test_masked_is_apply():
  mask = {**NONE, 'conv': {'kernel': jnp.eye(2, 4, dtype=bool)[None, None]}}
  effective = weights.Masked()
  assert effective.counts(NONE) is None
  result = effective(PARAMS, mask, NONE, None)
  np.testing.assert_array_equal(
    result['conv']['kernel'][0, 0], [[1, 0, 0, 0], [0, 6, 0, 0]]
  )
  np.testing.assert_array_equal(result['fc']['kernel'], PARAMS['fc']['kernel'])
