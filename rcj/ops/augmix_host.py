"""AugMix on the host, without JAX: for workers that load data.

Plans are drawn by NumPy and executed by the CPU kernel through its plain C
function, in the calling thread. The distributions are those of
`rcj.augment.augmix_plan`, and what a plan does is the same to the last bit, but
the random numbers are others: a training run that augments on the host does not
see the images of one that augments on the device.
"""

from __future__ import annotations

import ctypes
import dataclasses

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from rcj import native
from rcj.ops.augmix_options import (
  LEAST_LEVEL,
  NAMES,
  PAPER_OPS,
  check_options,
  parameters,
)
from rcj.ops.preprocessing import scale_and_offset


@dataclasses.dataclass(frozen=True)
class Plan:
  """AugMix of N images, see `rcj.augment.Plan`."""

  op: Int32[np.ndarray, 'N K D']
  param: Float32[np.ndarray, 'N K D 3']
  weights: Float32[np.ndarray, 'N K']
  m: Float32[np.ndarray, ' N']


def draw_plan(
  rng: np.random.Generator,
  n: int,
  *,
  size: int,
  severity: float = 3,
  width: int = 3,
  depth: int = -1,
  alpha: float = 1.0,
  all_ops: bool = False,
) -> Plan:
  """Draws AugMix for `n` images; options as of `rcj.augment.augmix_plan`.

  Raises:
    ValueError: for options out of range.
  """
  check_options(severity=severity, width=width, depth=depth, alpha=alpha)
  slots = (n, width, 3 if depth == -1 else depth)
  op = rng.integers(0, len(NAMES) if all_ops else PAPER_OPS, slots, np.int32)
  level = rng.uniform(LEAST_LEVEL, severity, slots).astype(np.float32)
  sign = np.where(rng.random(slots) > 0.5, -1, 1).astype(np.float32)
  choices = np.stack(parameters(level, sign, size, np), -1)
  param = np.zeros((*slots, 3), np.float32)
  param[..., 0] = np.take_along_axis(choices, op[..., None], -1)[..., 0]
  used = rng.integers(1, 4, slots[:2]) if depth == -1 else depth
  empty = np.arange(slots[2]) >= np.broadcast_to(used, slots[:2])[..., None]
  return Plan(
    op=np.where(empty, -1, op).astype(np.int32),
    param=np.where(empty[..., None], 0, param).astype(np.float32),
    weights=rng.dirichlet([alpha] * width, n).astype(np.float32),
    m=rng.beta(alpha, alpha, n).astype(np.float32),
  )


def views(
  images: UInt8[np.ndarray, 'B H W 3'],
  plan: Plan,
  *,
  mean: tuple[float, float, float],
  std: tuple[float, float, float],
  clean: bool = False,
  implementation: str | None = None,
) -> Float32[np.ndarray, 'B V H W 3']:
  """Executes a plan of A versions of each image, see `rcj.augment.mixed_views`.

  Args:
    images: values in 0..255.
    plan: of A * B versions; those of an image are neighbours.
    mean: per channel, for images in 0..1.
    std: per channel, for images in 0..1.
    clean: whether the first view is the image itself; V is then A + 1, else A.
    implementation: one of `native.CPU`, None for the fastest.

  Raises:
    TypeError: if an array has another type.
    ValueError: for shapes that do not fit and plans out of range.
    NativeError: if there is no native kernel.
  """
  arrays = {'images': images, **vars(plan)}
  versions = _check(arrays)
  scale, offset = scale_and_offset(mean=mean, std=std)
  B, H, W, _ = images.shape
  shape = np.array([B, versions, H, W, *plan.op.shape[1:]], np.int64)
  out = np.empty((B, versions + clean, H, W, 3), np.float32)
  fault = ctypes.create_string_buffer(256)
  inputs = [np.ascontiguousarray(x) for x in (*arrays.values(), scale, offset)]
  inputs.insert(1, shape)
  failed = _kernel(implementation)(
    *(x.ctypes.data_as(ctypes.c_void_p) for x in inputs),
    ctypes.c_int(clean),
    out.ctypes.data_as(ctypes.c_void_p),
    fault,
    ctypes.c_int64(len(fault)),
  )
  if failed:
    raise ValueError(f'augmix: {fault.value.decode()}')
  return out


def _kernel(implementation: str | None):
  if implementation is None:
    if not native.available():
      raise native.NativeError(f'no native kernels: {native.why_not()}')
    implementation = native.implementations()[0]
  return native.library(implementation).rcj_augmix_run


def _check(arrays: dict[str, np.ndarray]) -> int:
  """The number of versions of each image; raises what `views` says."""
  types = dict(
    zip(arrays, (np.uint8, np.int32, *[np.float32] * 3), strict=True)
  )
  for name, x in arrays.items():
    if x.dtype != types[name]:
      raise TypeError(f'{name} must be {types[name].__name__}, got {x.dtype}')
  images, op = arrays['images'], arrays['op']
  if images.ndim != 4 or images.shape[-1] != 3 or not len(images):
    raise ValueError(
      f'images must be [B,H,W,3] with B > 0, got {list(images.shape)}'
    )
  if op.ndim != 3 or len(op) % len(images):
    raise ValueError(
      'op must be [A*B,K,D], with the same number A of versions for each of '
      f'{len(images)} images, got {list(op.shape)}'
    )
  shapes = ((*op.shape, 3), op.shape[:2], op.shape[:1])
  for name, shape in zip(('param', 'weights', 'm'), shapes, strict=True):
    if arrays[name].shape != shape:
      raise ValueError(
        f'{name} must have shape {list(shape)} to go with op of '
        f'{list(op.shape)}, got {list(arrays[name].shape)}'
      )
  return len(op) // len(images)
