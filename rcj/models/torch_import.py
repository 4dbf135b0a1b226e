"""Checkpoints of PyTorch ResNets as `Frozen` networks."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from rcj import tree
from rcj.models import apply, registry, unpickle
from rcj.types import Frozen, Preprocessing
from rcj.weights import Masked

_COUNTER = 'num_batches_tracked'  # torch's step count, of no use to inference

# Torch module -> ours. 'shortcut' and 'linear' are the names of the common
# CIFAR code, 'downsample' and 'fc' those of torchvision.
_MODULES = (
  (r'conv1', 'conv_stem'),
  (r'bn1', 'bn_stem'),
  (r'fc|linear', 'head'),
  (r'layer(\d+)\.(\d+)\.((?:conv|bn)\d)', r'{block}/\3'),
  (r'layer(\d+)\.(\d+)\.(?:downsample|shortcut)\.0', '{block}/conv_shortcut'),
  (r'layer(\d+)\.(\d+)\.(?:downsample|shortcut)\.1', '{block}/bn_shortcut'),
)
_LEAVES = {
  'running_mean': ('batch_stats', 'mean'),
  'running_var': ('batch_stats', 'var'),
  'bias': ('params', 'bias'),
}


def load_torch(path: str | os.PathLike[str], name: str) -> Frozen:
  """Reads a PyTorch checkpoint of a ResNet, without torch.

  Every tensor of the file must find its place and every parameter of the
  network its tensor; only `num_batches_tracked` is left aside. The number of
  classes comes from the classifier, classes are named '0', '1', ...

  Args:
    path: .pth, .pt or .th of `torch.save` in its zip or legacy format, or
      .safetensors; a state dict, or a dict with it under 'state_dict'; names
      may start with 'module.'.
    name: the architecture, one of `registry.NAMES`, with its default stem.

  Returns:
    a dense network with float32 parameters. Its preprocessing is ImageNet's
    statistics at 224 px, or at 32 px without resizing for CIFAR networks, as
    the public checkpoints of either family want.

  Raises:
    UnsafePickleError: if the file asks for anything but tensors.
    ValueError: if the name is unknown, the file is broken, or names or shapes
      disagree with the architecture; lists which.
  """
  tensors = _state_dict(path)
  converted = dict(_convert(k, x) for k, x in tensors.items())
  bias = converted.get('params/head/bias')
  module = registry.create(name, num_classes=1 if bias is None else bias.size)
  params, batch_stats = jax.eval_shape(
    lambda key: apply.init(key, module, size=32), jax.random.key(0)
  )
  expected = {'params': params, 'batch_stats': batch_stats}
  _check(expected, converted, name)
  variables = tree.map_named(
    lambda n, _: jnp.asarray(converted[n], jnp.float32), expected
  )
  none = jax.tree.map(lambda _: None, params)
  return Frozen(
    **variables,
    masks=none,
    scores=none,
    model=module,
    effective=Masked(),
    preprocessing=_preprocessing(module.stem),
    classes=tuple(str(i) for i in range(module.num_classes)),
  )


def _preprocessing(stem: str) -> Preprocessing:
  return dataclasses.replace(
    registry.STEM_PREPROCESSING[stem],
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


def _convert(key: str, x: np.ndarray) -> tuple[str, np.ndarray]:
  """Our name and layout of a tensor; unknown names stay as they are."""
  module, _, leaf = key.rpartition('.')
  matches = [(re.fullmatch(p, module), ours) for p, ours in _MODULES]
  match, ours = next((m for m in matches if m[0]), (None, ''))
  if match is None:
    return key, x
  if 'block' in ours:
    stage, block = match.group(1), int(match.group(2)) + 1
    ours = match.expand(ours.replace('{block}', f'stage{stage}_block{block}'))
  if leaf == 'weight':
    return _weight(ours, x)
  if leaf not in _LEAVES:
    return key, x
  collection, leaf = _LEAVES[leaf]
  return f'{collection}/{ours}/{leaf}', x


def _weight(ours: str, x: np.ndarray) -> tuple[str, np.ndarray]:
  """OIHW -> HWIO, (out, in) -> (in, out), BatchNorm's weight -> scale."""
  if x.ndim == 4:
    return f'params/{ours}/kernel', x.transpose(2, 3, 1, 0)
  if x.ndim == 2:
    return f'params/{ours}/kernel', x.T
  return f'params/{ours}/scale', x


def _check(
  expected: Mapping[str, Any], found: Mapping[str, np.ndarray], name: str
) -> None:
  wanted = {n: x.shape for n, x in tree.leaves(expected).items()}
  missing = sorted(set(wanted) - set(found))
  unexpected = sorted(set(found) - set(wanted))
  wrong = [
    f'{n} (expected {wanted[n]}, got {x.shape})'
    for n, x in found.items()
    if n in wanted and x.shape != wanted[n]
  ]
  if missing or unexpected or wrong:
    raise ValueError(
      f'the file does not hold a {name}.\n'
      f'missing: {", ".join(missing) or "none"}\n'
      f'unexpected: {", ".join(unexpected) or "none"}\n'
      f'of another shape: {", ".join(wrong) or "none"}\n{_hint(found)}'
    )


def _hint(found: Mapping[str, np.ndarray]) -> str:
  """Which architectures have the blocks that these names show."""
  pairs = {
    match.groups()
    for n in found
    if (match := re.match(r'params/stage(\d+)_block(\d+)/', n))
  }
  stages = sorted({int(s) for s, _ in pairs})
  depths = tuple(sum(int(s) == t for s, _ in pairs) for t in stages)
  bottleneck = any('/conv3/' in n for n in found)
  fitting = [
    a.name
    for a in registry.ARCHITECTURES.values()
    if a.depths == depths and a.bottleneck == bottleneck
  ]
  kind = 'bottleneck' if bottleneck else 'basic'
  return (
    f'The file holds {depths} {kind} blocks per stage, as '
    f'{", ".join(fitting) or "none of the known networks"}; the names are '
    f'{", ".join(registry.NAMES)}.'
  )
