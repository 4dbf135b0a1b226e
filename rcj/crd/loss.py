"""The contrastive loss between two networks' features, and its memory banks.

Each image has one entry in the bank of the student's embeddings and one in the
teacher's. The student's embedding of an image is scored against entries of the
teacher's bank, and the other way round: the entry of the image itself should
score high, those of other classes low. Tian et al. 2020,
https://arxiv.org/abs/1910.10699; mean loss, gradients, banks and normalisers
equal those of `CRDLoss` of HobbitLong/RepDistiller.
"""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from rcj.crd.banks import Layout, normalised, update
from rcj.crd.negatives import by_class, check_index, check_negatives
from rcj.crd.scoring import score
from rcj.types import PyTree

Z = Literal['first_batch', 'ema']


def init(
  key: Key[Array, ''],
  *,
  labels: Int[Array, ' N'] | Int[np.ndarray, ' N'],
  student_dim: int,
  teacher_dim: int,
  feature_dim: int = 128,
) -> tuple[PyTree, PyTree]:
  """Embeddings to train, and the state that they are compared with.

  Args:
    key: draws embeddings (as torch's Linear) and banks, U(+-sqrt(3 / D)).
    labels: of all training images.
    student_dim: length of the student's pooled feature.
    teacher_dim: length of the teacher's.
    feature_dim: length D of an embedding.

  Returns:
    (heads, state): heads {'student', 'teacher'} each {'kernel', 'bias'}; state
    'banks' {'student', 'teacher'} f32[N,D], 'z' {'student', 'teacher'} the
    normaliser of each anchor's scores, 0 until the first batch, and 'classes',
    the labels as `contrast` takes them.

  Raises:
    ValueError: if there are fewer than two classes.
  """
  keys = jax.random.split(key, 4)
  dims = {'student': student_dim, 'teacher': teacher_dim}
  heads = {
    name: _linear(keys[i], dim, feature_dim)
    for i, (name, dim) in enumerate(dims.items())
  }
  bound = math.sqrt(3 / feature_dim)
  banks = {
    name: _uniform(keys[2 + i], (len(labels), feature_dim), bound)
    for i, name in enumerate(dims)
  }
  z = {name: jnp.zeros(()) for name in dims}
  return heads, {'banks': banks, 'z': z, 'classes': by_class(labels)}


def _linear(key: Key[Array, ''], inputs: int, outputs: int) -> PyTree:
  keys, bound = jax.random.split(key), 1 / math.sqrt(inputs)
  return {
    'kernel': _uniform(keys[0], (inputs, outputs), bound),
    'bias': _uniform(keys[1], (outputs,), bound),
  }


def _uniform(
  key: Key[Array, ''], shape: tuple[int, ...], bound: float
) -> Array:
  flat = jax.random.uniform(
    key, (math.prod(shape),), minval=-bound, maxval=bound
  )
  return flat.reshape(shape)


def crd(
  heads: PyTree,
  state: PyTree,
  student_pooled: Float[Array, 'B S'],
  teacher_pooled: Float[Array, 'B T'],
  index: Int[Array, ' B'],
  contrast_index: Int[Array, 'B K+1'],
  *,
  tau: float = 0.07,
  momentum: float = 0.5,
  z: Z = 'first_batch',
  banks: Layout = 'replicated',
) -> tuple[Float[Array, ' B'], PyTree]:
  """Contrastive distillation, and the state for the next step.

  With embeddings v of unit length, o = exp(<bank[i], v> / tau) / Z and
  c = K / N, an anchor costs log((o+c)/o) at its positive and log((o+c)/c) at
  each negative. Bank entries and Z are constants to the gradient. Afterwards
  the entries of the batch move to l2norm(momentum * entry + (1-momentum) * v);
  of an image that a batch holds twice, the last row counts.

  Args:
    heads: of `init`; trained with the network.
    state: of `init` or of the step before.
    student_pooled: the student's features of the batch.
    teacher_pooled: the teacher's features of the same images.
    index: the images of the batch, 0..N-1: entries that are updated.
    contrast_index: of `contrast`: positive first, then K negatives.
    tau: temperature of the scores.
    momentum: share of the old entry in an update.
    z: normaliser from the first batch alone ('first_batch'), or its moving
      average over all batches with decay 0.99 ('ema').
    banks: whether each device of the mesh holds all rows, or a block of them;
      their number (padded) then divides by the number of devices.

  Returns:
    (loss per example, new state).

  Raises:
    ValueError: if an index lies outside the banks, there is no negative, or an
      option is unknown.
  """
  images = len(state['classes']['order'])
  check_index(index, images)
  check_index(contrast_index, images)
  check_negatives(contrast_index.shape[1] - 1)
  check_choices(z, banks)
  pooled = {'student': student_pooled, 'teacher': teacher_pooled}
  v = {name: _embed(heads[name], pooled[name]) for name in heads}
  fixed = jax.lax.stop_gradient(v)
  loss, slope, new_z = score(
    fixed,
    contrast_index,
    state['banks'],
    state['z'],
    layout=banks,
    images=images,
    tau=tau,
    mode=z,
  )
  # A batch gone wrong must not stay in the banks. That the update so waits for
  # the slope also lets it happen in place: XLA would copy the banks else.
  sound = jnp.isfinite(sum(jnp.sum(g, axis=-1) for g in slope.values()))
  moved = update(
    fixed,
    jnp.where(sound, index, -1),
    state['banks'],
    layout=banks,
    momentum=momentum,
  )
  # The slope came with the value, so the backward pass reads no bank, and
  # nothing of [B,K+1] outlives the forward pass.
  for name in v:
    loss += jnp.sum(slope[name] * (v[name] - fixed[name]), axis=-1)
  return loss, {**state, 'banks': moved, 'z': new_z}


def check_choices(z: str, banks: str) -> None:
  """Raises ValueError unless both options are known."""
  if z not in ('first_batch', 'ema'):
    raise ValueError(f"z must be 'first_batch' or 'ema', not {z!r}")
  if banks not in ('replicated', 'sharded'):
    raise ValueError(f"banks must be 'replicated' or 'sharded', not {banks!r}")


def _embed(head: PyTree, pooled: Float[Array, 'B F']) -> Float[Array, 'B D']:
  pooled = pooled.astype(jnp.float32)
  h = jnp.dot(pooled, head['kernel'], precision='highest')
  return normalised(h + head['bias'][None])
