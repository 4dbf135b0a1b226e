"""A folder with a network's Fourier heat map, finished or begun."""

from __future__ import annotations

import contextlib
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from etils import epath
from jaxtyping import Float, Int

from rcj import files, fourier, locks, settings
from rcj.data import ArraySource
from rcj.deck import Deck
from rcj.evaluate.predict import Predictor
from rcj.evaluate.waves import check, wrong_answers
from rcj.types import Frozen

_META, _MAP, _BEGUN, _LOCK = 'meta.json', 'heat_map.npy', 'begun.npy', '.lock'
# In these fields of meta.json the maps of two networks may differ.
_OF_THE_NETWORK = ('artifact', 'sha256', 'batch_size', 'devices')


def heat_map(
  network: Frozen | Deck | Predictor,
  source: ArraySource,
  folder: epath.PathLike,
  *,
  norm: float,
  window: int | None = None,
  seed: int = 0,
  mesh: jax.sharding.Mesh,
  batch_size: int = 256,
  told: Mapping[str, Any],
  advance: Callable[[int], None] = lambda n: None,
) -> Float[np.ndarray, 'window window']:
  """Error rate under each frequency, centred; goes on where it was stopped.

  The folder gets heat_map.npy and meta.json; counts of finished frequencies are
  kept in between, so that a run which is killed loses no more than two groups
  of them, and gives the same bits in the end.

  Args:
    network: see `wrong_answers`, as for the arguments not named here.
    source: images.
    folder: new, empty, or of the same map.
    norm: of the perturbation.
    window: side of the square of lowest frequencies, None for all.
    seed: of the random signs.
    mesh: devices.
    batch_size: images at a time.
    told: what else is to stand in meta.json, such as the name of the network
      and the protocol; a folder where that differs is another map.
    advance: is told how many more frequencies are finished.

  Raises:
    ValueError: as `waves.check` and `fourier.half_plane`, or if the folder
      belongs to another map, naming what differs, or holds something else.
    BlockingIOError: if another process fills the folder.
  """
  check(network, source, norm=norm)
  folder, key = epath.Path(folder), jax.random.key(seed)
  size = source.images.shape[1]
  frequencies, number = fourier.half_plane(size, window=window)
  said = {
    **told,
    'norm': norm,
    'size': size,
    'window': len(number),
    'seed': seed,
    'n': len(source),
    'crc32': _crc32(source),
    'batch_size': batch_size,
    'devices': mesh.size,
  }
  with _held(folder, said):
    done = _begun(folder)
    advance(len(done))
    rest = frequencies[len(done) :]
    how = {'norm': norm, 'mesh': mesh, 'batch_size': batch_size}
    for wrong in wrong_answers(key, network, source, rest, **how):
      done = np.concatenate([done, wrong])
      _write(folder / _BEGUN, done)
      advance(len(wrong))
    errors = done[number] / len(source)
    _write(folder / _MAP, errors)
  return errors


def read_map(
  folder: epath.PathLike,
) -> tuple[Float[np.ndarray, 'window window'], dict[str, Any]]:
  """A finished map, and what meta.json says of it.

  Raises:
    FileNotFoundError: if there is none, or only a begun one.
  """
  folder = epath.Path(folder)
  for name in (_META, _MAP):
    if not (folder / name).is_file():
      raise FileNotFoundError(
        f'{folder} holds no {name}: expected the folder of a finished heat map'
      )
  return _array(folder / _MAP), json.loads((folder / _META).read_text())


def map_difference(
  folder: epath.PathLike, other: epath.PathLike
) -> Float[np.ndarray, 'window window']:
  """The error rates of one finished map minus those of another.

  Raises:
    FileNotFoundError: as `read_map`.
    ValueError: if they were not measured alike, naming what differs.
  """
  (errors, said), (others, theirs) = read_map(folder), read_map(other)
  if lines := settings.differences(theirs, said, free=_OF_THE_NETWORK):
    raise ValueError(
      f'the maps in {other} (there) and {folder} (now) were not measured '
      f'alike:\n{lines}'
    )
  return errors - others


@contextlib.contextmanager
def _held(folder: epath.Path, said: Mapping[str, Any]) -> Iterator[None]:
  """Keeps the folder for this map and this process."""
  _check(folder, said)
  folder.mkdir(parents=True, exist_ok=True)
  with locks.exclusive(folder / _LOCK) as free:
    if not free:
      raise BlockingIOError(
        f'another process writes to {folder}; wait for it, or stop it'
      )
    _check(folder, said)
    text = json.dumps(said, indent=2) + '\n'
    files.write_whole(folder / _META, text.encode())
    yield


def _check(folder: epath.Path, said: Mapping[str, Any]) -> None:
  path = folder / _META
  if path.exists():
    there, now = json.loads(path.read_text()), settings.plain(said)
    if lines := settings.differences(there, now):
      raise ValueError(
        f'{folder} holds a heat map of other settings:\n{lines}\nContinue it '
        'with its own, or choose another folder'
      )
  elif folder.is_dir() and any(
    p.name not in (_LOCK, f'{_META}.partial') for p in folder.iterdir()
  ):
    raise ValueError(
      f'{folder} is not empty and holds no {_META}; choose another folder'
    )


def _crc32(source: ArraySource) -> int:
  images = np.ascontiguousarray(source.images)
  return zlib.crc32(source.labels, zlib.crc32(images))


def _begun(folder: epath.Path) -> Int[np.ndarray, ' f']:
  path = folder / _BEGUN
  return _array(path) if path.exists() else np.zeros(0, np.int32)


def _array(path: epath.Path) -> np.ndarray:
  return np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)


def _write(path: epath.Path, array: np.ndarray) -> None:
  buffer = io.BytesIO()
  np.save(buffer, array)
  files.write_whole(path, buffer.getvalue())
