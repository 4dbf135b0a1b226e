import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import masks, scores
from rcj.types import ChannelGroup

LAYERS = ('conv1', 'conv2', 'dw', 'pw')


def kernels(g, prefix='w_'):
  return {
    n: {'kernel': jnp.asarray(g[f'{prefix}{n}'].transpose(2, 3, 1, 0))}
    for n in LAYERS
  }


@pytest.mark.parametrize('amount', [0.5, 0.8, 0.9, 0.975])
def test_filter_masks_equal_torch(golden, amount):
  g = golden('compress/l1_filter')
  params = kernels(g)
  norms = scores.l1_filter(params, masks.eligible(params), groups='none')
  kept = masks.keep_top(
    norms, density=round(1 - amount, 3), scope='layer', strict=True
  )
  for n in LAYERS:
    norm = norms[n]['kernel']
    np.testing.assert_allclose(norm[0, 0, 0], g[f'l1norm_{n}'], rtol=1e-5)
    mask = kept[n]['kernel']
    assert mask.shape == (1, 1, 1, g[f'l1norm_{n}'].size)
    np.testing.assert_array_equal(
      mask[0, 0, 0], g[f'l1filter_{amount}_{n}_keep']
    )


def test_filters_pruned_twice_equal_torch(golden):
  g = golden('compress/l1_filter')
  params = kernels(g)
  alive = None
  for density in (0.75, 0.5):
    eligible = masks.eligible(params, within=alive)
    norms = scores.l1_filter(params, eligible, groups='none')
    alive = masks.keep_top(norms, density=density, scope='layer', strict=True)
  expected = kernels(g, 'l1filter_iter_0.25_0.5_')
  full = masks.apply(jax.tree.map(jnp.ones_like, params), alive)
  jax.tree.map(np.testing.assert_array_equal, full, expected)


def small_network():
  rng = np.random.default_rng(0)

  def normal(*shape):
    return jnp.asarray(rng.normal(size=shape), jnp.float32)

  params = {
    'a': {'kernel': normal(3, 3, 3, 4)},
    'b': {'kernel': normal(1, 1, 4, 4)},
    'dw': {'kernel': normal(3, 3, 1, 4)},
    'bn': {'scale': normal(4), 'bias': normal(4)},
    'fc': {'kernel': normal(4, 2), 'bias': normal(2)},
  }
  group = ChannelGroup(
    kernels=('a/kernel', 'b/kernel'),
    followers=('bn/scale', 'bn/bias', 'dw/kernel'),
    readers=('fc/kernel', 'b/kernel'),
  )
  return params, group


def test_groups_share_the_sum_of_their_norms():
  params, group = small_network()
  eligible = masks.eligible(params)
  result = scores.l1_filter(params, eligible, groups=(group,))
  expected = sum(np.abs(params[n]['kernel']).sum((0, 1, 2)) for n in ('a', 'b'))
  for n in ('a', 'b', 'dw'):
    np.testing.assert_allclose(result[n]['kernel'][0, 0, 0], expected, 1e-6)
    assert result[n]['kernel'].shape == (1, 1, 1, 4)
  np.testing.assert_allclose(result['bn']['scale'], expected, 1e-6)
  assert result['fc'] == {'kernel': None, 'bias': None}
  kept = masks.keep_top(result, density=0.5, scope='layer')
  for n in ('a', 'b', 'dw'):
    np.testing.assert_array_equal(
      kept[n]['kernel'][0, 0, 0], kept['bn']['bias']
    )
  assert int(kept['bn']['bias'].sum()) == 2


def test_only_groups_that_are_wholly_eligible_take_part():
  params, group = small_network()
  eligible = masks.eligible(params, exclude='b/kernel')
  with pytest.raises(ValueError, match='no convolution kernel'):
    scores.l1_filter(params, eligible, groups=(group,))
  alone = ChannelGroup(('a/kernel',))
  result = scores.l1_filter(params, eligible, groups=(group, alone))
  assert result['b']['kernel'] is None
  assert result['a']['kernel'] is not None


def test_groups_of_another_network_are_refused():
  params, _ = small_network()
  group = ChannelGroup(('layer1/kernel',), ('bn/scale',))
  with pytest.raises(ValueError, match=r"\['layer1/kernel'\].*a/kernel"):
    scores.l1_filter(params, masks.eligible(params), groups=(group,))


def test_dormant_filters_and_weights_score_minus_infinity():
  params, group = small_network()
  none = jax.tree.map(lambda _: None, params)
  dead = jnp.asarray([0, 1, 1, 1], bool).reshape(1, 1, 1, 4)
  within = {**none, 'a': {'kernel': dead}, 'b': {'kernel': dead}}
  eligible = masks.eligible(params, within=within)
  result = scores.random_filter(
    jax.random.key(0), params, eligible, groups=(group,)
  )
  np.testing.assert_array_equal(np.isneginf(result['bn']['bias']), [1, 0, 0, 0])
  for result in (
    scores.magnitude(params, eligible),
    scores.random(jax.random.key(0), params, eligible),
  ):
    np.testing.assert_array_equal(
      np.isneginf(result['a']['kernel']), ~eligible['a']['kernel']
    )
    assert result['bn']['bias'] is None


def test_noise_of_a_leaf_depends_on_its_name_alone():
  params, group = small_network()
  more = {'0_new': {'kernel': jnp.ones((4, 4))}, **params}
  key = jax.random.key(1)
  first = scores.random(key, params, masks.eligible(params))
  second = scores.random(key, more, masks.eligible(more))
  np.testing.assert_array_equal(first['fc']['kernel'], second['fc']['kernel'])
  values = np.concatenate([np.ravel(x) for x in jax.tree.leaves(first)])
  assert len(np.unique(values)) == len(values)
  assert values.min() >= 0
  assert values.max() < 1
  filters = scores.random_filter(
    key, params, masks.eligible(params), groups=(group,)
  )
  np.testing.assert_array_equal(filters['a']['kernel'], filters['b']['kernel'])


@pytest.mark.parametrize('layer', ['conv', 'dw', 'dense'])
def test_scaled_init_equals_hydra(golden, layer):
  g = golden('compress/hydra')
  axes = (1, 0) if layer == 'dense' else (2, 3, 1, 0)
  params = {'kernel': jnp.asarray(g[f'{layer}_w'].transpose(axes))}
  result = scores.scaled_init(params, masks.eligible(params))['kernel']
  expected = g[f'{layer}_score_init'].transpose(axes)
  np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_initial_scores_are_zero_where_not_eligible():
  params, _ = small_network()
  within = jax.tree.map(lambda w: jnp.abs(w) > 0.5, params)
  eligible = masks.eligible(params, within=within)
  for result in (
    scores.scaled_init(params, eligible),
    scores.kaiming_init(jax.random.key(0), params, eligible),
  ):
    np.testing.assert_array_equal(
      result['a']['kernel'] != 0, eligible['a']['kernel']
    )
    assert result['bn']['scale'] is None


def test_kaiming_init_has_its_standard_deviation():
  params = {'kernel': jnp.ones((3, 3, 32, 64))}
  result = scores.kaiming_init(
    jax.random.key(0), params, masks.eligible(params)
  )
  np.testing.assert_allclose(
    np.std(result['kernel']), np.sqrt(2 / (9 * 32)), rtol=0.02
  )
