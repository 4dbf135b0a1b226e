"""Edge-popup and biprop against the references, run on the same numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import initial, masks, phases, scores, weights
from rcj.types import Frozen


def to_flax(w):
  return jnp.asarray(w.transpose(2, 3, 1, 0))


def convolve(w, x, pad):
  return jax.lax.conv_general_dilated(
    jnp.asarray(x),
    w,
    (1, 1),
    [(pad, pad)] * 2,
    dimension_numbers=('NCHW', 'HWIO', 'NCHW'),
  )


def close(result, expected, tolerance=1e-5):
  scale = np.abs(expected).max()
  np.testing.assert_allclose(
    np.asarray(result) / scale, expected / scale, atol=tolerance
  )


@pytest.mark.parametrize('scaled', [False, True])
def test_signed_constant_equals_hidden_networks(golden, scaled):
  g = golden('compress/edge_popup')
  params = {'kernel': to_flax(g['w_raw'])}
  # The reference scales by 1 - k although k is what it keeps.
  density = 1 - float(g['k']) if scaled else 1.0
  made = initial.signed_constant(
    params, masks.eligible(params), density=density
  )
  name = 'w_signed_constant_scale_fan' if scaled else 'w_signed_constant'
  np.testing.assert_allclose(made['kernel'], to_flax(g[name]), rtol=1e-6)


def test_edge_popup_learns_as_hidden_networks(golden):
  """Four steps of SGD with momentum and weight decay on the scores."""
  g = golden('compress/edge_popup')
  params = {'kernel': to_flax(g['w_signed_constant'])}
  none, target = {'kernel': None}, g['target']
  s = {'kernel': to_flax(g['scores0'])}
  k = weights.Hydra(float(g['k'])).counts(s)

  @jax.jit
  def gradients(s):
    def loss(s):
      w = weights.edge_popup(params, none, s, k)['kernel']
      y = convolve(w, g['x'], 1)
      return 0.5 * jnp.sum((y - target) ** 2) / len(y), (y, w)

    return jax.value_and_grad(loss, has_aux=True)(s)

  momentum = None
  for step in range(4):
    close(s['kernel'], to_flax(g[f't{step}_scores']))
    (loss, (y, w)), grad = gradients(s)
    np.testing.assert_array_equal(w != 0, to_flax(g[f't{step}_mask']))
    close(y, g[f't{step}_out'])
    np.testing.assert_allclose(loss, g[f't{step}_loss'], rtol=1e-5)
    close(grad['kernel'], to_flax(g[f't{step}_grad_scores']))
    grad = grad['kernel'] + float(g['weight_decay']) * s['kernel']
    momentum = grad if step == 0 else float(g['momentum']) * momentum + grad
    s = {'kernel': s['kernel'] - float(g['lr']) * momentum}
  close(s['kernel'], to_flax(g['t4_scores']))


@pytest.mark.parametrize('density', [0.5, 0.2, 0.05])
@pytest.mark.parametrize('scope', ['layer', 'global'])
def test_biprop_equals_the_reference(golden, scope, density):
  g = golden('compress/biprop')
  layers = range(int(g['n_layers']))
  params = {str(i): {'kernel': to_flax(g[f'l{i}_w'])} for i in layers}
  none = jax.tree.map(lambda _: None, params)
  s = {str(i): {'kernel': to_flax(g[f'l{i}_scores'])} for i in layers}
  k = weights.Biprop(density, scope).counts(s)

  @jax.jit
  def run(params, s):
    def loss(params, s):
      w = weights.biprop(params, none, s, k, strict=True)
      out = [
        convolve(w[str(i)]['kernel'], g[f'l{i}_x'], int(g[f'l{i}_pad']))
        for i in layers
      ]
      total = sum(jnp.sum(out[i] * g[f'l{i}_upstream']) for i in layers)
      return total, (w, out)

    return jax.grad(loss, (0, 1), has_aux=True)(params, s)

  (grad_w, grad_s), (w, out) = run(params, s)
  for i in layers:
    pre, own = f'{scope}_k{density}_l{i}_', w[str(i)]['kernel']
    np.testing.assert_array_equal(own != 0, to_flax(g[f'{pre}mask']))
    assert not np.any(grad_w[str(i)]['kernel'])
    if f'{pre}alpha' not in g:  # the reference divides zero by zero there
      assert scope == 'global'
      assert not np.any(out[i])
      continue
    # Over layers alone the reference divides by int(k * n), not by what it
    # keeps: n - int((1 - k) * n).
    n, kept = own.size, int((own != 0).sum())
    ratio = kept / int(density * n) if scope == 'layer' else 1.0
    close(ratio * own, to_flax(g[f'{pre}weff']), 1e-6)
    close(ratio * out[i], g[f'{pre}out'])
    close(grad_s[str(i)]['kernel'], to_flax(g[f'{pre}grad_scores']))


def network(density, scope='layer'):
  key = jax.random.key(0)
  params = {
    'a': {'kernel': jax.random.normal(key, (3, 3, 4, 8))},
    'b': {'kernel': 100 * jax.random.normal(key, (1, 1, 8, 2))},
    'bn': {'bias': jnp.ones(2)},
  }
  everywhere = masks.eligible(params)
  return Frozen(
    params=params,
    batch_stats={},
    masks=jax.tree.map(lambda _: None, params),
    scores=scores.uniform_init(key, params, everywhere),
    model=None,
    effective=weights.Biprop(density, scope),
    preprocessing=None,
    classes=(),
  )


def seen(frozen):
  k = frozen.effective.counts(frozen.scores)
  return frozen.effective(frozen.params, frozen.masks, frozen.scores, k)


def test_fixed_binary_weights_are_those_that_were_seen():
  frozen = network(0.3)
  fixed = weights.fixed(frozen)
  for name in ('a', 'b'):
    before, after = seen(frozen)[name]['kernel'], seen(fixed)[name]['kernel']
    np.testing.assert_array_equal(before, after)
    assert len(np.unique(np.abs(after))) == 2  # zero and the gain
  np.testing.assert_array_equal(fixed.params['bn']['bias'], 1)


def test_a_layer_without_survivors_has_gain_zero_or_keeps_its_largest():
  frozen = network(0.01, 'global')
  # Scores of the second layer are larger: its fan-in is smaller.
  k = frozen.effective.counts(frozen.scores)
  args = (frozen.params, frozen.masks, frozen.scores, k)
  strict = weights.biprop(*args, strict=True)
  assert not np.any(strict['a']['kernel'])
  kept = weights.biprop(*args)['a']['kernel']
  assert int((kept != 0).sum()) == 1
  assert np.all(np.isfinite(kept))


def test_scopes_are_known():
  with pytest.raises(ValueError, match="not 'network'"):
    phases.InitScores(density=0.5, scope='network')


def test_uniform_scores_and_kaiming_weights_have_their_spread():
  params = {'kernel': jnp.zeros((3, 3, 32, 64))}
  everywhere = masks.eligible(params)
  key = jax.random.key(1)
  s = scores.uniform_init(key, params, everywhere)['kernel']
  limit = (9 * 32) ** -0.5
  assert 0.99 * limit < float(jnp.max(jnp.abs(s))) <= limit
  w = initial.kaiming_normal(key, params, everywhere, density=0.25)['kernel']
  np.testing.assert_allclose(jnp.std(w), (8 / (9 * 32)) ** 0.5, rtol=0.02)
  with pytest.raises(ValueError, match='fraction kept'):
    initial.signed_constant(params, everywhere, density=0.0)
