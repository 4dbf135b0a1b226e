"""Which frequencies corruptions add."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int, UInt8

from rcj import data, fourier
from rcj.evaluate.predict import check_labels
from rcj.evaluate.suites import Suite
from rcj.types import Source


def spectra(
  clean: Suite,
  corrupted: Suite,
  indices: Int[np.ndarray, ' M'],
  *,
  advance: Callable[[int], None] = lambda n: None,
) -> dict[str, Float[np.ndarray, 'H W']]:
  """Mean amplitudes by corruption: see `fourier.spectrum`.

  Args:
    clean: a suite of one cell, the images as they are.
    corrupted: the same images under corruptions, each at its severities.
    indices: the images to use.
    advance: is told after each cell.

  Returns:
    'clean', the spectrum of the images themselves in 0..1, then for each
    corruption that of corrupted minus clean images, the mean of its severities.

  Raises:
    ValueError: if the cells do not show the same images, or sizes differ.
  """
  (part,) = clean.parts()
  before = _scaled(_read(clean, part.source, indices))
  found = {'clean': [fourier.spectrum(before)]}
  for part in corrupted.parts():
    check_labels(corrupted, part)
    images = _read(corrupted, part.source, indices)
    for cell in part.cells:
      shown = cell.change(images, indices) if cell.change else images
      added = fourier.spectrum(_scaled(shown) - before)
      found.setdefault(cell.corruption, []).append(added)
      advance(1)
  return {name: np.mean(each, axis=0) for name, each in found.items()}


def _read(
  suite: Suite, source: Source, indices: Int[np.ndarray, ' M']
) -> UInt8[np.ndarray, 'M H W 3']:
  part = data.subset(source, indices)
  return data.in_memory(part, transform=suite.transform).images


def _scaled(images: UInt8[np.ndarray, 'M H W 3']) -> Float[np.ndarray, ...]:
  return np.asarray(images, np.float32) / 255
