"""Corrupted sets: what their content may and may not depend on."""

import pathlib

import numpy as np
import pytest

from rcj import corruptions

GOLDEN = pathlib.Path(__file__).parent / 'golden' / 'augment'


@pytest.fixture(scope='module')
def small_set():
  with np.load(GOLDEN / 'images.npz') as z:
    photos = np.stack(
      [z[f'{p}_32'] for p in ('astronaut', 'coffee', 'chelsea')]
    )
  return np.concatenate([photos, photos[:, ::-1], photos[:2, :, ::-1]])


def cells(images, **options):
  options = {'severities': (3,), 'seed': 7, **options}
  return {
    cell[:2]: cell[2] for cell in corruptions.corrupted_set(images, **options)
  }


def test_corrupted_set_does_not_depend_on_the_batch(small_set):
  whole = cells(small_set)
  assert [name for name, _ in whole] == list(corruptions.STANDARD)
  for cell, images in cells(small_set, batch=3).items():
    np.testing.assert_array_equal(images, whole[cell], err_msg=cell)


def test_corrupted_set_does_not_depend_on_what_else_is_asked(small_set):
  whole = cells(small_set, batch=3)
  some = cells(small_set[:4], names=('fog', 'shot_noise'), batch=3)
  assert list(some) == [('fog', 3), ('shot_noise', 3)]
  for cell, images in some.items():
    np.testing.assert_array_equal(images, whole[cell][:4])


def test_every_image_severity_and_seed_draws_anew(small_set):
  same = np.repeat(small_set[:1], 3, axis=0)
  for name in ('gaussian_noise', 'shot_noise', 'impulse_noise', 'fog'):
    one = cells(same, names=[name], severities=(2, 3))
    two = cells(same, names=[name], severities=(2, 3), seed=8)
    variants = [*one[name, 2], *one[name, 3], *two[name, 2], *two[name, 3]]
    assert len({v.tobytes() for v in variants}) == 12, name


def test_an_empty_set_gives_empty_cells():
  empty = np.zeros((0, 8, 8, 3), np.uint8)
  assert cells(empty, names=['fog'])['fog', 3].shape == empty.shape


def test_bad_batch_is_named():
  with pytest.raises(ValueError, match='batch must be at least 1, not 0'):
    corruptions.corrupted_set(np.zeros((2, 8, 8, 3), np.uint8), batch=0)
