"""The training step: sharding, dormant weights, teachers, one program."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import networks
import numpy as np
import optax
import pytest

from rcj import crd, losses, masks, models, scores, train, tree, weights
from rcj.augment import AugMix, Views
from rcj.types import Frozen, Outputs, Preprocessing, TrainState

HALF = Preprocessing((0.5,) * 3, (0.5,) * 3, size=16)
MODEL = networks.two_layers()
CE = {'ce': losses.Weighted(1.0, losses.CrossEntropy())}
SGD = optax.chain(
  optax.add_decayed_weights(5e-4), optax.trace(0.9, nesterov=True)
)


def normalised(images, shown):
  mean, std = (
    jnp.array(x).reshape(1, 1, 1, 3) for x in (shown.mean, shown.std)
  )
  return ((images.astype(jnp.float32) / 255 - mean) / std)[:, None]


def plain(key, batch, *, num_classes, mean, std):
  del key, num_classes
  shown = Preprocessing(mean, std, size=16)
  return {**batch, 'views': normalised(batch['image'], shown)}


def mesh_of(devices):
  return jax.make_mesh(
    (devices,),
    ('data',),
    (jax.sharding.AxisType.Auto,),
    devices=jax.devices()[:devices],
  )


def start(trainable=train.WEIGHTS, tx=SGD):
  params, stats = models.init(jax.random.key(1), MODEL, size=16)
  nowhere = jax.tree.map(lambda _: None, params)
  state = TrainState(
    jnp.int32(0), params, stats, None, nowhere, nowhere, {}, {}
  )
  moving, _ = tree.partition(train.trees(state), trainable)
  return dataclasses.replace(state, opt_state=tx.init(moving))


def batch_of(n=16, seed=0):
  rng = np.random.default_rng(seed)
  return {
    'image': rng.integers(0, 256, (n, 16, 16, 3), dtype=np.uint8),
    'label': rng.integers(0, 10, n).astype(np.int32),
    'index': np.arange(n, dtype=np.int32),
  }


HOW = {
  'model': MODEL,
  'preprocessing': HALF,
  'tx': SGD,
  'schedule': optax.constant_schedule(0.1),
  'augment': plain,
  'terms': CE,
  'effective': weights.Masked(),
  'trainable': train.WEIGHTS,
}


plain_step = jax.jit(functools.partial(train.train_step, **HOW))


def one_step(state, batch, *, k=None, **changes):
  run = plain_step
  if changes:
    run = jax.jit(functools.partial(train.train_step, **{**HOW, **changes}))
  return run(state, batch, jax.random.key(0), k, None)


@functools.cache
def compiled_on(devices):
  """The step, and where its state and its batches lie."""
  mesh = mesh_of(devices)
  everywhere, rows = (
    jax.NamedSharding(mesh, p) for p in (jax.P(), jax.P('data'))
  )
  return train.compiled(train.train_step, mesh, **HOW), everywhere, rows


@functools.cache
def trained(devices, steps=3):
  step, everywhere, rows = compiled_on(devices)
  state = jax.device_put(start(), everywhere)
  for i in range(steps):
    batch = jax.device_put(batch_of(seed=i), rows)
    state, metrics = step(state, batch, jax.random.key(0), None, None)
  assert step._cache_size() == 1
  return jax.device_get(state), jax.device_get(metrics)


def close(a, b, **tolerance):
  jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **tolerance), a, b)


def test_one_and_four_devices_agree():
  one, four = trained(1), trained(4)
  close(one[0].params, four[0].params, rtol=1e-3, atol=2e-5)
  close(one[0].batch_stats, four[0].batch_stats, rtol=1e-3, atol=2e-5)
  assert one[1]['loss'] == pytest.approx(four[1]['loss'], rel=1e-4)


def test_update_is_that_of_torch_style_sgd():
  """First Nesterov step: w - lr * (g + wd w) * (1 + momentum)."""
  state, batch = start(), batch_of()
  how = {k: v for k, v in HOW.items() if k not in ('tx', 'schedule')}
  gradients = jax.jit(functools.partial(train.gradients, **how))
  grads, _ = gradients(state, batch, jax.random.key(0), None, None)
  new, _ = one_step(state, batch)
  want = jax.tree.map(
    lambda w, g: w - 0.1 * 1.9 * (g + 5e-4 * w), state.params, grads['params']
  )
  close(new.params, want, rtol=1e-5, atol=1e-6)


def test_pmap_step_gives_the_same_update():
  """Per-device BatchNorm sees equal shards, so that both are the same step."""
  shard = batch_of(4)
  batch = {k: np.concatenate([v] * 4) for k, v in shard.items()}
  how = {k: v for k, v in HOW.items() if k not in ('tx', 'schedule')}
  state = start()
  gradients = functools.partial(train.gradients, **how)

  def one_device(state, batch, key):
    return jax.lax.pmean(gradients(state, batch, key, None, None), 'data')

  split = jax.tree.map(lambda x: x.reshape(4, 4, *x.shape[1:]), batch)
  grads, (stats, _, _) = jax.pmap(
    one_device, axis_name='data', in_axes=(None, 0, None)
  )(state, split, jax.random.key(0))
  grads, stats = jax.tree.map(lambda x: x[0], (grads, stats))
  by_pmap = train.apply_gradients(
    state,
    grads,
    stats,
    {},
    tx=SGD,
    schedule=HOW['schedule'],
    trainable=train.WEIGHTS,
  )
  by_jit, _ = one_step(state, batch)
  close(by_pmap.params, by_jit.params, rtol=1e-4, atol=1e-6)
  close(by_pmap.batch_stats, by_jit.batch_stats, rtol=1e-4, atol=1e-6)


def test_dormant_weights_stay_bit_for_bit():
  state = start()
  half = jax.tree.map(
    lambda x: jax.random.bernoulli(jax.random.key(3), 0.5, x.shape),
    masks.eligible(state.params),
  )
  state = dataclasses.replace(state, masks=half)
  step = train.compiled(train.train_step, mesh_of(1), **HOW)
  before = jax.device_get(state)
  for i in range(3):
    state, _ = step(state, batch_of(seed=i), jax.random.key(0), None, None)

  def check(old, new, mask):
    if mask is None:
      return
    np.testing.assert_array_equal(old[~mask], np.asarray(new)[~mask])
    assert (old[mask] != np.asarray(new)[mask]).mean() > 0.9

  jax.tree.map(check, before.params, state.params, before.masks)


def test_mask_selection_moves_scores_and_batchnorm_only():
  state = start()
  scored = scores.scaled_init(state.params, masks.eligible(state.params))
  state = dataclasses.replace(state, scores=scored)
  moving, _ = tree.partition(train.trees(state), train.SCORES)
  state = dataclasses.replace(state, opt_state=SGD.init(moving))
  effective = weights.Hydra(0.3)
  how = {'effective': effective, 'trainable': train.SCORES}
  k = effective.counts(state.scores)
  new, _ = one_step(state, batch_of(), k=k, **how)
  for name, old in tree.leaves(state.params).items():
    same = bool(jnp.all(old == tree.leaves(new.params)[name]))
    assert same == ('/bn' not in f'/{name}'), name
  for name, old in tree.leaves(state.scores).items():
    assert bool(jnp.any(old != tree.leaves(new.scores)[name])), name


def test_teacher_gets_views_in_its_own_normalisation():
  state = start()
  other = Preprocessing((0.1, 0.2, 0.3), (1.0, 2.0, 0.5), size=16)
  nowhere = state.masks
  images = batch_of(4)['image']

  def teacher(shown):
    return Frozen(
      state.params, state.batch_stats, nowhere, nowhere,
      MODEL, weights.Masked(), shown, ('',) * 10,
    )  # fmt: skip

  views = normalised(images, HALF)
  seen = train.teacher_outputs(teacher(other), views, HALF)
  direct = normalised(images, other)
  want = train.teacher_outputs(teacher(other), direct, other)
  close(seen.logits, want.logits, rtol=1e-4, atol=1e-5)
  same = train.teacher_outputs(teacher(HALF), views, HALF)
  assert not np.allclose(same.logits, want.logits, atol=1e-3)


def test_a_step_taken_again_is_the_same_step():
  step, everywhere, rows = compiled_on(1)
  batch = jax.device_put(batch_of(), rows)
  runs = [
    step(
      jax.device_put(start(), everywhere), batch, jax.random.key(0), None, None
    )
    for _ in range(2)
  ]
  jax.tree.map(
    lambda a, b: np.testing.assert_array_equal(a, b), *[r[0] for r in runs]
  )


def test_bfloat16_compute_keeps_float32_weights():
  model = networks.two_layers(jnp.bfloat16)
  state, batch = start(), batch_of()
  new, metrics = one_step(state, batch, model=model)
  _, exact = one_step(state, batch)
  assert {x.dtype for x in jax.tree.leaves(new.params)} == {jnp.dtype('f4')}
  assert metrics['loss'] == pytest.approx(float(exact['loss']), rel=0.05)
  assert metrics['loss'] != exact['loss']


@functools.cache
def traced_with_augmix():
  mesh = mesh_of(4)
  how = {
    **HOW,
    'augment': functools.partial(Views(padding=4, augmix=AugMix()), mesh=mesh),
    'terms': {**CE, 'jsd': losses.Weighted(12.0, losses.JSD())},
  }
  step = train.compiled(train.train_step, mesh, **how)
  data = jax.NamedSharding(mesh, jax.P('data'))
  batch = jax.device_put(batch_of(), data)
  return step.trace(start(), batch, jax.random.key(0), None, None)


@pytest.mark.parametrize('platform', ['cuda', 'tpu'])
def test_the_step_lowers_for_accelerators(platform):
  """With AugMix, on a mesh of four: rules are checked without the hardware."""
  lowered = traced_with_augmix().lower(lowering_platforms=(platform,))
  assert 'convolution' in lowered.as_text()


@functools.cache
def traced_with_contrast(banks):
  term = crd.CRD(feature_dim=8, negatives=20, banks=banks)
  state = start()
  teacher = Frozen(
    state.params, state.batch_stats, state.masks, state.masks,
    MODEL, weights.Masked(), HALF, ('',) * 10,
  )  # fmt: skip
  pooled = Outputs(None, (), jax.ShapeDtypeStruct((1, 1, 16), jnp.float32))
  heads, aux = term.init(
    jax.random.key(0), (pooled, pooled), np.arange(64) % 10
  )
  state = dataclasses.replace(state, heads={'crd': heads}, aux={'crd': aux})
  moving, _ = tree.partition(train.trees(state), train.WEIGHTS)
  state = dataclasses.replace(state, opt_state=SGD.init(moving))
  how = {**HOW, 'terms': {**CE, 'crd': losses.Weighted(0.8, term)}}
  step = train.compiled(train.train_step, mesh_of(4), **how)
  return step.trace(state, batch_of(), jax.random.key(0), None, teacher)


@pytest.mark.parametrize('banks', ['replicated', 'sharded'])
@pytest.mark.parametrize('platform', ['cuda', 'tpu'])
def test_the_step_with_contrast_lowers_for_accelerators(platform, banks):
  lowered = traced_with_contrast(banks).lower(lowering_platforms=(platform,))
  assert 'scatter' in lowered.as_text()
