import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import masks
from rcj import scores as scores_lib

LAYERS = ('conv1', 'conv2', 'dw', 'pw', 'fc')


def from_torch(w):
  """OIHW to HWIO, (out, in) to (in, out)."""
  return jnp.asarray(w.transpose(2, 3, 1, 0) if w.ndim == 4 else w.T)


def kernels(g, prefix='w_', layers=LAYERS):
  return {n: {'kernel': from_torch(g[f'{prefix}{n}'])} for n in layers}


def assert_same(result, expected):
  jax.tree.map(np.testing.assert_array_equal, result, expected)


def expected_masks(g, prefix):
  return jax.tree.map(lambda m: m.astype(bool), kernels(g, prefix))


@pytest.mark.parametrize('scope', ['global', 'layer'])
@pytest.mark.parametrize('amount', [0.5, 0.8, 0.9, 0.975])
def test_magnitude_masks_equal_torch(golden, scope, amount):
  g = golden('compress/mag_masks')
  params = kernels(g)
  scores = scores_lib.magnitude(params, masks.eligible(params))
  density = round(1 - amount, 3)
  result = masks.keep_top(scores, density=density, scope=scope, strict=True)
  assert_same(result, expected_masks(g, f'{scope}_{amount}_'))


def test_second_pruning_counts_the_survivors(golden):
  g = golden('compress/mag_masks')
  params = kernels(g)
  alive = None
  for _ in range(2):
    eligible = masks.eligible(params, within=alive)
    scores = scores_lib.magnitude(params, eligible)
    alive = masks.keep_top(scores, density=0.5, strict=True)
  assert_same(alive, expected_masks(g, 'iter2_global_0.5_'))


def test_other_scores_equal_torch(golden):
  g = golden('compress/mag_masks')
  scores = jax.tree.map(jnp.abs, kernels(g, 'score_'))
  result = masks.keep_top(scores, density=0.2, strict=True)
  assert_same(result, expected_masks(g, 'global_score_0.8_'))


@pytest.mark.parametrize('amount', [0.5, 0.8, 0.9, 0.975])
def test_ties_prune_the_lowest_index_first(golden, amount):
  g = golden('compress/mag_ties')
  scores = {
    f'{i}_{n}': jnp.abs(jnp.asarray(g[f'w_{n}'])) for i, n in enumerate(LAYERS)
  }
  result = masks.keep_top(scores, density=round(1 - amount, 3), strict=True)
  flat = np.concatenate([np.ravel(m) for m in result.values()])
  np.testing.assert_array_equal(flat, g[f'global_{amount}_stable_rule'])


@pytest.mark.parametrize('level', [1, 2, 3, 4])
def test_open_lth_levels_equal_golden(golden, level):
  g = {
    k.replace('.weight', ''): v
    for k, v in golden('compress/lth_global').items()
  }
  params = kernels(g, f'lev{level}_w_')
  before = expected_masks(g, f'lev{level - 1}_mask_') if level > 1 else None
  eligible = masks.eligible(params, within=before)
  result = masks.keep_top(
    scores_lib.magnitude(params, eligible),
    density=0.8,
    count='open_lth',
    strict=True,
  )
  assert_same(result, expected_masks(g, f'lev{level}_mask_'))


def test_counts_equal_torch_and_hydra(golden):
  g = golden('compress/prune_counts')
  for amount, torch in zip(g['amount'], g['torch_prune_npruned'], strict=True):
    # The density that a user who thinks of this amount would write.
    density = round(1 - amount, 12)
    kept = [masks.kept(int(n), density=density) for n in g['n']]
    np.testing.assert_array_equal(g['n'] - kept, torch)
  for density, popup in zip(g['k_keep'], g['popup_npruned'], strict=True):
    kept = [
      masks.kept(int(n), density=density, count='truncate') for n in g['n']
    ]
    np.testing.assert_array_equal(g['n'] - kept, popup)


def stable_argsort_masks(leaves, k):
  """Independent statement of keep_k: sorts, in flat order over all leaves."""
  flat = np.concatenate([x.ravel() for x in leaves])
  order = np.argsort(flat, kind='stable')
  order = order[flat[order] > -np.inf]
  keep = np.zeros(flat.size, bool)
  keep[order[max(len(order) - k, 0) :]] = True
  splits = np.cumsum([x.size for x in leaves])[:-1]
  parts = np.split(keep, splits)
  return [p.reshape(x.shape) for p, x in zip(parts, leaves, strict=True)]


