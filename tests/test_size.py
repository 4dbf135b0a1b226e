import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import masks, scores, size
from rcj.types import ChannelGroup


def network(width=8):
  """Two convolutions tied by an addition, a third, and a classifier."""
  rng = np.random.default_rng(0)

  def normal(*shape):
    return jnp.asarray(rng.normal(size=shape), jnp.float32)

  def bn(c):
    return {'scale': normal(c), 'bias': normal(c)}

  params = {
    'stem': {'kernel': normal(3, 3, 3, width)},
    'stem_bn': bn(width),
    'block': {'kernel': normal(3, 3, width, width)},
    'block_bn': bn(width),
    'last': {'kernel': normal(1, 1, width, 2 * width)},
    'last_bn': bn(2 * width),
    'fc': {'kernel': normal(2 * width, 10), 'bias': normal(10)},
  }

  def follow(*names):
    return tuple(f'{n}_bn/{leaf}' for n in names for leaf in ('scale', 'bias'))

  groups = (
    ChannelGroup(
      ('stem/kernel', 'block/kernel'),
      follow('stem', 'block'),
      ('block/kernel', 'last/kernel'),
    ),
    ChannelGroup(('last/kernel',), follow('last'), ('fc/kernel',)),
  )
  return params, groups


def by_hand(stem, last):
  """Parameters of the network with so many channels left."""
  kernels = 27 * stem + 9 * stem * stem + stem * last + last * 10
  return kernels + 4 * stem + 2 * last + 10


def test_total():
  params, _ = network()
  assert size.total(params) == by_hand(8, 16)
  assert size.remaining(
    params, jax.tree.map(lambda _: None, params)
  ) == by_hand(8, 16)


def test_filter_masks_take_followers_and_readers_along():
  params, groups = network()
  norms = scores.l1_filter(params, masks.eligible(params), groups=groups)
  mask = masks.keep_top(norms, density=0.5, scope='layer')
  assert size.remaining(params, mask, groups=groups) == by_hand(4, 8)
  # Only the masks themselves, as long as nothing is removed.
  expected = by_hand(8, 16) - (27 + 72) * 4 - 8 * 8 - 4 * 4 - 2 * 8
  assert size.remaining(params, mask) == expected


def test_masks_without_followers_are_not_removed():
  params, groups = network()
  norms = scores.l1_filter(params, masks.eligible(params), groups='none')
  mask = masks.keep_top(norms, density=0.5, scope='layer')
  expected = by_hand(8, 16) - (27 + 72) * 4 - 8 * 8
  assert size.remaining(params, mask, groups=groups) == expected


def test_weight_masks_inside_removed_filters_count_once():
  params, groups = network()
  eligible = masks.eligible(params)
  filters = masks.keep_top(
    scores.l1_filter(params, eligible, groups=groups),
    density=0.5,
    scope='layer',
  )
  inner = masks.keep_top(
    scores.magnitude(params, masks.eligible(params, within=filters)),
    density=0.5,
    scope='layer',
  )
  both = masks.intersect(params, filters, inner)
  alive = jax.tree.map(np.array, masks.apply(params, both))
  dead = ~np.asarray(filters['stem_bn']['scale'])
  alive['block']['kernel'][:, :, dead] = 0
  alive['last']['kernel'][:, :, dead] = 0
  alive['fc']['kernel'][~np.asarray(filters['last_bn']['scale'])] = 0
  expected = sum(np.count_nonzero(w) for w in jax.tree.leaves(alive))
  assert size.remaining(params, both, groups=groups) == expected


@pytest.mark.parametrize('ratio', [1.0, 2.0, 7.5, 11.0])
def test_density_for_ratio_is_exact_to_a_weight(ratio):
  params, _ = network()
  eligible = masks.eligible(params)
  density = size.density_for_ratio(params, eligible, ratio)
  mask = masks.keep_top(
    scores.magnitude(params, eligible), density=density, strict=True
  )
  left = size.remaining(params, mask)
  assert abs(left - size.total(params) / ratio) <= 1


def test_density_for_ratio_counts_dormant_weights_as_gone():
  params, _ = network()
  half = masks.keep_top(
    scores.magnitude(params, masks.eligible(params)), density=0.5
  )
  eligible = masks.eligible(params, within=half)
  density = size.density_for_ratio(params, eligible, 4.0)
  mask = masks.keep_top(scores.magnitude(params, eligible), density=density)
  assert abs(size.remaining(params, mask) - size.total(params) / 4) <= 1


@pytest.mark.parametrize('ratio', [1.0, 1.5, 2.0, 4.0, 10.0])
def test_density_for_filter_ratio_comes_nearest(ratio):
  params, groups = network()
  eligible = masks.eligible(params)
  density = size.density_for_filter_ratio(params, eligible, ratio, groups)
  norms = scores.l1_filter(params, eligible, groups=groups)
  left = size.remaining(
    params, masks.keep_top(norms, density=density, scope='layer'), groups=groups
  )
  wanted = size.total(params) / ratio
  reachable = [
    by_hand(max(round(d * 8), 1), max(round(d * 16), 1))
    for d in np.linspace(0.05, 1, 4001)
  ]
  assert abs(left - wanted) <= min(abs(r - wanted) for r in reachable)


@pytest.mark.parametrize('ratio', [0.5, 1e6])
def test_impossible_ratios_tell_the_possible_ones(ratio):
  params, groups = network()
  eligible = masks.eligible(params)
  everything = by_hand(8, 16)
  most = f'{everything / by_hand(1, 1):.4g}'
  with pytest.raises(ValueError, match=f'from 1 to {most}'):
    size.density_for_filter_ratio(params, eligible, ratio, groups)
  fixed = 4 * 8 + 2 * 16 + 10
  most = f'{everything / (fixed + 4):.4g}'
  with pytest.raises(ValueError, match=f'from 1 to {most}'):
    size.density_for_ratio(params, eligible, ratio)
