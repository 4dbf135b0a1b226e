"""The training step: one pure function, and its compilation over a mesh.

How a network is compressed enters only through `effective`; what it is taught
only through `terms`; what it sees only through `augment`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key

from rcj import losses, masks, models, tree
from rcj.types import (
  Batch,
  Counts,
  Effective,
  Frozen,
  Metrics,
  Outputs,
  Preprocessing,
  PyTree,
  TrainState,
)

# Which leaves a phase trains, as patterns on {params, scores, heads}.
WEIGHTS = r'(params|heads)/.*'
SCORES = r'(scores|heads)/.*|params/(.*/)?bn\w*/.*'


def trees(state: TrainState) -> PyTree:
  """The leaves that an optimiser may move."""
  return {'params': state.params, 'scores': state.scores, 'heads': state.heads}


def gradients(
  state: TrainState,
  batch: Batch,
  key: Key[Array, ''],
  k: Counts | None,
  teacher: Frozen | None,
  *,
  model: Any,
  preprocessing: Preprocessing,
  augment: Callable[..., Batch],
  terms: Mapping[str, losses.Weighted],
  effective: Effective,
  trainable: str,
) -> tuple[PyTree, tuple[PyTree, PyTree, Metrics]]:
  """Gradients of the mean total loss with respect to the trainable leaves.

  Returns:
    (gradients with None where a leaf is frozen, (batch_stats, aux, metrics)).
  """
  augment_key, term_key = jax.random.split(jax.random.fold_in(key, state.step))
  batch = augment(
    augment_key,
    batch,
    num_classes=model.num_classes,
    mean=preprocessing.mean,
    std=preprocessing.std,
  )
  views = batch['views']
  seen = teacher_outputs(teacher, views, preprocessing)
  moving, fixed = tree.partition(trees(state), trainable)

  def loss(moving):
    t = tree.combine(moving, fixed)
    weights = effective(t['params'], state.masks, t['scores'], k)
    student, stats = models.outputs(
      model, weights, state.batch_stats, views, train=True
    )
    values, aux, parts = losses.total(
      terms, student, batch, seen, t['heads'], state.aux, term_key
    )
    metrics = {name: jnp.mean(x) for name, x in parts.items()}
    right = jnp.argmax(student.logits[:, 0], -1) == batch['label']
    metrics |= {'loss': jnp.mean(values), 'accuracy': jnp.mean(right)}
    return metrics['loss'], (stats, aux, metrics)

  (_, aux), grads = jax.value_and_grad(loss, has_aux=True)(moving)
  return grads, aux


def teacher_outputs(
  teacher: Frozen | None,
  views: Float[Array, 'B V H W 3'],
  preprocessing: Preprocessing,
) -> Outputs | None:
  """What the teacher says of the student's views, in evaluation mode.

  A teacher with another normalisation gets the views re-mapped to its own.
  """
  if teacher is None:
    return None
  own = teacher.preprocessing
  if (own.mean, own.std) != (preprocessing.mean, preprocessing.std):
    mine, theirs = (
      (
        jnp.array(p.mean).reshape(1, 1, 1, 1, 3),
        jnp.array(p.std).reshape(1, 1, 1, 1, 3),
      )
      for p in (preprocessing, own)
    )
    views = (views * mine[1] + mine[0] - theirs[0]) / theirs[1]
  k = teacher.effective.counts(teacher.scores)
  weights = teacher.effective(teacher.params, teacher.masks, teacher.scores, k)
  seen, _ = models.outputs(
    teacher.model, weights, teacher.batch_stats, views, train=False
  )
  return jax.lax.stop_gradient(seen)


def apply_gradients(
  state: TrainState,
  grads: PyTree,
  batch_stats: PyTree,
  aux: PyTree,
  *,
  tx: optax.GradientTransformation,
  schedule: optax.Schedule,
  trainable: str,
) -> TrainState:
  """Moves the trainable leaves; dormant weights stay bit for bit.

  Dormant weights are hidden from weight decay, and their updates are masked,
  so that neither decay nor momentum can move them (decision 9).
  """
  moving, fixed = tree.partition(trees(state), trainable)
  shown, grads = _mask_params((moving, grads), state.masks)
  updates, opt_state = tx.update(grads, state.opt_state, shown)
  (updates,) = _mask_params((updates,), state.masks)
  rate = -schedule(state.step)
  moved = optax.apply_updates(moving, jax.tree.map(lambda u: rate * u, updates))
  new = tree.combine(moved, fixed)
  return TrainState(
    step=state.step + 1,
    params=new['params'],
    batch_stats=batch_stats,
    opt_state=opt_state,
    masks=state.masks,
    scores=new['scores'],
    heads=new['heads'],
    aux=aux,
  )


def _mask_params(
  moving: tuple[PyTree, ...], mask: PyTree
) -> tuple[PyTree, ...]:
  return tuple(
    {**t, 'params': masks.apply(t['params'], _like(t['params'], mask))}
    for t in moving
  )


def _like(params: PyTree, mask: PyTree) -> PyTree:
  """`mask` with None also where `params` has None (leaves not trained)."""
  return jax.tree.map(
    lambda p, m: None if p is None else m,
    params,
    mask,
    is_leaf=lambda x: x is None,
  )


def train_step(
  state: TrainState,
  batch: Batch,
  key: Key[Array, ''],
  k: Counts | None,
  teacher: Frozen | None,
  *,
  tx: optax.GradientTransformation,
  schedule: optax.Schedule,
  trainable: str,
  **how: Any,
) -> tuple[TrainState, Metrics]:
  """One optimisation step; `how` is passed on to `gradients`.

  Randomness comes from `key` folded with `state.step`, so a step that is taken
  again after a restart is the same step. Not compiled: see `compiled`.
  """
  grads, (stats, aux, metrics) = gradients(
    state, batch, key, k, teacher, trainable=trainable, **how
  )
  metrics = {
    **metrics,
    'gradient_norm': optax.tree.norm(grads),
    'learning_rate': schedule(state.step),
  }
  new = apply_gradients(
    state, grads, stats, aux, tx=tx, schedule=schedule, trainable=trainable
  )
  return new, metrics


def compiled(
  step: Callable[..., Any],
  mesh: jax.sharding.Mesh,
  *,
  placement: PyTree = None,
  **how: Any,
) -> Callable[..., Any]:
  """`step` jitted over `mesh`: state donated, results replicated.

  Batches come sharded over the mesh axis 'data'; the compiler inserts the
  reductions of gradients and BatchNorm statistics over the global batch. Terms
  that exchange rows themselves find the mesh by `get_abstract_mesh`.

  Args:
    step: the function.
    mesh: devices.
    placement: shardings of the results, where not all of them are replicated.
    **how: arguments that are known now.
  """
  placement = placement or jax.NamedSharding(mesh, jax.P())

  def on_mesh(*args):
    with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
      return step(*args, **how)

  return jax.jit(on_mesh, donate_argnums=0, out_shardings=placement)


def recalibrate_step(
  state: TrainState,
  batch: Batch,
  key: Key[Array, ''],
  k: Counts | None,
  *,
  model: Any,
  preprocessing: Preprocessing,
  augment: Callable[..., Batch],
  effective: Effective,
) -> TrainState:
  """One forward pass that moves BatchNorm's running statistics alone."""
  batch = augment(
    jax.random.fold_in(key, state.step),
    batch,
    num_classes=model.num_classes,
    mean=preprocessing.mean,
    std=preprocessing.std,
  )
  weights = effective(state.params, state.masks, state.scores, k)
  _, stats = models.outputs(
    model, weights, state.batch_stats, batch['views'], train=True
  )
  return dataclasses.replace(state, batch_stats=stats, step=state.step + 1)
