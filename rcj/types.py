"""The pytrees and protocols that flow through rcj: plain data, no behaviour.

Masks and scores are trees with the nesting of the parameters: an array where a
leaf may be pruned, None elsewhere. Because `jax.tree.map` takes its structure
from the first tree, parameters always come first: `tree.map(f, params, masks)`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

PyTree = Any
Params = PyTree  # nested dict of float32 arrays
Masks = PyTree  # nesting of params; bool array where prunable, else None
Scores = PyTree  # nesting of params; float32 array where prunable, else None
Counts = Int[Array, '...'] | Int[np.ndarray, '...']
Metrics = Mapping[str, Float[Array, '']]

# Keys: 'image' uint8[B,H,W,3], 'label' int32[B], 'index' int32[B] (dense
# 0..N-1 within the training set); after augmentation 'views' f32[B,V,H,W,3]
# (normalised, view 0 is the clean one) and optionally 'target' f32[B,K].
Batch = Mapping[str, Array]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
  """Everything that one optimisation step reads and writes.

  Attributes:
    step: int32 scalar, steps taken in the current phase.
    params: parameters of the network, dormant (pruned) values included.
    batch_stats: running mean and variance of BatchNorm; of a quantized network
      the ranges of its results.
    opt_state: state of the phase's optax transformation, None between phases.
    masks: bool arrays, True where a weight is alive; None leaves are dense.
    scores: learned importance (Hydra, edge-popup), None where there is none.
    heads: {term: trainable tree}, such as CRD's embeddings; never prunable.
    aux: {term: state without gradient}, such as CRD's memory banks.
  """

  step: Int[Array, '']
  params: Params
  batch_stats: PyTree
  opt_state: PyTree
  masks: Masks
  scores: Scores
  heads: PyTree
  aux: PyTree


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Outputs:
  """What a network shows to the loss terms, B images in V views each.

  Attributes:
    logits: class scores before softmax.
    maps: feature maps after each stage, shallow to deep; `[B,V,h,w,C]`.
    pooled: the feature that the classifier reads.
  """

  logits: Float[Array, 'B V K']
  maps: tuple[Float[Array, 'B V h w C'], ...]
  pooled: Float[Array, 'B V D']


@dataclasses.dataclass(frozen=True)
class Preprocessing:
  """How an image becomes a network's input: (x / 255 - mean) / std.

  Attributes:
    mean: per channel, for images in 0..1.
    std: per channel, for images in 0..1.
    size: side of the square input in pixels.
    resize: shorter side before the centre crop; None leaves images as they are.
  """

  mean: tuple[float, float, float]
  std: tuple[float, float, float]
  size: int
  resize: int | None = None


@dataclasses.dataclass(frozen=True)
class ChannelGroup:
  """Channels that live and die together because an addition ties them.

  Paths are '/'-joined, as `tree.names` gives them.

  Attributes:
    kernels: convolution kernels whose output channels (last axis) are tied.
    followers: leaves with one slice per channel on their last axis: BatchNorm
      scale and bias, convolution bias, depthwise kernels.
    readers: kernels whose input channels (second to last axis) these are,
      once, or behind a flattening layer once per pixel.
  """

  kernels: tuple[str, ...]
  followers: tuple[str, ...] = ()
  readers: tuple[str, ...] = ()


class Effective(Protocol):
  """The weights that the network sees; how every compression method enters.

  Straight-through estimators live here. `k` holds int32 counts of kept
  weights, computed on the host and passed as an array, so that a schedule
  never compiles twice.
  """

  def __call__(
    self, params: Params, masks: Masks, scores: Scores, k: Counts | None
  ) -> Params: ...

  def counts(self, scores: Scores) -> Counts | None:
    """Counts `k` for scores of these shapes, None where none are needed."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Frozen:
  """A finished network: teacher, deck member, evaluated or exported.

  Attributes:
    params: parameters, dormant (pruned) values included.
    batch_stats: see `TrainState`; of a network of integers their steps.
    masks: see `TrainState`.
    scores: see `TrainState`.
    model: module that computes logits, maps and the pooled feature.
    effective: how its weights are made from params, masks and scores.
    preprocessing: normalisation of its input.
    classes: names of its outputs.
    origin: model of the network that it was shrunk or quantized from, which
      its size is compared with; None where that is `model`.
  """

  params: Params
  batch_stats: PyTree
  masks: Masks
  scores: Scores
  model: Any = dataclasses.field(metadata={'static': True})
  effective: Effective = dataclasses.field(metadata={'static': True})
  preprocessing: Preprocessing = dataclasses.field(metadata={'static': True})
  classes: tuple[str, ...] = dataclasses.field(metadata={'static': True})
  origin: Any = dataclasses.field(default=None, metadata={'static': True})


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Snapshot:
  """A saved network: a teacher, or the point that `Rewind` goes back to.

  Attributes:
    network: a copy that shares no buffer with the training state.
    step: int32 scalar, where in its schedule the network was saved.
  """

  network: Frozen
  step: Int[Array, '']


class LossTerm(Protocol):
  """One objective: per-example values, and the state that it carries.

  `teacher` is None when the phase has none. Terms without state return `aux`
  unchanged and `init` gives ({}, {}). A term that remembers much may say how
  its memory is split among devices and how large it is: `phases/memory.py`.
  """

  def __call__(
    self,
    student: Outputs,
    batch: Batch,
    teacher: Outputs | None,
    heads: PyTree,
    aux: PyTree,
    key: Key[Array, ''],
  ) -> tuple[Float[Array, ' B'], PyTree]: ...

  def init(
    self,
    key: Key[Array, ''],
    shapes: tuple[Outputs, Outputs | None],
    train_labels: Int[np.ndarray, ' N'],
  ) -> tuple[PyTree, PyTree]: ...


class Augment(Protocol):
  """Adds to a batch what a network sees of it, as `Batch` says.

  The number of views is fixed by the value's fields.
  """

  def __call__(
    self,
    key: Key[Array, ''],
    batch: Batch,
    *,
    num_classes: int,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    mesh: jax.sharding.Mesh | None = None,
  ) -> Batch: ...


class Source(Protocol):
  """A labelled set of images with random access.

  The only thing to write for a new data set. `__getitem__` gives
  {'image': uint8[H,W,3], 'label': int}.

  Attributes:
    labels: known without reading an image.
    classes: names of the labels.
  """

  labels: Int[np.ndarray, ' N']
  classes: tuple[str, ...]

  def __len__(self) -> int: ...

  def __getitem__(self, index: int) -> Mapping[str, Any]: ...
