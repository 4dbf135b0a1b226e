"""One training step with AutoAugment, and one with CutMix, checked by hand."""

import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rcj import losses, train, weights
from rcj.augment import AutoAugment, CutMix, Views
from rcj.types import Preprocessing, TrainState

B, SIDE, K, RATE = 8, 12, 10, 0.1
SHOWN = Preprocessing((0.5, 0.4, 0.3), (0.2, 0.3, 0.25), size=SIDE)
KEY = jax.random.key(2)
AUGMENTS = {
  'autoaugment': Views(
    padding=2, flip=True, autoaugment=AutoAugment('cifar10')
  ),
  'cutmix': Views(padding=2, flip=True, cutmix=CutMix(prob=1.0)),
}


@dataclasses.dataclass(frozen=True)
class Linear:
  """A network of one matrix."""

  num_classes: int = K

  def apply(self, variables, images, *, train, mutable):
    flat = images.reshape(len(images), -1)
    return (flat @ variables['params']['kernel'], (), flat), {}


@pytest.fixture(scope='module')
def mesh():
  kind = (jax.sharding.AxisType.Auto,)
  return jax.make_mesh((4,), ('data',), kind)


def start():
  rng = np.random.default_rng(0)
  kernel = rng.normal(size=(SIDE * SIDE * 3, K)).astype(np.float32) / 50
  none = {'kernel': None}
  return TrainState(
    jnp.int32(3), {'kernel': jnp.array(kernel)}, {}, (), none, none, {}, {}
  )


def batch():
  rng = np.random.default_rng(1)
  return {
    'image': rng.integers(0, 256, (B, SIDE, SIDE, 3), np.uint8),
    'label': rng.integers(0, K, B).astype(np.int32),
    'index': np.arange(B, dtype=np.int32),
  }


def step(mesh, views):
  """The training step, its arguments traced."""
  compiled = train.compiled(
    train.train_step,
    mesh,
    model=Linear(),
    preprocessing=SHOWN,
    tx=optax.identity(),
    schedule=optax.constant_schedule(RATE),
    augment=functools.partial(views, mesh=mesh),
    terms={'ce': losses.Weighted(1.0, losses.CrossEntropy())},
    effective=weights.Masked(),
    trainable=train.WEIGHTS,
  )
  data = jax.NamedSharding(mesh, jax.P('data'))
  whole = jax.NamedSharding(mesh, jax.P())
  arguments = (
    jax.device_put(start(), whole),
    jax.device_put(batch(), data),
    jax.device_put(KEY, whole),
  )
  return compiled.trace(*arguments, None, None), arguments


def by_hand(views):
  """Kernel, loss and accuracy after a step on one device."""
  state, shown = start(), batch()
  key = jax.random.split(jax.random.fold_in(KEY, state.step))[0]
  how = {'num_classes': K, 'mean': SHOWN.mean, 'std': SHOWN.std}
  seen = jax.jit(functools.partial(views, **how))(key, shown)
  x = np.asarray(seen['views'], np.float64).reshape(B, -1)
  target = np.asarray(seen.get('target', np.eye(K)[shown['label']]))
  kernel = np.asarray(state.params['kernel'], np.float64)
  logits = x @ kernel
  p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  return {
    'kernel': kernel - RATE * x.T @ (p - target) / B,
    'loss': -(target * np.log(p)).sum(-1).mean(),
    'accuracy': (logits.argmax(-1) == shown['label']).mean(),
    'mixed': ((target > 0) & (target < 1)).any(),
  }


@pytest.mark.parametrize('name', AUGMENTS)
def test_a_step_on_four_devices_is_the_one_by_hand(mesh, name):
  traced, arguments = step(mesh, AUGMENTS[name])
  compiled = traced.lower().compile()
  new, metrics = compiled(*arguments, None, None)
  want = by_hand(AUGMENTS[name])
  np.testing.assert_allclose(new.params['kernel'], want['kernel'], atol=1e-5)
  assert metrics['loss'] == pytest.approx(want['loss'], rel=1e-5)
  assert metrics['accuracy'] == pytest.approx(want['accuracy'])
  assert want['mixed'] == (name == 'cutmix')
  gathered = re.findall(r'= (.*) all-gather(?:-start)?\(', compiled.as_text())
  kinds = set(re.findall(r'(\w+)\[', ' '.join(gathered)))
  # CutMix sends bytes and labels around, never the normalised views.
  assert kinds == ({'u8', 's32'} if name == 'cutmix' else set())


@pytest.mark.parametrize('platform', ['cuda', 'tpu'])
@pytest.mark.parametrize('name', AUGMENTS)
def test_the_step_lowers_for_accelerators(mesh, name, platform):
  traced, _ = step(mesh, AUGMENTS[name])
  text = traced.lower(lowering_platforms=(platform,)).as_text()
  assert ('all_gather' in text) == (name == 'cutmix')
