"""Fourier analysis as PNG: heat maps of networks, spectra of corruptions.

As in figures 2 to 4 of "A Fourier Perspective on Model Robustness in Computer
Vision", https://arxiv.org/abs/1906.08988: frequency 0 is in the middle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from rcj.report import style

if TYPE_CHECKING:
  from matplotlib.axes import Axes
  from matplotlib.figure import Figure

_COLUMNS = 4
_SIDE = 3.4  # inches, of a heat map


def fourier_map(
  errors: Float[np.ndarray, 'w w'], *, title: str, note: str
) -> bytes:
  """A heat map of error rates; colours go from 0 to 100 % in every figure.

  Args:
    errors: in 0..1, centred.
    title: whose errors they are.
    note: how they were measured.
  """
  how = {'cmap': style.sequential(), 'vmin': 0, 'vmax': 100}
  return _one(100 * errors, how, 'error, %', title, note)


def difference_map(
  errors: Float[np.ndarray, 'w w'], *, title: str, note: str
) -> bytes:
  """A heat map of differences of error rates, white where there is none.

  Args:
    errors: in -1..1, centred.
    title: whose errors they are, minus whose.
    note: how they were measured.
  """
  top = 100 * max(float(np.abs(errors).max()), 0.01)
  how = {'cmap': 'RdBu_r', 'vmin': -top, 'vmax': top}
  return _one(100 * errors, how, 'difference of error, points', title, note)


def spectra(
  amplitudes: Mapping[str, Float[np.ndarray, 'H W']],
  rings: Mapping[str, Float[np.ndarray, ' R']],
  *,
  note: str,
) -> bytes:
  """Each spectrum by itself, and all by distance from frequency 0.

  Amplitudes are drawn as logarithms, each spectrum in its own range.

  Args:
    amplitudes: centred spectra, by name.
    rings: their means over rings.
    note: how they were measured.
  """
  import matplotlib

  with matplotlib.rc_context(style.RC):
    return style.png(_panels(amplitudes, rings, note))


def _panels(
  amplitudes: Mapping[str, Float[np.ndarray, 'H W']],
  rings: Mapping[str, Float[np.ndarray, ' R']],
  note: str,
) -> Figure:
  from matplotlib.figure import Figure

  rows = math.ceil(len(amplitudes) / _COLUMNS)
  below = style.legend_height(list(rings))
  height = 1.75 * rows + 2.4 + below
  figure = Figure(figsize=(style.WIDTH, height))
  grid = figure.add_gridspec(
    rows + 1, _COLUMNS, height_ratios=[1.75] * rows + [2.4]
  )
  for i, (name, amplitude) in enumerate(amplitudes.items()):
    ax = figure.add_subplot(grid[divmod(i, _COLUMNS)])
    shown = np.log10(amplitude + 1e-6)
    ax.imshow(shown, cmap=style.sequential(), extent=_extent(amplitude))
    ax.set_title(name.replace('_', ' '))
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    ax.spines[:].set_visible(False)
  _rings(figure.add_subplot(grid[rows, :]), rings, note)
  style.legend(figure, style.entries(figure.axes[-1:]))
  return figure


def _rings(
  ax: Axes, rings: Mapping[str, Float[np.ndarray, ' R']], note: str
) -> None:
  for (name, ring), mark in zip(
    rings.items(), style.marks(list(rings)).values(), strict=True
  ):
    ax.semilogy(ring, label=name.replace('_', ' '), markevery=3, **mark)
  ax.set_xlabel(f'distance from frequency 0, waves per image\n{note}')
  ax.set_ylabel('mean amplitude')


def _one(
  values: Float[np.ndarray, 'w w'],
  how: Mapping[str, Any],
  unit: str,
  title: str,
  note: str,
) -> bytes:
  import matplotlib

  with matplotlib.rc_context(style.RC):
    return style.png(_map(values, how, unit, title, note))


def _map(
  values: Float[np.ndarray, 'w w'],
  how: Mapping[str, Any],
  unit: str,
  title: str,
  note: str,
) -> Figure:
  from matplotlib.figure import Figure

  figure = Figure(figsize=(_SIDE + 0.8, _SIDE + 0.5), layout='constrained')
  ax = figure.add_subplot()
  image = ax.imshow(values, extent=_extent(values), **how)
  figure.colorbar(image, ax=ax, label=unit, shrink=0.85)
  ax.set_title(title)
  ax.set_xlabel(f'horizontal frequency, waves per image\n{note}')
  ax.set_ylabel('vertical frequency')
  ax.grid(False)
  return figure


def _extent(values: Float[np.ndarray, 'H W']) -> tuple[float, ...]:
  """Left, right, bottom and top: pixels are centred on their frequencies."""
  h, w = values.shape
  left, top = -(w // 2) - 0.5, -(h // 2) - 0.5
  return left, left + w, top + h, top
