"""Reading pickles of plain data: no code in a file can run.

Only dicts, lists, bytes, strings, numbers and NumPy arrays are made; anything
else that a pickle asks for is an error.
"""

from __future__ import annotations

import codecs
import pathlib
import pickle
from typing import Any

import numpy as np
from numpy._core import multiarray

# Python 2 and 3, old and new NumPy name the same functions differently.
_ARRAY_MODULES = ('numpy.core.multiarray', 'numpy._core.multiarray')
_ALLOWED = {
  **{(m, '_reconstruct'): multiarray._reconstruct for m in _ARRAY_MODULES},
  **{(m, 'scalar'): multiarray.scalar for m in _ARRAY_MODULES},
  ('numpy', 'ndarray'): np.ndarray,
  ('numpy', 'dtype'): np.dtype,
  ('_codecs', 'encode'): codecs.encode,
}


class _PlainUnpickler(pickle.Unpickler):
  def find_class(self, module: str, name: str) -> Any:
    try:
      return _ALLOWED[module, name]
    except KeyError:
      raise pickle.UnpicklingError(
        f'it asks for {module}.{name}, which plain data never needs'
      ) from None


def load(path: pathlib.Path) -> Any:
  """The object in the file, with Python 2 strings as bytes.

  Raises:
    ValueError: if the file is truncated, no pickle, or holds more than dicts,
      lists, bytes, strings, numbers and NumPy arrays.
  """
  try:
    with open(path, 'rb') as f:
      return _PlainUnpickler(f, encoding='bytes').load()
  except Exception as e:
    # A damaged pickle can raise nearly anything.
    raise ValueError(
      f'{path} ({path.stat().st_size:,} bytes) cannot be read as a pickle of '
      f'arrays: {type(e).__name__}: {e}; a usual cause is an interrupted copy'
    ) from e
