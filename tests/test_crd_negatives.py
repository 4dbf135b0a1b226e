"""What an image is contrasted with: other classes, uniformly."""

import jax
import numpy as np
import pytest

from rcj import crd

# Classes of very different size, in no order, one label unused.
LABELS = np.random.default_rng(0).permutation([0] * 3 + [1] * 40 + [3] * 17)
INDEX = np.array([0, 7, 7, 59])


def drawn(k=2000, seed=0, **how):
  return np.asarray(
    crd.contrast(jax.random.key(seed), LABELS, INDEX, k=k, **how)
  )


def test_the_positive_is_first_and_is_the_image_itself():
  got = drawn()
  assert (got.shape, got.dtype) == ((4, 2001), np.int32)
  np.testing.assert_array_equal(got[:, 0], INDEX)


def test_negatives_are_uniform_over_the_other_classes():
  got = drawn()
  for row, own in zip(got, LABELS[INDEX], strict=True):
    others = np.flatnonzero(own != LABELS)
    counts = np.bincount(row[1:], minlength=len(LABELS))
    assert counts.sum() == counts[others].sum()
    expected = 2000 / len(others)
    chi2 = np.sum((counts[others] - expected) ** 2 / expected)
    freedom = len(others) - 1
    assert abs(chi2 - freedom) < 5 * np.sqrt(2 * freedom)


def test_equal_images_and_other_keys_draw_differently():
  got = drawn()
  assert (got[1, 1:] != got[2, 1:]).any()
  assert (got[:, 1:] != drawn(seed=1)[:, 1:]).any()


def test_relaxed_positives_are_uniform_over_the_own_class():
  got = np.stack([drawn(k=1, mode='relax', seed=s)[:, 0] for s in range(200)])
  for column, own in zip(got.T, LABELS[INDEX], strict=True):
    assert set(LABELS[column]) == {own}
    n = (own == LABELS).sum()
    assert len(np.unique(column)) > 0.9 * n


def test_sorted_labels_draw_the_same_and_so_do_compiled_calls():
  def call(key, labels, index):
    return crd.contrast(key, labels, index, k=5)

  want = drawn(k=5)
  classes = crd.by_class(LABELS)
  for labels in (LABELS, classes):
    got = jax.jit(call)(jax.random.key(0), labels, INDEX)
    np.testing.assert_array_equal(got, want)


def test_wrong_arguments_are_named():
  with pytest.raises(ValueError, match='at least 1 negative, not 0'):
    drawn(k=0)
  with pytest.raises(ValueError, match="'exact' or 'relax', not 'any'"):
    drawn(mode='any')
  with pytest.raises(ValueError, match=r'60\.\.60 .*0\.\.59'):
    crd.contrast(jax.random.key(0), LABELS, np.array([60]), k=1)
