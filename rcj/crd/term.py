"""Contrastive representation distillation as a loss term."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp

from rcj.crd.banks import everywhere
from rcj.crd.loss import check_choices, crd, init
from rcj.crd.negatives import check_mode, check_negatives, contrast
from rcj.crd.scoring import peak_bytes
from rcj.types import Outputs, PyTree

# Banks that are split have a multiple of this many rows, so that a checkpoint
# fits another number of devices.
_ROWS = 1024


@dataclasses.dataclass(frozen=True)
class CRD:
  """`crd` between the pooled features of the clean view.

  Attributes:
    feature_dim: length of an embedding.
    tau: temperature of the scores.
    momentum: share of the old entry when a bank is updated.
    negatives: K, images of other classes that each image is contrasted with.
    mode: see `contrast`.
    z: see `crd`.
    dtype: of the banks.
    banks: 'replicated', or 'sharded' by rows over the devices, whose number
      must then be a power of two up to 1024.
  """

  feature_dim: int = 128
  tau: float = 0.07
  momentum: float = 0.5
  negatives: int = 16384
  mode: Literal['exact', 'relax'] = 'exact'
  z: Literal['first_batch', 'ema'] = 'first_batch'
  dtype: Literal['float32', 'bfloat16'] = 'float32'
  banks: Literal['replicated', 'sharded'] = 'replicated'
  needs_teacher: ClassVar[bool] = True

  def __post_init__(self):
    check_negatives(self.negatives)
    check_mode(self.mode)
    check_choices(self.z, self.banks)
    if self.dtype not in ('float32', 'bfloat16'):
      raise ValueError(
        f"dtype must be 'float32' or 'bfloat16', not {self.dtype!r}"
      )
    if self.tau <= 0 or not 0 <= self.momentum < 1:
      raise ValueError(
        'CRD wants tau above 0 and momentum in 0..1, below 1, got '
        f'tau={self.tau}, momentum={self.momentum}'
      )

  @property
  def split(self) -> str:
    """Pattern on names in aux: arrays whose rows the devices share out."""
    return 'banks/.*' if self.banks == 'sharded' else ''

  def memory(self, images: int, batch_size: int, devices: int) -> str:
    """What a device will hold and, for a moment in each step, need more.

    Raises:
      ValueError: if the banks do not split evenly among the devices.
    """
    held, rows = self._rows(images), batch_size // devices
    if self.banks == 'sharded':
      if held % devices:
        raise ValueError(
          f'banks of {held} rows do not split among {devices} devices; sharded '
          "banks want a power of two up to 1024: use banks='replicated'"
        )
      held, rows = held // devices, batch_size
    entry = self.feature_dim * jnp.dtype(self.dtype).itemsize
    peak = peak_bytes(
      rows,
      held,
      features=self.feature_dim,
      k=self.negatives,
      dtype=self.dtype,
    )
    return (
      f'two banks of {held:,} x {self.feature_dim} {self.dtype}, '
      f'{2 * held * entry / 2**20:,.0f} MiB, and about '
      f'{peak / 2**20:,.1f} MiB for scores, on each of {devices} devices'
    )

  def init(self, key, shapes, train_labels) -> tuple[PyTree, PyTree]:
    """See `rcj.types.LossTerm`; raises ValueError without a teacher."""
    student, teacher = shapes[0], _require(shapes[1])
    heads, state = init(
      key,
      labels=train_labels,
      student_dim=student.pooled.shape[-1],
      teacher_dim=teacher.pooled.shape[-1],
      feature_dim=self.feature_dim,
    )
    more = self._rows(len(train_labels)) - len(train_labels)
    banks = jax.tree.map(
      lambda x: jnp.pad(x, ((0, more), (0, 0))).astype(self.dtype),
      state['banks'],
    )
    return heads, {**state, 'banks': banks}

  def _rows(self, images: int) -> int:
    if self.banks == 'replicated':
      return images
    return -(-images // _ROWS) * _ROWS

  def __call__(self, student, batch, teacher, heads, aux, key):
    """See `rcj.types.LossTerm`; raises ValueError without a teacher."""
    index = batch['index']
    if self.banks == 'sharded':  # then each device contrasts the whole batch
      index = everywhere(index)
    drawn = contrast(
      key, aux['classes'], index, k=self.negatives, mode=self.mode
    )
    return crd(
      heads,
      aux,
      student.pooled[:, 0],
      _require(teacher).pooled[:, 0],
      index,
      drawn,
      tau=self.tau,
      momentum=self.momentum,
      z=self.z,
      banks=self.banks,
    )


def _require(teacher: Outputs | None) -> Outputs:
  if teacher is None:
    raise ValueError(
      'CRD needs a teacher and this phase has none: give the phase teacher=...'
    )
  return teacher
