"""A training step to be timed, on images that lie on the devices already."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rcj import losses, models, optimizer, schedules, train, weights
from rcj.augment import Views
from rcj.experiment import data_mesh
from rcj.types import Preprocessing, TrainState

# What three views need.
JSD = {
  'ce': losses.Weighted(1.0, losses.CrossEntropy()),
  'jsd': losses.Weighted(12.0, losses.JSD()),
}


@dataclasses.dataclass(frozen=True)
class Clean:
  """Three views that are alike; an `rcj.types.Augment`."""

  dtype: str = 'float32'

  def __call__(self, key, batch, **how):
    seen = Views(dtype=self.dtype)(key, batch, **how)
    return {**seen, 'views': jnp.repeat(seen['views'], 3, axis=1)}


def stepper(
  model: Any,
  batch_size: int,
  shown: Preprocessing,
  *,
  augment: Callable,
  terms: dict[str, losses.Weighted],
) -> Callable[[], dict[str, jax.Array]]:
  """A function that starts one optimisation step and gives its metrics.

  Images and labels are random; SGD with momentum; on all devices.
  """
  mesh = data_mesh()
  step, arguments = prepared(
    model, batch_size, shown, augment=augment, terms=terms, mesh=mesh
  )
  return repeated(step, arguments)


def repeated(
  step: Callable, arguments: tuple[Any, ...]
) -> Callable[[], dict[str, jax.Array]]:
  """A function that takes the step after the last one: the state is donated."""
  box = [arguments[0]]

  def run():
    box[0], metrics = step(box[0], *arguments[1:])
    return metrics

  return run


def prepared(
  model: Any,
  batch_size: int,
  shown: Preprocessing,
  *,
  augment: Callable,
  terms: dict[str, losses.Weighted],
  mesh: jax.sharding.Mesh,
) -> tuple[Callable, tuple[Any, ...]]:
  """The step over a mesh, not compiled yet, and its arguments."""
  side = shown.size
  params, stats = models.init(jax.random.key(0), model, size=side)
  nowhere = jax.tree.map(lambda _: None, params)
  sgd = optimizer.SGD(schedules.Cosine(0.1), weight_decay=5e-4)
  tx = sgd.build()
  trees = (jnp.int32(0), params, stats)
  state = TrainState(*trees, None, nowhere, nowhere, {}, {})
  opt_state = tx.init(train.trees(state))
  state = TrainState(*trees, opt_state, nowhere, nowhere, {}, {})
  step = train.compiled(
    train.train_step,
    mesh,
    model=model,
    preprocessing=shown,
    tx=tx,
    schedule=sgd.schedule.build(1000),
    augment=augment,
    terms=terms,
    effective=weights.Masked(),
    trainable=train.WEIGHTS,
  )
  rng = np.random.default_rng(0)
  shape = (batch_size, side, side, 3)
  batch = {
    'image': rng.integers(0, 256, shape, dtype=np.uint8),
    'label': rng.integers(0, model.num_classes, batch_size).astype(np.int32),
    'index': np.arange(batch_size, dtype=np.int32),
  }
  batch = jax.device_put(batch, jax.NamedSharding(mesh, jax.P('data')))
  state = jax.device_put(state, jax.NamedSharding(mesh, jax.P()))
  return step, (state, batch, jax.random.key(0), None, None)
