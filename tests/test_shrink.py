"""Shrinking: the same function with fewer channels, on every architecture."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from networks import NARROW, narrow, random_network
from short_runs import short

from rcj import carry as carry_lib
from rcj import (
  graph,
  masks,
  models,
  phases,
  results,
  size,
  tree,
  weights,
)
from rcj import recipe as recipes
from rcj.checkpoint import opened
from rcj.phases.measuring import macs, parameters
from rcj.shrink import shrink


def same(a, b):
  jax.tree.map(np.testing.assert_array_equal, a, b)


def silenced(frozen, alive, seed):
  """Masks of random filters; `alive` of each group stay."""
  rs = np.random.RandomState(seed)
  known, made = tree.leaves(frozen.params), {}
  groups = models.channel_groups(frozen.model)
  for group, n in zip(groups, alive, strict=True):
    channels = known[group.kernels[0]].shape[-1]
    mask = rs.permutation(channels) < n
    for name in (*group.kernels, *group.followers):
      made[name] = mask.reshape((1,) * (known[name].ndim - 1) + (-1,))
  return tree.map_named(lambda n, _: made.get(n), frozen.params)


def some(frozen, seed):
  """A number of channels to keep, at least 1, for each group."""
  rs = np.random.RandomState(seed)
  known = tree.leaves(frozen.params)
  channels = [
    known[group.kernels[0]].shape[-1]
    for group in models.channel_groups(frozen.model)
  ]
  return [rs.randint(1, n + 1) for n in channels]


def pruned(name, seed=0, **options):
  frozen = narrow(name, seed, **options)
  alive = some(frozen, seed)
  return dataclasses.replace(frozen, masks=silenced(frozen, alive, seed))


@pytest.fixture(scope='module')
def images():
  return jnp.asarray(np.random.RandomState(1).randn(2, 32, 32, 3), jnp.float32)


def check_same(found, expected, images):
  """Logits differ by at most 1e-4 of their range."""
  found, expected = (models.logits(x, images) for x in (found, expected))
  assert np.ptp(expected) > 0.01
  np.testing.assert_allclose(
    found, expected, atol=1e-4 * np.ptp(expected), rtol=0
  )


def check_consistent(small):
  """Parameters are those that the graph says, and masks fit them."""
  shapes = {n: x.shape for n, x in tree.leaves(small.params).items()}
  assert graph.parameter_shapes(small.model.graph) == shapes
  jax.tree.map(
    lambda w, m: None if m is None else np.broadcast_shapes(w.shape, m.shape),
    small.params,
    small.masks,
  )


# The others: test_channel_groups.py; `wide_resnet18_2` has no groups.
@pytest.mark.parametrize('name', [n for n in NARROW if n != 'wide_resnet18_2'])
def test_logits_are_those_of_the_masked_network(name, images):
  frozen = narrow(name)
  groups = models.channel_groups(frozen.model)
  alive = some(frozen, 7)
  for seed in range(3):  # which channels differ, so that shapes compile once
    masked = narrow(name, seed)
    masked = dataclasses.replace(masked, masks=silenced(masked, alive, seed))
    small = shrink(masked)
    check_same(small, masked, images)
    check_consistent(small)
    left = size.remaining(masked.params, masked.masks, groups=groups)
    assert size.total(small.params) == left < size.total(masked.params)
    assert not tree.leaves(small.masks)
    assert parameters(small) == parameters(masked)
    before, now = macs(small)
    assert macs(masked) == (before, before)
    assert now < before
  # The masks of another seed change the logits, so that there is something to
  # compare.
  other = dataclasses.replace(masked, masks=silenced(frozen, alive, 0))
  intact, changed = (models.logits(x, images) for x in (masked, other))
  assert np.abs(changed - intact).max() > 1e-2 * np.ptp(intact)


@pytest.mark.parametrize('seed', range(3))
def test_any_density_of_any_group(seed, images):
  masked = pruned('resnet8', seed)
  small = shrink(masked)
  check_same(small, masked, images)
  check_consistent(small)


def test_a_network_of_which_nothing_is_masked_stays_as_it_is(images):
  frozen = narrow('resnet8')
  small = shrink(frozen)
  assert small.model == models.GraphNet(models.graph_of(frozen.model))
  assert small.origin == frozen.model
  same(small.params, frozen.params)
  same(small.batch_stats, frozen.batch_stats)


def test_constants_behind_plain_batchnorm_stay(images):
  frozen = narrow('wide_resnet18_2')
  half = jax.tree.map(lambda w: w > 0, frozen.params)
  masked = dataclasses.replace(frozen, masks=half)
  small = shrink(masked)
  assert small.model.graph == models.graph_of(frozen.model)
  check_same(small, masked, images)


def test_shrinking_again_changes_nothing_more():
  small = shrink(pruned('resnet8'))
  again = shrink(small)
  assert (again.model, again.origin) == (small.model, small.origin)
  same(again.params, small.params)


def test_a_shrunk_network_is_pruned_and_shrunk_again(images):
  first = shrink(pruned('resnet8'))
  masked = dataclasses.replace(first, masks=silenced(first, some(first, 5), 5))
  second = shrink(masked)
  check_same(second, masked, images)
  assert size.total(second.params) < size.total(first.params)
  assert second.origin == narrow('resnet8').model


def test_a_group_without_any_channel_keeps_one(images):
  frozen = narrow('resnet8')
  groups = models.channel_groups(frozen.model)
  inner = graph.inside_blocks(groups)[0]
  known = tree.leaves(frozen.params)
  alive = [
    0 if group == inner else known[group.kernels[0]].shape[-1]
    for group in groups
  ]
  masked = dataclasses.replace(frozen, masks=silenced(frozen, alive, 0))
  small = shrink(masked)
  check_same(small, masked, images)
  assert tree.leaves(small.params)[inner.kernels[0]].shape[-1] == 1
  # It stays silent, whatever training does.
  kept = tree.leaves(small.masks)
  assert set(kept) == {*inner.kernels, *inner.followers}
  assert not any(m.any() for m in kept.values())
  assert parameters(small)[1] == parameters(masked)[1]


def test_masks_of_single_weights_stay_sliced(images):
  filters = pruned('resnet8')
  rs = np.random.RandomState(3)
  single = tree.map_named(
    lambda n, w: rs.rand(*w.shape) < 0.5 if n.endswith('kernel') else None,
    filters.params,
  )
  both = masks.intersect(filters.params, single, filters.masks)
  masked = dataclasses.replace(filters, masks=both)
  small = shrink(masked)
  check_same(small, masked, images)
  check_consistent(small)
  assert set(tree.leaves(small.masks)) == set(tree.leaves(single))
  for name, mask in tree.leaves(small.masks).items():
    assert mask.shape == tree.leaves(small.params)[name].shape
  assert parameters(small) == parameters(masked)
  # A weight that sleeps keeps its value.
  asleep = tree.leaves(small.params)['head/kernel']
  assert (np.asarray(asleep) != 0).all()


def test_learned_scores_are_masks_first(images):
  frozen = pruned('resnet8')
  rs = np.random.RandomState(3)
  learned = tree.map_named(
    lambda n, w: rs.randn(*w.shape) if n.endswith('kernel') else None,
    frozen.params,
  )
  learned = jax.tree.map(jnp.float32, learned)
  scored = dataclasses.replace(
    frozen, scores=learned, effective=weights.Hydra(0.5)
  )
  small = shrink(scored)
  check_same(small, scored, images)
  assert not tree.leaves(small.scores)
  assert size.total(small.params) == size.total(shrink(frozen).params)
  assert parameters(small) == parameters(scored)


def test_channels_with_a_living_batchnorm_are_constants_and_stay(images):
  frozen = pruned('resnet8')
  kernels = tree.map_named(
    lambda n, _, m: m if n.endswith('kernel') else None,
    frozen.params,
    frozen.masks,
  )
  masked = dataclasses.replace(frozen, masks=kernels)
  small = shrink(masked)
  assert small.model.graph == models.graph_of(frozen.model)
  hiding = {n: m for n, m in tree.leaves(kernels).items() if not m.all()}
  same(tree.leaves(small.masks), hiding)
  check_same(small, masked, images)


def test_the_stream_of_option_a_stays():
  small = shrink(pruned('resnet20'))
  before = models.graph_of(narrow('resnet20').model)
  for node in small.model.graph.nodes:
    if getattr(node, 'features', 0) != getattr(
      before.node(node.name), 'features', 0
    ):
      assert node.name.endswith('conv1')


@pytest.mark.parametrize('name', ['resnet8', 'wide_resnet28_10'])
def test_folding_and_shrinking_commute(name, images):
  masked = pruned(name)
  one, other = shrink(models.folded(masked)), models.folded(shrink(masked))
  assert one.model.graph == other.model.graph
  # What sleeps is known after folding too.
  assert parameters(models.folded(masked))[1] == size.total(one.params)
  assert not tree.leaves(one.masks)
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6),
    *(one.params, other.params),
  )
  check_same(one, masked, images)


def test_quantized_networks_are_refused():
  frozen = models.folded(narrow('resnet8'))
  quantized = dataclasses.replace(
    frozen, model=models.QuantNet(frozen.model.graph)
  )
  with pytest.raises(ValueError, match='shrink first, then quantize'):
    shrink(quantized)


def test_images_of_a_shrunk_network_have_gradients(images):
  masked = pruned('resnet8')
  slopes = [
    np.asarray(jax.grad(lambda x, n=n: models.logits(n, x)[:, 0].sum())(images))
    for n in (shrink(masked), masked)
  ]
  assert np.abs(slopes[1]).max() > 0
  np.testing.assert_allclose(
    *slopes, atol=1e-4 * np.abs(slopes[1]).max(), rtol=0
  )


INIT = phases.Init('resnet8', tiny.Tiny().preprocessing(), width=0.25)
FILTERS = phases.Prune('l1_filter', density=0.5)


@pytest.fixture(scope='module')
def digits():
  return tiny.Tiny().load_data()


@pytest.fixture
def env(tmp_path, digits):
  return tiny.environment(
    tmp_path, digits, labels={'variant': 'shrink', 'seed': 0}
  )


def network(carry):
  return carry_lib.frozen(carry, tuple('0123456789'))


def test_training_a_shrunk_network_is_training_the_masked_one(env, images):
  masked = recipes.run((INIT, FILTERS), env)
  random = random_network(masked.model)
  state = dataclasses.replace(masked.state, params=random[0])
  masked = dataclasses.replace(masked, state=state)
  small = phases.Shrink()(masked, env)
  # The same phase key, so that batches are the same.
  trained = [short(2)(carry, env) for carry in (small, masked)]
  found, expected = map(network, trained)
  check_same(shrink(expected), expected, images)
  start = models.logits(network(masked), images)
  logits = [np.asarray(models.logits(x, images)) for x in (found, expected)]
  moved = np.abs(logits[1] - start).max()
  assert moved > 0.01
  np.testing.assert_allclose(*logits, atol=1e-2 * moved, rtol=0)


def test_a_run_continues_with_the_shrunk_network(env):
  steps = (INIT, FILTERS, phases.Save('masked'), phases.Shrink(), short(2))
  with opened(env.workdir / 'checkpoints') as checkpoints:
    env = dataclasses.replace(env, checkpoints=checkpoints)
    first = recipes.run(steps, env)
    again = recipes.run(steps, env)
  assert again.phase == len(steps)
  assert (again.model, again.origin) == (first.model, first.origin)
  assert first.origin == first.saved['masked'].network.model
  assert first.model != first.origin
  same(network(again).params, network(first).params)
  back = phases.Restore('masked')(first, env)
  assert (back.model, back.origin) == (first.origin, None)


def test_a_kill_while_a_shrunk_network_trains_changes_no_bit(
  env, tmp_path, monkeypatch
):
  steps = (INIT, FILTERS, phases.Shrink(), short(3))
  whole = recipes.run(steps, env)

  def killed(phase, step, **_):
    assert (phase, step) < (3, 2), 'killed'

  with opened(tmp_path / 'checkpoints') as checkpoints:
    env = dataclasses.replace(env, checkpoints=checkpoints, checkpoint_every=1)
    with monkeypatch.context() as patch:
      patch.setattr(env.journal, 'metrics', killed)
      with pytest.raises(AssertionError, match='killed'):
        recipes.run(steps, env)
    assert checkpoints.latest() > 3e7, 'within the phase'
    again = recipes.run(steps, env)
  same(network(again).params, network(whole).params)


def test_runs_share_what_was_trained_after_shrinking(env, tmp_path):
  steps = (INIT, FILTERS, phases.Shrink(), short(2))
  prefixes = tmp_path / 'prefixes'
  first = recipes.run(steps, env, prefixes=prefixes)
  other = recipes.run((*steps, phases.Save('end')), env, prefixes=prefixes)
  assert (other.model, other.origin) == (first.model, first.origin)
  same(other.state.params, first.state.params)


def test_rows_tell_the_size_before_and_after(env, digits):
  env = dataclasses.replace(env, suites=tiny.Tiny().suites(digits))
  steps = (INIT, FILTERS, phases.Evaluate('masked', 'masked'))
  recipes.run((*steps, phases.Shrink(), phases.Evaluate('shrunk')), env)
  before, after = results.read_rows(env.workdir / 'results.csv')
  shared = ('parameters', 'nonzero', 'ratio', 'dense_macs', 'dense_bytes')
  for column in (*shared, 'error'):
    assert before[column] == after[column], column
  assert int(before['parameters']) * 4 == int(before['dense_bytes'])
  assert before['bytes'] == before['dense_bytes']
  assert int(after['bytes']) == 4 * int(after['nonzero'])
  assert before['macs'] == before['dense_macs']
  assert int(after['macs']) < int(before['macs']) / 2
  assert 0 < int(after['gzip_bytes']) < int(after['packed_bytes'])
  assert int(after['packed_bytes']) < int(before['packed_bytes'])


def test_the_ratio_is_that_to_all_channels_after_shrinking_too(env):
  steps = (INIT, FILTERS, phases.Shrink())
  small = recipes.run(steps, env)
  total, left = parameters(network(small))
  assert total > 2 * left
  more = recipes.run((*steps, phases.Prune('magnitude', ratio=10.0)), env)
  assert parameters(network(more)) == (total, pytest.approx(total / 10, abs=1))


def test_no_way_back_to_weights_of_more_channels(env):
  steps = (INIT, phases.Save('start'), FILTERS, phases.Shrink())
  with pytest.raises(ValueError, match=r"'start'.* Quantize after Save"):
    recipes.run((*steps, phases.Rewind('start')), env)


def test_inner_groups_leave_the_stream_as_wide_as_it_was(env):
  inner = dataclasses.replace(FILTERS, groups='inner')
  both = [recipes.run((INIT, p), env) for p in (FILTERS, inner)]
  coupled, inside = (set(tree.leaves(c.state.masks)) for c in both)
  assert inside < coupled
  assert {n for n in inside if n.endswith('kernel')} == {
    f'stage{s}_block1/conv1/kernel' for s in (1, 2, 3)
  }
  with pytest.raises(ValueError, match='coupled, inner'):
    dataclasses.replace(FILTERS, groups='outer')
