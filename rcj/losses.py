"""Objectives: per-example losses, and the terms that a training step sums.

Functions take arrays and return one value per example; the mean is the
caller's. Terms (`CrossEntropy`, `KD`, ...) are frozen dataclasses that pick
their inputs from a network's `Outputs`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from rcj.types import Batch, LossTerm, Outputs, PyTree

Maps = tuple[Float[Array, 'B h w C'], ...]


def cross_entropy(
  logits: Float[Array, 'B K'], labels: Int[Array, ' B']
) -> Float[Array, ' B']:
  """Negative log-likelihood of the label, in nats."""
  log_p = jax.nn.log_softmax(logits.astype(jnp.float32))
  return -jnp.take_along_axis(log_p, labels[:, None], axis=-1)[:, 0]


def kd(
  student_logits: Float[Array, '*B K'],
  teacher_logits: Float[Array, '*B K'],
  *,
  temperature: float = 4.0,
) -> Float[Array, '*B']:
  """Knowledge distillation: T^2 KL(teacher || student) of softened classes.

  p = softmax(logits / T). The factor T^2 keeps the size of the gradient
  independent of T. No gradient reaches the teacher. Hinton et al. 2015,
  https://arxiv.org/abs/1503.02531; the mean over examples equals `DistillKL`
  of HobbitLong/RepDistiller.

  Raises:
    ValueError: if student and teacher do not have the same classes.
  """
  if student_logits.shape != teacher_logits.shape:
    raise ValueError(
      f'student logits {student_logits.shape} and teacher logits '
      f'{teacher_logits.shape} must have the same shape; a teacher with more '
      'classes is sliced to those of the student first'
    )
  teacher_logits = jax.lax.stop_gradient(teacher_logits)
  log_s = jax.nn.log_softmax(student_logits.astype(jnp.float32) / temperature)
  log_t = jax.nn.log_softmax(teacher_logits.astype(jnp.float32) / temperature)
  return temperature**2 * jnp.sum(jnp.exp(log_t) * (log_t - log_s), axis=-1)


def attention_transfer(
  student_maps: Maps, teacher_maps: Maps, *, power: int = 2
) -> Float[Array, ' B']:
  """Attention transfer: squared distance of normalised attention, per stage.

  The attention of a map is mean_c f^power over positions, divided by its L2
  norm; the loss is the mean over positions, summed over stages. Of a pair of
  maps with different sides the larger is average-pooled to the smaller. No
  gradient reaches the teacher. Zagoruyko and Komodakis 2017,
  https://arxiv.org/abs/1612.03928; the mean over examples equals the sum of
  `Attention` of HobbitLong/RepDistiller.

  Args:
    student_maps: one map per stage, channels may differ from the teacher's.
    teacher_maps: as many maps, the same images.
    power: even; odd powers would let positive and negative values cancel.

  Raises:
    ValueError: if the two do not have the same number of stages.
  """
  if len(student_maps) != len(teacher_maps):
    raise ValueError(
      f'{len(student_maps)} student maps cannot be paired with '
      f'{len(teacher_maps)} teacher maps; student: '
      f'{[f.shape for f in student_maps]}, teacher: '
      f'{[f.shape for f in teacher_maps]}; choose pairs of stages explicitly'
    )

  def stage(f_s, f_t):
    f_t = jax.lax.stop_gradient(f_t)
    side = (min(f_s.shape[1], f_t.shape[1]), min(f_s.shape[2], f_t.shape[2]))
    difference = _attention(f_s, side, power) - _attention(f_t, side, power)
    return jnp.mean(difference**2, axis=-1)

  return sum(
    stage(f_s, f_t) for f_s, f_t in zip(student_maps, teacher_maps, strict=True)
  )


def _attention(
  f: Float[Array, 'B h w C'], side: tuple[int, int], power: int
) -> Float[Array, 'B P']:
  f = _adaptive_average_pool(f.astype(jnp.float32), side)
  a = jnp.mean(f**power, axis=-1).reshape(f.shape[0], -1)
  # The maximum is inside the root: a map of zeros then has a gradient of zero.
  norm = jnp.sqrt(jnp.maximum(jnp.sum(a**2, axis=-1, keepdims=True), 1e-24))
  return a / norm


def _adaptive_average_pool(
  f: Float[Array, 'B h w C'], side: tuple[int, int]
) -> Float[Array, 'B p q C']:
  if f.shape[1:3] == side:
    return f
  rows = _pooling_matrix(f.shape[1], side[0])
  columns = _pooling_matrix(f.shape[2], side[1])
  return jnp.einsum('ph,bhwc,qw->bpqc', rows, f, columns, precision='highest')


def _pooling_matrix(n: int, m: int) -> Float[np.ndarray, 'm n']:
  """Bin o of m averages positions floor(o n / m) up to ceil((o+1) n / m)."""
  matrix = np.zeros((m, n), np.float32)
  for o in range(m):
    first, last = o * n // m, -(-(o + 1) * n // m)
    matrix[o, first:last] = 1 / (last - first)
  return matrix


def jsd(
  logits_clean: Float[Array, 'B K'],
  logits_aug1: Float[Array, 'B K'],
  logits_aug2: Float[Array, 'B K'],
) -> Float[Array, ' B']:
  """Jensen-Shannon divergence of the classes of three views, in nats.

  mean_i KL(p_i || M), M = clip(mean_i p_i, 1e-7, 1). Hendrycks et al. 2020,
  https://arxiv.org/abs/1912.02781; the mean over examples equals the term of
  google-research/augmix that is multiplied by 12.
  """
  log_p = jax.nn.log_softmax(
    jnp.stack([logits_clean, logits_aug1, logits_aug2]).astype(jnp.float32)
  )
  p = jnp.exp(log_p)
  # Logarithms come from log_softmax: log(exp(.)) is -inf where p underflows.
  log_m = jnp.log(jnp.clip(jnp.mean(p, axis=0), 1e-7, 1.0))
  return jnp.mean(jnp.sum(p * (log_p - log_m[None]), axis=-1), axis=0)


class _Stateless:
  """A term without trainable heads or memory."""

  needs_teacher: ClassVar[bool] = False

  def init(self, key, shapes, train_labels) -> tuple[PyTree, PyTree]:
    """Heads and aux of a term that has none."""
    del key, shapes, train_labels
    return {}, {}


@dataclasses.dataclass(frozen=True)
class CrossEntropy(_Stateless):
  """Cross-entropy of the clean view.

  Uses `batch['target']` f32[B,K] (mixed labels) where there is one.

  Attributes:
    label_smoothing: probability spread evenly over all classes, 0..1.
  """

  label_smoothing: float = 0.0

  def __call__(self, student, batch, teacher, heads, aux, key):
    """See `rcj.types.LossTerm`."""
    logits = student.logits[:, 0].astype(jnp.float32)
    classes = logits.shape[-1]
    target = batch.get('target')
    if target is None:
      target = jax.nn.one_hot(batch['label'], classes)
    e = self.label_smoothing
    target = (1 - e) * target + e / classes
    return -jnp.sum(target * jax.nn.log_softmax(logits), axis=-1), aux


@dataclasses.dataclass(frozen=True)
class KD(_Stateless):
  """`kd`; the teacher sees the same views as the student.

  Attributes:
    temperature: divides the logits of both.
    views: 'all' averages over the views, 'clean' uses view 0.
  """

  temperature: float = 4.0
  views: Literal['all', 'clean'] = 'all'
  needs_teacher: ClassVar[bool] = True

  def __post_init__(self):
    if self.views not in ('all', 'clean'):
      raise ValueError(f"views must be 'all' or 'clean', not {self.views!r}")

  def __call__(self, student, batch, teacher, heads, aux, key):
    """See `rcj.types.LossTerm`; raises ValueError without a teacher."""
    teacher = _require_teacher(teacher, 'KD')
    n = None if self.views == 'all' else 1
    loss = kd(
      student.logits[:, :n],
      teacher.logits[:, :n],
      temperature=self.temperature,
    )
    return jnp.mean(loss, axis=1), aux


@dataclasses.dataclass(frozen=True)
class AttentionTransfer(_Stateless):
  """`attention_transfer` between the maps of the clean view.

  Attributes:
    power: see `attention_transfer`.
    pairs: (student stage, teacher stage) pairs, counted from 0; None pairs
      stages in order and needs equally many.
  """

  power: int = 2
  pairs: tuple[tuple[int, int], ...] | None = None
  needs_teacher: ClassVar[bool] = True

  def __call__(self, student, batch, teacher, heads, aux, key):
    """See `rcj.types.LossTerm`; raises ValueError without a teacher."""
    teacher = _require_teacher(teacher, 'AttentionTransfer')
    maps_s = tuple(f[:, 0] for f in student.maps)
    maps_t = tuple(f[:, 0] for f in teacher.maps)
    if self.pairs is not None:
      maps_s = tuple(maps_s[i] for i, _ in self.pairs)
      maps_t = tuple(maps_t[j] for _, j in self.pairs)
    return attention_transfer(maps_s, maps_t, power=self.power), aux


@dataclasses.dataclass(frozen=True)
class JSD(_Stateless):
  """`jsd` of the three views (clean, augmented, augmented)."""

  def __call__(self, student, batch, teacher, heads, aux, key):
    """See `rcj.types.LossTerm`; raises ValueError unless there are 3 views."""
    views = student.logits.shape[1]
    if views != 3:
      raise ValueError(
        f'JSD compares 3 views (clean, aug1, aug2), got {views}; use an '
        'augmentation that makes two more, such as AugMix'
      )
    return jsd(*(student.logits[:, v] for v in range(3))), aux


def _require_teacher(teacher: Outputs | None, term: str) -> Outputs:
  if teacher is None:
    raise ValueError(
      f'{term} needs a teacher and this phase has none: give the phase '
      'teacher=...'
    )
  return teacher


@dataclasses.dataclass(frozen=True)
class Weighted:
  """A term and its factor in the total."""

  weight: float
  term: LossTerm


def total(
  terms: Mapping[str, Weighted],
  student: Outputs,
  batch: Batch,
  teacher: Outputs | None,
  heads: Mapping[str, PyTree],
  aux: Mapping[str, PyTree],
  key: Key[Array, ''],
) -> tuple[Float[Array, ' B'], dict[str, Any], dict[str, Float[Array, ' B']]]:
  """Weighted sum of all terms.

  Args:
    terms: {name: weighted term}, at least one.
    student: outputs of the network that learns.
    batch: labels and, where labels are mixed, targets.
    teacher: outputs on the same views, or None.
    heads: {name: trainable tree}; terms without an entry get {}.
    aux: {name: state}; terms without an entry get {}.
    key: split between the terms by their place in the order of names.

  Returns:
    The total per example, `aux` with the terms' new states, and {name: loss
    per example, without its weight}.

  Raises:
    ValueError: if there are no terms, or a term needs a teacher.
  """
  if not terms:
    raise ValueError('terms is empty: there is nothing to minimise')
  loss, states = {}, {}
  for i, name in enumerate(sorted(terms)):
    loss[name], states[name] = terms[name].term(
      student,
      batch,
      teacher,
      heads.get(name, {}),
      aux.get(name, {}),
      jax.random.fold_in(key, i),
    )
  weighted = sum(terms[name].weight * loss[name] for name in loss)
  return weighted, {name: states.get(name, aux[name]) for name in aux}, loss
