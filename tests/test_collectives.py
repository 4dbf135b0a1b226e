"""What the compiled training step sends between four devices."""

import collections
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rcj import losses, models, program, train, tree, weights
from rcj.augment import AugMix, Views
from rcj.types import Frozen, Preprocessing, TrainState

SIDE, BATCH = 8, 8
SHOWN = Preprocessing((0.5,) * 3, (0.5,) * 3, size=SIDE)
MODEL = models.create('resnet8', num_classes=10, width=0.25)
TX = optax.chain(optax.add_decayed_weights(5e-4), optax.trace(0.9))


def sent(text):
  """(operation, shape) of every array that a compiled program exchanges."""
  return [
    (x.operation, shape) for x in program.exchanges(text) for shape in x.shapes
  ]


def test_the_reader_of_programs_finds_what_is_gathered():
  mesh = jax.make_mesh((4,), ('data',), (jax.sharding.AxisType.Auto,))
  split = jax.NamedSharding(mesh, jax.P('data'))
  whole = jax.NamedSharding(mesh, jax.P())

  def both(x):
    return x, jnp.sum(x, 0)

  x = jax.ShapeDtypeStruct((8, 3), np.float32, sharding=split)
  text = jax.jit(both, out_shardings=whole).lower(x).compile().as_text()
  assert sorted(sent(text)) == [('all-gather', (8, 3)), ('all-reduce', (3,))]
  assert sorted(x.size for x in program.exchanges(text)) == [3 * 4, 8 * 3 * 4]


def start():
  params, stats = models.init(jax.random.key(0), MODEL, size=SIDE)
  nowhere = jax.tree.map(lambda _: None, params)
  state = TrainState(
    jnp.int32(0), params, stats, None, nowhere, nowhere, {}, {}
  )
  moving, _ = tree.partition(train.trees(state), train.WEIGHTS)
  return dataclasses.replace(state, opt_state=TX.init(moving))


def frozen(state):
  return Frozen(
    params=state.params,
    batch_stats=state.batch_stats,
    masks=state.masks,
    scores=state.scores,
    model=MODEL,
    effective=weights.Masked(),
    preprocessing=SHOWN,
    classes=tuple(map(str, range(10))),
  )


def abstract(tree, sharding):
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree
  )


@pytest.fixture(scope='module')
def step():
  """What a step with AugMix, JSD and a teacher sends, and its state."""
  mesh = jax.make_mesh((4,), ('data',), (jax.sharding.AxisType.Auto,))
  split = jax.NamedSharding(mesh, jax.P('data'))
  whole = jax.NamedSharding(mesh, jax.P())
  state = start()
  batch = {
    'image': np.zeros((BATCH, SIDE, SIDE, 3), np.uint8),
    'label': np.zeros(BATCH, np.int32),
    'index': np.zeros(BATCH, np.int32),
  }
  mixed = Views(padding=2, flip=True, augmix=AugMix())
  compiled = train.compiled(
    train.train_step,
    mesh,
    model=MODEL,
    preprocessing=SHOWN,
    tx=TX,
    schedule=optax.constant_schedule(0.1),
    augment=functools.partial(mixed, mesh=mesh),
    terms={
      'ce': losses.Weighted(0.5, losses.CrossEntropy()),
      'kd': losses.Weighted(0.5, losses.KD()),
      'at': losses.Weighted(1.0, losses.AttentionTransfer()),
      'jsd': losses.Weighted(6.0, losses.JSD()),
    },
    effective=weights.Masked(),
    trainable=train.WEIGHTS,
  )
  lowered = compiled.lower(
    abstract(state, whole),
    abstract(batch, split),
    abstract(jax.random.key(0), whole),
    None,
    abstract(frozen(state), whole),
  )
  return sent(lowered.compile().as_text()), state


def test_nothing_is_gathered(step):
  assert {operation for operation, _ in step[0]} == {'all-reduce'}


def test_gradients_and_statistics_are_reduced_and_no_more(step):
  """Each kernel once; per channel BatchNorm's two sums, there and back."""
  reduced, state = step
  shapes = collections.Counter(plain(shape) for _, shape in reduced)
  params = collections.Counter(
    plain(x.shape) for x in jax.tree.leaves(state.params)
  )
  several = {shape for shape in shapes if len(shape) > 1}
  assert several == {shape for shape in params if len(shape) > 1}
  for shape, n in shapes.items():
    if len(shape) > 1:
      assert n == params[shape], shape
    elif shape:
      assert params[shape] <= n <= 3 * params[shape], shape
  assert shapes[()] <= 10, 'the loss, its terms, and the accuracy'


def plain(shape):
  """A shape whatever the order of its axes: compilers transpose."""
  return tuple(sorted(n for n in shape if n > 1))
