"""Wrong answers to images plus one Fourier wave, frequency by frequency."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, UInt8

from rcj import deck as decks
from rcj import fourier, models
from rcj.data import ArraySource
from rcj.deck import Deck
from rcj.evaluate.predict import Predictor, columns_of, late
from rcj.types import Frozen

# While the devices work on one group of frequencies, the next is prepared.
_AHEAD = 1


class _Batch(NamedTuple):
  """Images on the devices; labels are -1 where a row is padding."""

  images: UInt8[Array, 'B H W 3']
  labels: Int[Array, ' B']
  index: Int[Array, ' B']


class _Waves(NamedTuple):
  """A group of frequencies, and the numbers that their signs depend on."""

  waves: Float[np.ndarray, 'F H W']
  numbers: Int[np.ndarray, ' F']


def wrong_answers(
  key: Key[Array, ''],
  network: Frozen | Deck | Predictor,
  source: ArraySource,
  frequencies: Int[np.ndarray, 'F 2'],
  *,
  norm: float,
  mesh: jax.sharding.Mesh,
  batch_size: int = 256,
) -> Iterator[Int[np.ndarray, ' f']]:
  """How many images get a wrong answer, for each frequency in turn.

  The images are put on the devices once. Small sets are shown to a `Frozen`
  under several frequencies at a time, and counts come in such groups. What
  begins at the end of a group gives the same counts as what went on there.

  Args:
    key: of the random signs, see `fourier.signs`.
    network: placed on the devices of `mesh`; a `Predictor` gets the images of
      a batch on the host. Decks see images of one frequency at a time.
    source: images of the network's size.
    frequencies: such as `fourier.half_plane` gives.
    norm: L2 norm of the perturbation of each channel, for images in 0..1.
    mesh: devices of this process, with the axis 'data'.
    batch_size: images at a time over all devices, rounded up to split evenly.

  Raises:
    ValueError: at the call, for what `check` finds.
  """
  check(network, source, norm=norm)
  in_jax = isinstance(network, Frozen | Deck)
  ask = _count if in_jax else _count_on_host
  columns = columns_of(network, source)
  count = functools.partial(ask, network, key, norm=norm, columns=columns)
  batch = _even(len(source), mesh.size, batch_size)
  batches = _batches(source, mesh, batch)
  group = max(1, batch_size // batch) if isinstance(network, Frozen) else 1
  begun = (
    sum(count(batch, waves) for batch in batches)
    for waves in _groups(source.images.shape[1], frequencies, group)
  )
  # The last group has copies of the last frequency at its end.
  return (
    wrong[: len(frequencies) - i * group]
    for i, wrong in enumerate(late(begun, _AHEAD))
  )


def check(
  network: Frozen | Deck | Predictor, source: ArraySource, *, norm: float
) -> None:
  """Finds what `wrong_answers` cannot measure; see its arguments.

  Raises:
    ValueError: for images of another size or classes that the network does not
      know, a norm that is not above 0, or several processes.
  """
  _, height, width, _ = source.images.shape
  known = isinstance(network, Frozen | Deck)
  wanted = network.preprocessing.size if known else height
  if (height, width) != (wanted, wanted):
    raise ValueError(
      f'the images have {height} x {width} pixels, expected {wanted} x '
      f'{wanted}; usually they belong to another network'
    )
  if not (norm > 0 and math.isfinite(norm)):
    raise ValueError(f'the norm must be above 0, got {norm}')
  if jax.process_count() > 1:
    raise ValueError(
      f'heat maps are measured in one process, not in {jax.process_count()}'
    )
  columns_of(network, source)


def _even(n: int, devices: int, batch_size: int) -> int:
  """Size of batches as equal as can be: padding is work, too."""
  parts = -(-n // batch_size)
  return -(-n // (parts * devices)) * devices


def _batches(
  source: ArraySource, mesh: jax.sharding.Mesh, batch_size: int
) -> list[_Batch]:
  n, spread = len(source), jax.NamedSharding(mesh, jax.P('data'))

  def batch(start: int) -> _Batch:
    index = np.arange(start, start + batch_size, dtype=np.int32)
    known = np.minimum(index, n - 1)
    labels = np.where(index < n, source.labels[known], -1)
    return jax.device_put(_Batch(source.images[known], labels, index), spread)

  return [batch(start) for start in range(0, n, batch_size)]


def _groups(
  size: int, frequencies: Int[np.ndarray, 'F 2'], group: int
) -> Iterator[_Waves]:
  """Groups of one size, for one compilation."""
  for start in range(0, len(frequencies), group):
    part = frequencies[
      np.minimum(np.arange(start, start + group), len(frequencies) - 1)
    ]
    waves = np.stack([fourier.basis(size, i, j) for i, j in part.tolist()])
    numbers = part[:, 0] * size + part[:, 1]
    yield _Waves(waves.astype(np.float32), numbers.astype(np.int32))


@jax.jit
def _count(
  network: Frozen | Deck,
  key: Key[Array, ''],
  batch: _Batch,
  waves: _Waves,
  *,
  norm: Float[Array, ''],
  columns: Int[Array, ' K'] | None,
) -> Int[Array, ' F']:
  shown = _shown(key, batch, waves, norm)
  if isinstance(network, Deck):
    logits = decks.predict(network, shown, real=batch.labels >= 0)
  else:
    logits = models.predict(network, shown)
  return _wrong(logits, batch.labels, columns)


def _count_on_host(
  network: Predictor,
  key: Key[Array, ''],
  batch: _Batch,
  waves: _Waves,
  *,
  norm: float,
  columns: Int[np.ndarray, ' K'] | None,
) -> Int[Array, ' F']:
  """As `_count`, without padding, which a deck would take for images."""
  labels = np.asarray(batch.labels)
  shown = np.asarray(_shown(key, batch, waves, norm))[labels >= 0]
  return _wrong(np.asarray(network(shown)), labels[labels >= 0], columns)


@jax.jit
def _shown(
  key: Key[Array, ''], batch: _Batch, waves: _Waves, norm: Float[Array, '']
) -> Float[Array, 'BF H W 3']:
  """Each image under each frequency of the group."""
  images01 = batch.images.astype(jnp.float32) / 255

  def under(wave: Array, number: Array) -> Array:
    sign = fourier.signs(key, number, batch.index)
    return fourier.perturbed(images01, wave, sign, norm=norm)

  # Images come first: so they stay on the device where they are.
  shown = jax.vmap(under, out_axes=1)(*waves)
  return shown.reshape(-1, *images01.shape[1:])


@jax.jit
def _wrong(
  logits: Float[Array, 'BF K'],
  labels: Int[Array, ' B'],
  columns: Int[Array, ' K'] | None,
) -> Int[Array, ' F']:
  if columns is not None:
    logits = logits[:, columns]
  answers = jnp.argmax(logits, -1).reshape(len(labels), -1)
  wrong = (answers != labels[:, None]) & (labels[:, None] >= 0)
  return jnp.sum(wrong, axis=0)
