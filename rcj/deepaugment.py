"""Reads the weights of DeepAugment's two networks.

Not distributed here: edsr_baseline_x4-6b446fab.pt of sanghyun-son/EDSR-PyTorch
and model_final.state of alexandru-dinu/cae.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32
from safetensors import SafetensorError
from safetensors.numpy import load_file

from rcj.augment import cae, edsr
from rcj.models import unpickle

_SHAPES = {'edsr': edsr.shapes, 'cae': cae.shapes}
# Constants of EDSR that the code has too.
_SHIFTS = ('sub_mean.', 'add_mean.')


def load(
  path: str | os.PathLike[str], network: Literal['edsr', 'cae']
) -> dict[str, Float32[np.ndarray, '*shape']]:
  """Weights by PyTorch's names and in its layout, for `rcj.augment`.

  Args:
    path: a state dict of `torch.save`, which is read without torch and without
      running code, or .safetensors; names may start with 'module.'.
    network: whose file it is.

  Raises:
    UnsafePickleError: if the file asks for anything but tensors.
    ValueError: if the file is broken, or its names or shapes are not those of
      the network; lists which.
  """
  expected, found = _SHAPES[network](), _tensors(path)
  wrong = [
    f'{name} is {_shape(found, name)}, expected {list(shape)}'
    for name, shape in expected.items()
    if name not in found or found[name].shape != shape
  ]
  wrong += [f'{name} is not expected' for name in found if name not in expected]
  if wrong:
    raise ValueError(
      f'{os.fspath(path)} does not hold the weights of {network}: '
      f'{"; ".join(wrong[:4])} ({len(wrong)} in all). The usual cause is '
      'another size of the network, or the file of the other one'
    )
  return {n: np.asarray(found[n], np.float32) for n in expected}


def _tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
  state = _read(path)
  if not isinstance(state, Mapping) or not all(
    isinstance(x, np.ndarray) for x in state.values()
  ):
    raise ValueError(
      f'{os.fspath(path)}: expected a state dict of tensors, got '
      f'{list(state)[:8] if isinstance(state, Mapping) else type(state)}'
    )
  named = {k.removeprefix('module.'): x for k, x in state.items()}
  return {k: x for k, x in named.items() if not k.startswith(_SHIFTS)}


def _read(path: str | os.PathLike[str]) -> Any:
  if pathlib.Path(path).suffix != '.safetensors':
    return unpickle.read(path)
  try:
    return load_file(path)
  except SafetensorError as error:
    raise ValueError(f'{os.fspath(path)} is broken: {error}') from error


def _shape(found: Mapping[str, np.ndarray], name: str) -> str:
  return str(list(found[name].shape)) if name in found else 'missing'
