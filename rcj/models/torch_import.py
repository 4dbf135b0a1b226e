"""PyTorch checkpoints of the networks in the registry, as `Frozen` ones."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flax import linen as nn
from safetensors import SafetensorError
from safetensors.numpy import load_file

from rcj.models import conv_net, imported, registry, unpickle
from rcj.models.conv_net import ConvNet
from rcj.models.wide_resnet import WideResNet
from rcj.types import Frozen, Preprocessing

_COUNTER = 'num_batches_tracked'  # torch's step count, of no use to inference

# Reads flattened pixels.
_FLAT = 'params/hidden1/kernel'

_LEAVES = {
  'running_mean': ('batch_stats', 'mean'),
  'running_var': ('batch_stats', 'var'),
  'bias': ('params', 'bias'),
}


def load_torch(
  path: str | os.PathLike[str],
  name: str,
  *,
  classes: Sequence[int] | None = None,
) -> Frozen:
  """Reads a PyTorch checkpoint, without torch.

  Every tensor of the file must find its place and every parameter of the
  network its tensor; only `num_batches_tracked` is left aside. The number of
  classes comes from the classifier, classes are named '0', '1', ...

  Args:
    path: .pth, .pt or .th of `torch.save` in its zip or legacy format, or
      .safetensors; a state dict, or a dict with it under 'state_dict'; names
      may start with 'module.'. Names are those of torchvision, of the common
      CIFAR ResNets, of RobustBench's wide ResNets, or of hidden-networks'
      conv2 to conv8.
    name: the architecture, one of `registry.NAMES`, with its default stem.
    classes: outputs to keep, in this order, such as the hundred classes of a
      student in a teacher of a thousand; None keeps all.

  Returns:
    a dense network with float32 parameters. Its preprocessing is that of the
    public checkpoints: ImageNet's statistics at 224 px, or at 32 px without
    resizing for CIFAR ResNets; CIFAR-10's statistics for wide ResNets, as
    RobustBench's CARDs have them, and for conv2 to conv8. Replace it where a
    file wants another.

  Raises:
    UnsafePickleError: if the file asks for anything but tensors.
    ValueError: if the name is unknown, the file is broken, names or shapes
      disagree with the architecture, or a class does not exist; lists which.
  """
  names = registry.torch_names(name)
  tensors = _state_dict(path)
  leaves = dict(_convert(k, x, names) for k, x in tensors.items())
  kernel = leaves.get('params/head/kernel')
  module = registry.create(
    name, num_classes=1 if kernel is None else kernel.shape[-1]
  )
  if isinstance(module, ConvNet) and _FLAT in leaves:
    leaves[_FLAT] = conv_net.rows_from_torch(module.architecture, leaves[_FLAT])
  _check(module, leaves, list(tensors))
  return imported.network(module, leaves, _preprocessing(module), classes)


def _preprocessing(module: Any) -> Preprocessing:
  shown = registry.STEM_PREPROCESSING[module.stem]
  if isinstance(module, (WideResNet, ConvNet)):
    return shown
  return dataclasses.replace(
    shown,
    mean=registry.IMAGENET_MEAN,
    std=registry.IMAGENET_STD,
  )


def _read(path: str | os.PathLike[str]) -> Any:
  if pathlib.Path(path).suffix != '.safetensors':
    return unpickle.read(path)
  try:
    return load_file(path)
  except SafetensorError as error:
    raise ValueError(f'{os.fspath(path)} is broken: {error}') from error


def _state_dict(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
  state = _read(path)
  if isinstance(state, dict):
    state = state.get('state_dict', state)
  if not isinstance(state, dict) or not all(
    isinstance(k, str) and isinstance(x, np.ndarray) for k, x in state.items()
  ):
    keys = list(state)[:8] if isinstance(state, dict) else type(state).__name__
    raise ValueError(
      f'{os.fspath(path)}: expected a state dict of tensors, or a dict that '
      f"has one under 'state_dict', got {keys}"
    )
  return {
    k.removeprefix('module.'): x
    for k, x in state.items()
    if not k.endswith(_COUNTER)
  }


def _convert(
  key: str, x: np.ndarray, names: Mapping[str, str]
) -> tuple[str, np.ndarray]:
  """Our name and layout of a tensor; unknown names stay as they are."""
  module, _, leaf = key.rpartition('.')
  if module not in names or leaf not in ('weight', *_LEAVES):
    return key, x
  ours = names[module]
  if leaf == 'weight':
    return _weight(ours, x)
  collection, leaf = _LEAVES[leaf]
  return f'{collection}/{ours}/{leaf}', x


def _weight(ours: str, x: np.ndarray) -> tuple[str, np.ndarray]:
  """OIHW -> HWIO, (out, in) -> (in, out), BatchNorm's weight -> scale."""
  if ours in ('head', 'hidden1', 'hidden2'):  # some are 1x1 convolutions
    return f'params/{ours}/kernel', x.reshape(x.shape[0], -1).T
  if x.ndim == 4:
    return f'params/{ours}/kernel', x.transpose(2, 3, 1, 0)
  return f'params/{ours}/scale', x


def _check(
  module: nn.Module, found: Mapping[str, np.ndarray], keys: Sequence[str]
) -> None:
  expected = imported.leaves(module)
  wanted = {n: x.shape for n, x in expected.items()}
  missing = sorted(set(wanted) - set(found))
  unexpected = sorted(set(found) - set(wanted))
  wrong = [
    f'{n} (expected {wanted[n]}, got {x.shape})'
    for n, x in found.items()
    if n in wanted and x.shape != wanted[n]
  ]
  if missing or unexpected or wrong:
    raise ValueError(
      f'the file does not hold a {module.architecture.name}.\n'
      f'missing: {_some(missing)}\n'
      f'unexpected: {_some(unexpected)}\n'
      f'of another shape: {_some(wrong)}\n{_hint(keys)}'
    )


def _some(names: Sequence[str]) -> str:
  """At most eight names: another architecture disagrees in hundreds."""
  more = f' and {len(names) - 8} more' if len(names) > 8 else ''
  return ', '.join(names[:8]) + more or 'none'


def _hint(keys: Sequence[str]) -> str:
  """Which networks have modules of just these names."""
  modules = {key.rpartition('.')[0] for key in keys}
  fitting = []
  for name in registry.NAMES:
    names = registry.torch_names(name)
    ours = {names.get(m) for m in modules}
    if ours == set(names.values()):
      fitting.append(name)
  return (
    f'The names of its layers are those of '
    f'{", ".join(fitting) or "none of the known networks"}; known are '
    f'{", ".join(registry.NAMES)}.'
  )
