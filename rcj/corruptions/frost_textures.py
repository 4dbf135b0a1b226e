"""Frozen windows, made from noise."""

from __future__ import annotations

import functools

import jax
import numpy as np
from jaxtyping import Array, Float, Key, UInt8

from rcj.ops.plasma import plasma

_SIDE = 512
_NEEDLES = 9000
# Mean of red, green and blue, their deviation, longest needle: like photographs
# of frozen windows.
_WINDOWS = (
  ((90, 148, 168), 36, 25),
  ((200, 204, 214), 23, 60),
  ((185, 190, 200), 28, 90),
  ((138, 153, 166), 32, 35),
  ((112, 123, 135), 44, 50),
)


@functools.cache
def made_textures() -> tuple[UInt8[np.ndarray, '512 512 3'], ...]:
  """Five textures of ice that wrap around, the same at every call.

  Needles of ice lie over clouds; needles that are near are almost parallel.
  """
  keys = jax.random.split(jax.random.key(2019), len(_WINDOWS))
  return tuple(_window(k, *w) for k, w in zip(keys, _WINDOWS, strict=True))


def _window(
  key: Key[Array, ''],
  colour: tuple[int, int, int],
  deviation: float,
  longest: float,
) -> UInt8[np.ndarray, 'S S 3']:
  key_clouds, key_needles = jax.random.split(key)
  clouds = _standard(_plasma(key_clouds, 1.45))
  needles = _standard(_needles(key_needles, longest))
  ice = deviation * _standard(clouds + 1.2 * needles)
  colours = np.round(np.array(colour) + ice[..., None])
  return np.clip(colours, 0, 255).astype(np.uint8)


def _standard(plane: Float[np.ndarray, 'S S']) -> Float[np.ndarray, 'S S']:
  return (plane - plane.mean()) / plane.std()


def _plasma(key: Key[Array, ''], decay: float) -> Float[np.ndarray, 'S S']:
  noise = jax.random.uniform(key, (_SIDE**2 - 1,), minval=-1.0)
  return np.asarray(plasma(noise, np.float32(decay)), np.float64)


def _needles(key: Key[Array, ''], longest: float) -> Float[np.ndarray, 'S S']:
  """Lines that fade along their way, each with a dark and a bright side."""
  key_angles, key_lines = jax.random.split(key)
  draws = jax.random.uniform(key_lines, (5, _NEEDLES, 1))
  x, y, turn, length, weight = np.asarray(draws, np.float64)
  x, y, length = x * _SIDE, y * _SIDE, longest * (0.2 + 0.8 * length)
  # Along the bend, or at about 60 or 120 degrees to it, as ice branches.
  turn = np.round(2 * turn) * np.pi / 3 + 0.2 * (turn - 0.5)
  bend = _plasma(key_angles, 1.5)[y.astype(int), x.astype(int)]
  angle = 4 * np.pi * bend + turn
  way = np.linspace(0, 1, 2 * round(longest))
  column = np.round(x + np.cos(angle) * length * way).astype(int) % _SIDE
  row = np.round(y + np.sin(angle) * length * way).astype(int) % _SIDE
  plane = np.zeros((_SIDE, _SIDE))
  np.maximum.at(plane, (row, column), weight * (1 - way))
  return plane + 0.7 * (plane - np.roll(plane, (1, 1), (0, 1)))
