"""PyTorch checkpoints as NumPy arrays, without torch and without running code.

A pickle may call any importable function. This reader knows nothing but
tensors, dicts, lists and numbers, and refuses every other global by name.
The formats are those of torch/serialization.py: a zip archive since torch 1.6,
before that a stream of pickles followed by the raw storages.
"""

from __future__ import annotations

import math
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import jax.numpy as jnp
import numpy as np

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001

# Strings, because a pickle may change the state of an object that it gets.
_STORAGES = {
  'DoubleStorage': 'float64',
  'FloatStorage': 'float32',
  'HalfStorage': 'float16',
  'BFloat16Storage': 'bfloat16',
  'LongStorage': 'int64',
  'IntStorage': 'int32',
  'ShortStorage': 'int16',
  'CharStorage': 'int8',
  'ByteStorage': 'uint8',
  'BoolStorage': 'bool',
}

_REBUILD_TENSOR = ('_rebuild_tensor', '_rebuild_tensor_v2')

# What the pickle machine raises on bytes that are no pickle.
_MALFORMED = (
  pickle.UnpicklingError,
  zipfile.BadZipFile,
  EOFError,
  AttributeError,
  IndexError,
  KeyError,
  OverflowError,
  RecursionError,
  TypeError,
  ValueError,
)


class UnsafePickleError(ValueError):
  """The pickle asks for a global that no state dict needs."""


class _Storage(NamedTuple):
  key: str
  dtype: str
  numel: int


class _Tensor(NamedTuple):
  """A view of a storage whose bytes may come later in the file."""

  storage: _Storage
  offset: int
  size: tuple[int, ...]
  stride: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
  def find_class(self, module: str, name: str) -> Any:
    if (module, name) == ('collections', 'OrderedDict'):
      return OrderedDict
    if module == 'torch' and name in _STORAGES:
      return _STORAGES[name]
    # A new function each time: a pickle may set attributes of what it gets.
    if module == 'torch._utils' and name in _REBUILD_TENSOR:
      return lambda storage, offset, size, stride, *_: _Tensor(
        storage, offset, size, stride
      )
    if (module, name) == ('torch._utils', '_rebuild_parameter'):
      return lambda tensor, *_: tensor
    raise UnsafePickleError(
      f'the file asks for {module}.{name}; only tensors, dicts, lists and '
      'numbers are read. Save `model.state_dict()` instead of the model, and '
      'do not load a file that you do not trust with anything else'
    )

  def persistent_load(self, pid: Any) -> _Storage:
    kind, dtype, key, _, numel, *view = pid
    if kind != 'storage' or any(view):
      raise pickle.UnpicklingError(f'unknown persistent object {pid!r}')
    return _Storage(str(key), dtype, numel)


def read(path: str | os.PathLike[str]) -> Any:
  """What `torch.save` wrote, with NumPy arrays in place of tensors.

  Args:
    path: a zip archive (torch 1.6 and later) or a legacy stream of pickles.

  Returns:
    nested dicts, lists and numbers; arrays own their memory.

  Raises:
    UnsafePickleError: if the file asks for any global but those of tensors.
    ValueError: if the file is neither format, or broken.
  """
  try:
    if zipfile.is_zipfile(path):
      with zipfile.ZipFile(path) as archive:
        return _read_zip(archive)
    with open(path, 'rb') as file:
      return _read_legacy(file)
  except UnsafePickleError:
    raise
  except _MALFORMED as error:
    raise ValueError(
      f'{os.fspath(path)} is no file of torch.save, or a broken one: {error}'
    ) from error


def _read_zip(archive: zipfile.ZipFile) -> Any:
  pickles = [n for n in archive.namelist() if n.endswith('data.pkl')]
  if len(pickles) != 1:
    raise pickle.UnpicklingError(f'a zip archive with {pickles} as data.pkl')
  root = pickles[0].removesuffix('data.pkl')
  order = f'{root}byteorder'
  if order in archive.namelist() and archive.read(order) != b'little':
    raise pickle.UnpicklingError('big-endian files are not supported')
  with archive.open(pickles[0]) as file:
    tree = _Unpickler(file).load()
  return _resolve(tree, lambda s: archive.read(f'{root}data/{s.key}'))


def _read_legacy(file: BinaryIO) -> Any:
  magic, protocol = _Unpickler(file).load(), _Unpickler(file).load()
  if (magic, protocol) != (_LEGACY_MAGIC, _LEGACY_PROTOCOL):
    raise pickle.UnpicklingError(f'it starts with {magic!r}, {protocol!r}')
  system = _Unpickler(file).load()
  if not system['little_endian']:
    raise pickle.UnpicklingError('big-endian files are not supported')
  tree = _Unpickler(file).load()
  keys = _Unpickler(file).load()
  sizes = {}
  _map_tensors(lambda t: sizes.update({t.storage.key: _itemsize(t)}), tree)
  storages = {}
  for key in keys:
    numel = int.from_bytes(file.read(8), 'little')
    storages[key] = file.read(numel * sizes[key])
  return _resolve(tree, lambda s: storages[s.key])


def _itemsize(tensor: _Tensor) -> int:
  return jnp.dtype(tensor.storage.dtype).itemsize


def _resolve(tree: Any, data: Callable[[_Storage], bytes]) -> Any:
  return _map_tensors(lambda t: _array(t, data(t.storage)), tree)


def _map_tensors(f: Callable[[_Tensor], Any], tree: Any) -> Any:
  if isinstance(tree, _Tensor):
    return f(tree)
  if isinstance(tree, dict):
    return {k: _map_tensors(f, v) for k, v in tree.items()}
  if isinstance(tree, list | tuple):
    return [_map_tensors(f, v) for v in tree]
  return tree


def _array(tensor: _Tensor, data: bytes) -> np.ndarray:
  """A copy of the view, after checking that it lies within its storage."""
  flat = np.frombuffer(data, jnp.dtype(tensor.storage.dtype))
  numel = math.prod(tensor.size)
  steps = zip(tensor.size, tensor.stride, strict=True)
  last = tensor.offset + sum((n - 1) * step for n, step in steps)
  numbers = (*tensor.size, *tensor.stride, tensor.offset)
  if numel and (min(numbers) < 0 or max(last + 1, numel) > flat.size):
    raise pickle.UnpicklingError(
      f'a tensor of size {tensor.size} does not fit its storage of {flat.size}'
    )
  strides = [step * flat.itemsize for step in tensor.stride]
  return np.lib.stride_tricks.as_strided(
    flat[tensor.offset :], tensor.size, strides
  ).copy()