SHAPES = ((3, 3, 2, 5), (1,), (700, 3), (1024,))


def draw(rng, kind):
  for shape in SHAPES:
    x = rng.normal(size=shape)
    if kind == 'ties':
      x = np.round(x * 2) / 2
    elif kind == 'all equal':
      x = np.zeros(shape)
    elif kind == 'wide':
      x = x * 10.0 ** rng.integers(-44, 38, size=shape)
    elif kind == 'special':
      special = [0.0, -0.0, -np.inf, np.inf, 1e-45, -1e-45, 3e38, -3e38]
      x = rng.choice(special, size=shape)
    if kind != 'all equal':
      x = np.where(rng.random(shape) < 0.2, -np.inf, x)
    yield x.astype(np.float32)


KINDS = ['normal', 'ties', 'all equal', 'wide', 'special']


@pytest.mark.parametrize('kind', KINDS)
def test_keep_k_equals_a_stable_argsort(kind):
  rng = np.random.default_rng(KINDS.index(kind))
  for _ in range(4):
    leaves = list(draw(rng, kind))
    n = sum(x.size for x in leaves)
    for k in (0, 1, n // 3, int(rng.integers(n)), n - 1, n, n + 7):
      result = masks.keep_k(leaves, np.int32(k), strict=True)
      assert_same(result, stable_argsort_masks(leaves, k))
    each = [int(rng.integers(x.size + 1)) for x in leaves]
    result = masks.keep_k(leaves, np.asarray(each, np.int32), strict=True)
    expected = [
      stable_argsort_masks([x], k)[0] for x, k in zip(leaves, each, strict=True)
    ]
    assert_same(result, expected)


def test_keep_k_skips_none_leaves_and_compiles_once():
  scores = {'a': jnp.arange(5.0), 'b': None, 'c': jnp.arange(3.0)}
  traces = 0

  @jax.jit
  def f(scores, k):
    nonlocal traces
    traces += 1
    return masks.keep_k(scores, k, strict=True)

  for k in (1, 2, 7):
    result = f(scores, np.int32(k))
    assert result['b'] is None
    assert sum(int(m.sum()) for m in jax.tree.leaves(result)) == k
  assert traces == 1


def test_keep_k_keeps_the_largest_of_every_layer():
  scores = {'a': jnp.asarray([5.0, 6, 7]), 'b': jnp.asarray([1.0, 3, 2])}
  result = masks.keep_k(scores, np.int32(2))
  np.testing.assert_array_equal(result['a'], [False, True, True])
  np.testing.assert_array_equal(result['b'], [False, True, False])
  result = masks.keep_k(scores, np.asarray([0, 2], np.int32))
  np.testing.assert_array_equal(result['a'], [False, False, True])


def test_keep_k_wants_a_count_per_leaf():
  with pytest.raises(ValueError, match='3 counts for 2 leaves'):
    masks.keep_k({'a': jnp.ones(2), 'b': jnp.ones(2)}, jnp.ones(3, jnp.int32))


@pytest.mark.parametrize('scope', ['global', 'layer'])
def test_emptied_layers_are_named_and_keep_their_largest(scope):
  scores = {
    'big': {'kernel': jnp.asarray([[5.0, 6.0], [7.0, 8.0]])},
    'small': {'kernel': jnp.asarray([[1.0], [2.0]])},
  }
  density = 0.5 if scope == 'global' else 0.2
  with pytest.warns(UserWarning, match=r'would empty .*small/kernel'):
    result = masks.keep_top(scores, density=density, scope=scope)
  np.testing.assert_array_equal(result['small']['kernel'], [[False], [True]])
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    strict = masks.keep_top(scores, density=density, scope=scope, strict=True)
  assert not strict['small']['kernel'].any()


def test_a_layer_that_was_dormant_stays_empty_without_a_warning():
  scores = {'a': {'kernel': jnp.arange(4.0)[None]}}
  scores['b'] = {'kernel': jnp.full((2, 2), -jnp.inf)}
  result = masks.keep_top(scores, density=0.5)
  assert int(result['a']['kernel'].sum()) == 2
  assert not result['b']['kernel'].any()


def test_keep_top_refuses_bad_input():
  scores = {'fc': {'kernel': jnp.ones((2, 3))}}
  for kwargs, message in [
    ({'density': 1.5}, r'0\.\.1'),
    ({'density': 0.5, 'scope': 'model'}, "'global' or 'layer'"),
    ({'density': 0.5, 'count': 'floor'}, "'truncate'"),
  ]:
    with pytest.raises(ValueError, match=message):
      masks.keep_top(scores, **kwargs)
  with pytest.raises(ValueError, match=r"NaN in \['fc/kernel'\]"):
    masks.keep_top({'fc': {'kernel': jnp.full((2, 3), jnp.nan)}}, density=0.5)
  with pytest.raises(ValueError, match='no scores'):
    masks.keep_top({'fc': {'kernel': None}}, density=0.5)
  with pytest.raises(ValueError, match="scope='layer'"):
    masks.keep_top({'conv': jnp.ones((1, 1, 1, 4))}, density=0.5)


PARAMS = {
  'stem': {'kernel': jnp.ones((3, 3, 3, 4))},
  'bn': {'scale': jnp.ones(4), 'bias': jnp.ones(4)},
  'fc': {'kernel': jnp.ones((4, 2)), 'bias': jnp.ones(2)},
}


def test_eligible_takes_kernels_and_only_living_entries():
  result = masks.eligible(PARAMS)
  assert result['bn'] == {'scale': None, 'bias': None}
  assert result['stem']['kernel'].all()
  assert result['fc']['kernel'].all()
  assert masks.eligible(PARAMS, exclude='fc/.*')['fc']['kernel'] is None
  within = jax.tree.map(lambda _: None, PARAMS)
  filters = jnp.asarray([True, False, True, True])
  within['stem']['kernel'] = filters.reshape(1, 1, 1, 4)
  result = masks.eligible(PARAMS, within=within)
  np.testing.assert_array_equal(
    result['stem']['kernel'].all((0, 1, 2)), filters
  )
  assert result['stem']['kernel'].shape == (3, 3, 3, 4)


@pytest.mark.parametrize('kwargs', [{'include': 'kernel'}, {'exclude': 'head'}])
def test_a_pattern_that_matches_nothing_lists_the_names(kwargs):
  with pytest.raises(ValueError, match='stem/kernel'):
    masks.eligible(PARAMS, **kwargs)


def test_apply_broadcasts_filter_masks_and_stops_gradients():
  mask = jax.tree.map(lambda _: None, PARAMS)
  mask['stem']['kernel'] = jnp.asarray([1, 0, 1, 0], bool).reshape(1, 1, 1, 4)

  def total(params):
    weights = masks.apply(params, mask)
    return weights['stem']['kernel'].sum() + 2 * weights['fc']['bias'].sum()

  grad = jax.grad(total)(PARAMS)
  np.testing.assert_array_equal(
    grad['stem']['kernel'].sum((0, 1, 2)), [27, 0, 27, 0]
  )
  np.testing.assert_array_equal(grad['fc']['bias'], [2, 2])


def test_density_and_intersection():
  mask = jax.tree.map(lambda _: None, PARAMS)
  assert masks.density(mask) == 1
  mask['stem']['kernel'] = jnp.asarray([1, 0, 1, 0], bool).reshape(1, 1, 1, 4)
  mask['bn']['scale'] = jnp.asarray([1, 0, 1, 0], bool)
  weights = {**mask, 'stem': {'kernel': None}, 'bn': dict(mask['bn'])}
  weights['fc'] = {'kernel': jnp.eye(4, 2, dtype=bool), 'bias': None}
  both = masks.intersect(PARAMS, mask, weights)
  assert masks.density(both) == (2 + 2) / (4 + 8)
  assert masks.density(both, params=PARAMS) == (54 + 2) / (108 + 8)
  full = masks.eligible(PARAMS)
  both = masks.intersect(PARAMS, mask, full)
  assert both['stem']['kernel'].shape == (3, 3, 3, 4)
  assert int(both['stem']['kernel'].sum()) == 54


@pytest.mark.parametrize('shape', [(3, 3, 8, 5), (12, 7)])
def test_n_m_keeps_n_of_every_run(shape):
  rng = np.random.default_rng(0)
  s = np.round(rng.normal(size=shape) * 2).astype(np.float32)
  result = masks.n_m({'kernel': jnp.asarray(s)}, n=2, m=4)['kernel']
  runs = np.moveaxis(s, -2, -1).reshape(-1, 4)
  expected = np.concatenate([stable_argsort_masks([r], 2)[0] for r in runs])
  flat = np.moveaxis(np.asarray(result), -2, -1).reshape(-1)
  np.testing.assert_array_equal(flat, expected)


def test_n_m_never_revives_and_names_bad_leaves():
  s = jnp.asarray([[1.0], [-jnp.inf], [-jnp.inf], [-jnp.inf]])
  assert masks.n_m({'kernel': s}, n=2, m=4)['kernel'].sum() == 1
  with pytest.raises(ValueError, match=r'stem/kernel of shape \(3, 3, 3, 4\)'):
    masks.n_m({'stem': {'kernel': jnp.ones((3, 3, 3, 4))}}, n=2, m=4)
  with pytest.raises(ValueError, match='5:4'):
    masks.n_m({'kernel': s}, n=5, m=4)


@pytest.mark.parametrize('case', range(3))
def test_cubic_equals_zhu_and_gupta(golden, case):
  g = golden('compress/schedules')
  initial, final, begin, interval, n = g['zg_cfgs_si_sf_t0_dt_n'][case]
  density = [
    masks.cubic(
      int(t),
      begin=int(begin),
      end=int(begin + n * interval),
      density=1 - final,
      initial=1 - initial,
    )
    for t in g[f'zg{case}_t']
  ]
  np.testing.assert_allclose(
    1 - np.asarray(density), g[f'zg{case}_sparsity'], atol=1e-12
  )


def test_cubic_needs_time():
  with pytest.raises(ValueError, match='end must come after begin'):
    masks.cubic(0, begin=5, end=5, density=0.1)


def blocks_of(mask, side):
  rows, columns = mask.reshape(-1, mask.shape[-1]).shape
  return mask.reshape(rows // side, side, columns // side, side)


@pytest.mark.parametrize('scope', ['global', 'layer'])
def test_blocks_of_the_largest_sums_are_kept_whole(scope):
  rng = np.random.default_rng(0)
  shapes = {'a': (3, 3, 8, 16), 'b': (24, 8)}
  scores = {n: rng.random(s).astype(np.float32) for n, s in shapes.items()}
  found = masks.keep_blocks(
    scores, side=8, density=0.3, scope=scope, strict=True
  )
  assert {n: m.shape for n, m in found.items()} == shapes
  sums = {n: blocks_of(s, 8).sum((1, 3)).ravel() for n, s in scores.items()}
  kept = {n: blocks_of(np.asarray(m), 8) for n, m in found.items()}
  for mask in kept.values():
    whole = mask.all((1, 3)) | ~mask.any((1, 3))
    assert whole.all()
  kept = {n: mask.all((1, 3)).ravel() for n, mask in kept.items()}
  groups = ['a', 'b'] if scope == 'layer' else ['ab']
  for group in groups:
    score = np.concatenate([sums[n] for n in group])
    alive = np.concatenate([kept[n] for n in group])
    assert alive.sum() == masks.kept(len(score), density=0.3)
    assert score[alive].min() > score[~alive].max()


def test_dormant_weights_in_live_blocks_stay_dormant():
  scores = np.ones((16, 8), np.float32)
  scores[:8, 4] = -np.inf
  scores[8:] = -np.inf
  found = masks.keep_blocks([scores], side=8, density=1.0)[0]
  np.testing.assert_array_equal(found, scores > -np.inf)


def test_a_network_of_single_blocks_has_them_ranked_too():
  scores = [np.full((8, 8), x, np.float32) for x in (1, 2)]
  first, second = masks.keep_blocks(scores, side=8, density=0.5, strict=True)
  assert not first.any()
  assert second.all()


def test_matrices_that_are_not_made_of_blocks_are_refused():
  with pytest.raises(ValueError, match=r'conv of shape .* is the matrix'):
    masks.keep_blocks(
      {'conv': np.ones((3, 3, 3, 64), np.float32)}, side=32, density=0.5
    )
