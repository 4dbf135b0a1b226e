"""Rows of error rates; suites of images that are changed here."""

import little_sets
import numpy as np
import pytest
from little_sets import HOW, source_of

from rcj import corruptions, evaluate, intervals

images = little_sets.images


def suite_of(labels, name='corrupted'):
  return evaluate.Suite(name, labels, lambda: [], 'by hand')


def outcome(labels, wrong, corruption, severity):
  return evaluate.Outcome(
    corruption, severity, np.where(wrong, (labels + 1) % 5, labels)
  )


@pytest.fixture(scope='module')
def cells():
  """Labels, and [40, 4]: which image is wrong in which cell."""
  rng = np.random.default_rng(3)
  labels = rng.integers(0, 5, 40)
  hard = rng.random(40)[:, None]
  return labels, rng.random((40, 4)) < hard * np.array([0.2, 0.5, 0.9, 1.2])


PLACES = (('fog', 1), ('fog', 3), ('jpeg', 1), ('jpeg', 3))


def test_a_row_per_cell_and_their_plain_mean(cells):
  labels, wrong = cells
  outcomes = [outcome(labels, wrong[:, i], *p) for i, p in enumerate(PLACES)]
  *rows, mean = evaluate.rows(suite_of(labels), outcomes)
  assert [(r['corruption'], r['severity']) for r in rows] == list(PLACES)
  assert [r['error'] for r in rows] == pytest.approx(wrong.mean(0))
  assert (mean['corruption'], mean['severity']) == ('mean', '')
  assert mean['error'] == pytest.approx(np.mean([r['error'] for r in rows]))
  for row in (*rows, mean):
    assert row['low'] < row['error'] < row['high']
    assert (row['n'], row['suite']) == (40, 'corrupted')
    assert row['protocol'] == 'by hand'


def test_cells_of_an_image_are_resampled_together(cells):
  labels, wrong = cells
  outcomes = [outcome(labels, wrong[:, i], *p) for i, p in enumerate(PLACES)]
  mean = evaluate.rows(suite_of(labels), outcomes)[-1]
  got = mean['error'], mean['low'], mean['high']
  assert got == intervals.bootstrap_mean(wrong)
  _, low, high = intervals.bootstrap_mean(wrong.ravel())
  assert mean['high'] - mean['low'] > 1.2 * (high - low)


def test_repeating_a_cell_makes_no_interval_narrower(cells):
  labels, wrong = cells
  outcomes = [outcome(labels, wrong[:, 1], *p) for p in PLACES]
  one, *_, mean = evaluate.rows(suite_of(labels), outcomes)
  names = ('error', 'low', 'high')
  assert [mean[n] for n in names] == pytest.approx([one[n] for n in names])


def test_a_suite_of_one_cell_has_one_row(cells):
  labels, wrong = cells
  clean = outcome(labels, wrong[:, 0], '', 0)
  (row,) = evaluate.rows(suite_of(labels, 'clean'), [clean])
  assert (row['suite'], row['corruption'], row['severity']) == ('clean', '', '')
  assert row['error'] == pytest.approx(wrong[:, 0].mean())


def test_plain_is_the_images_as_they_are(images):
  source = source_of(images)
  suite = evaluate.plain('clean', source, protocol='test split')
  assert (suite.name, suite.protocol) == ('clean', 'test split')
  assert suite.labels is source.labels
  for _ in range(2):
    ((shown, cells),) = suite.parts()
    assert shown is source
    assert cells == (evaluate.Cell('', 0, None),)


def changed(cell, images, batch=5):
  """The images of a cell, made in batches of every third image."""
  order = np.concatenate([np.arange(i, len(images), 3) for i in range(3)])
  made = np.empty_like(images)
  for start in range(0, len(order), batch):
    index = order[start : start + batch]
    made[index] = cell.change(images[index], index)
  return made


def test_corrupted_cells_are_those_of_the_corruptions(images):
  suite = evaluate.corrupted(source_of(images), table=32, seed=7, **HOW)
  ((_, cells),) = suite.parts()
  assert [cell[:2] for cell in cells] == [
    (name, s) for name in HOW['names'] for s in HOW['severities']
  ]
  want = corruptions.corrupted_set(images, table=32, seed=7, **HOW)
  for cell, (_, _, shown) in zip(cells, want, strict=True):
    np.testing.assert_array_equal(changed(cell, images), shown)
  other = evaluate.corrupted(
    source_of(images),
    names=('gaussian_noise',),
    severities=(1,),
    table=32,
    seed=8,
  )
  ((_, (cell,)),) = other.parts()
  assert (changed(cell, images) != changed(cells[2], images)).any()


@pytest.mark.parametrize(
  ('how', 'protocol'),
  [
    ({'table': 224, 'names': ('fog',)}, 'generated, 224 px table'),
    (
      {},
      'generated, table of the image size, frost textures made here',
    ),
    (
      {
        'table': 32,
        'names': ('fog',),
        'protocol': 'resized to 256, centre 224',
      },
      'generated, 32 px table, resized to 256, centre 224',
    ),
  ],
)
def test_the_protocol_says_how_a_set_was_made(images, how, protocol):
  assert evaluate.corrupted(source_of(images), **how).protocol == protocol


@pytest.mark.parametrize(
  ('how', 'word'),
  [
    ({'names': ('fogg',)}, 'fogg'),
    ({'severities': (6,)}, '6'),
    ({'table': 100}, '100'),
  ],
)
def test_bad_suites_are_refused_before_any_training(images, how, word):
  with pytest.raises(ValueError, match=word):
    evaluate.corrupted(source_of(images), **how)
