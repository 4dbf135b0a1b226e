"""What S0 measures, by what a data set has."""

import dataclasses

import numpy as np
import pytest

from rcj import corruptions, data, s0

LABELS = np.arange(3)
IMAGES = np.zeros((3, 32, 32, 3), np.uint8)
CLASSES = ('a', 'b', 'c')


def source():
  return data.ArraySource(IMAGES, LABELS, CLASSES)


@pytest.fixture
def sets():
  words = {'test': 'three images', 'rendition': 'drawings'}
  return data.DataSets('x', source(), source(), protocol=words)


def stored(names):
  cells = tuple((name, s) for name in names for s in range(1, 6))
  return data.CorruptedSets(cells, LABELS, 'official X', lambda *_: source())


def cells(suite):
  """(corruption, severity) of every cell."""
  return [c[:2] for part in suite.parts() for c in part.cells]


def by_name(sets, **how):
  how = {'severities': '15', 'transform': np.flip, 'rule': 'flipped'} | how
  return {suite.name: suite for suite in s0.suites(sets, **how)}


def test_corruptions_are_made_where_there_are_no_files(sets):
  made = by_name(sets, table=32)
  assert set(made) == {'clean', 'corrupted'}
  assert made['clean'].protocol == 'three images, flipped'
  words = 'generated, 32 px table, frost textures made here, flipped'
  assert made['corrupted'].protocol == words
  names = {name for name, _ in cells(made['corrupted'])}
  assert names == set(corruptions.STANDARD)


def test_files_take_the_place_of_what_would_be_made(sets):
  files = stored((*corruptions.STANDARD, 'saturate'))
  sets = dataclasses.replace(
    sets,
    corrupted=files,
    rendition=source(),
    protocol={**sets.protocol, 'corrupted': files.protocol},
  )
  made = by_name(sets, stored=(None, 'as they are'))
  assert set(made) == {'clean', 'corrupted', 'rendition'}
  suite = made['corrupted']
  assert suite.protocol == 'official X, 3 images per cell, as they are'
  assert suite.transform is None
  assert made['clean'].transform is np.flip
  every = [(c, s) for c in corruptions.STANDARD for s in (1, 5)]
  assert cells(suite) == every
  assert by_name(sets)['corrupted'].transform is np.flip


def test_a_set_without_a_standard_corruption_is_refused(sets):
  files = stored(corruptions.STANDARD[1:])
  sets = dataclasses.replace(sets, corrupted=files)
  with pytest.raises(ValueError, match='gaussian_noise'):
    by_name(sets)


@pytest.mark.parametrize('severities', ['', '16', 'high'])
def test_severities_are_digits(sets, severities):
  with pytest.raises(ValueError, match='digits 12345'):
    by_name(sets, severities=severities)
