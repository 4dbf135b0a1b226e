"""Suites, predictions per image, and rows of error rates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import corruptions, evaluate, intervals, models, weights
from rcj.types import Frozen, Preprocessing

CLASSES = ('a', 'b', 'c', 'd', 'e')
SIDE = 16


def mesh(devices):
  return jax.make_mesh(
    (devices,),
    ('data',),
    (jax.sharding.AxisType.Auto,),
    devices=jax.devices()[:devices],
  )


def on(network, devices):
  return jax.device_put(network, jax.NamedSharding(mesh(devices), jax.P()))


@pytest.fixture(scope='module')
def network():
  module = models.create('resnet8', num_classes=5, width=0.25)
  params, batch_stats = models.init(jax.random.key(1), module, size=SIDE)
  nowhere = jax.tree.map(lambda _: None, params)
  return Frozen(
    params=params,
    batch_stats=batch_stats,
    masks=nowhere,
    scores=nowhere,
    model=module,
    effective=weights.Masked(),
    preprocessing=Preprocessing((0.5,) * 3, (0.2,) * 3, size=SIDE),
    classes=CLASSES,
  )


@pytest.fixture(scope='module')
def images():
  """Noise on backgrounds of 14 colours, so that classes differ."""
  rng = np.random.default_rng(0)
  colours = rng.integers(0, 180, (14, 1, 1, 3))
  noise = rng.integers(0, 75, (14, SIDE, SIDE, 3))
  return (colours + noise).astype(np.uint8)


@pytest.fixture(scope='module')
def directly(network, images):
  """The class of every image by the network alone, in one batch."""
  logits = models.predict(network, jnp.asarray(images / 255, jnp.float32))
  classes = np.asarray(jnp.argmax(logits, -1))
  assert len(set(classes.tolist())) > 2
  return classes


@pytest.mark.parametrize('devices', [1, 4])
@pytest.mark.parametrize(
  ('n', 'batch_size'),
  [(14, 4), (13, 6), (12, 4), (3, 256), (1, 1)],
)
def test_every_image_counts_once(
  network, images, directly, devices, n, batch_size
):
  got = evaluate.classify(
    on(network, devices), images[:n], mesh=mesh(devices), batch_size=batch_size
  )
  assert got.shape == (n,)
  assert np.issubdtype(got.dtype, np.integer)
  np.testing.assert_array_equal(got, directly[:n])


def test_the_last_batch_needs_no_program_of_its_own(
  network, images, monkeypatch
):
  traced = []

  def predict(frozen, batch):
    traced.append(batch.shape)
    return logits(frozen, batch)

  logits = models.predict
  monkeypatch.setattr(models, 'predict', predict)
  evaluate.classify(on(network, 1), images, mesh=mesh(1), batch_size=5)
  assert traced == [(5, SIDE, SIDE, 3)]


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
  labels = np.arange(14) % 5
  suite = evaluate.plain('clean', images, labels, protocol='test split')
  assert (suite.name, suite.protocol) == ('clean', 'test split')
  for _ in range(2):
    ((corruption, severity, shown),) = suite.cells()
    assert (corruption, severity) == ('', 0)
    assert shown is images


def test_corrupted_cells_are_those_of_the_corruptions_and_are_kept(images):
  how = {'names': ('contrast', 'gaussian_noise'), 'severities': (1, 5)}
  labels = np.arange(14) % 5
  suite = evaluate.corrupted(images, labels, table=32, seed=7, **how)
  first, second = list(suite.cells()), list(suite.cells())
  assert [cell[:2] for cell in first] == [
    (name, s) for name in how['names'] for s in how['severities']
  ]
  for one, two in zip(first, second, strict=True):
    assert one.images is two.images
  want = corruptions.corrupted_set(images, table=32, seed=7, **how)
  for cell, (_, _, shown) in zip(first, want, strict=True):
    np.testing.assert_array_equal(cell.images, shown)
  other = evaluate.corrupted(
    images, labels, names=('gaussian_noise',), severities=(1,), table=32, seed=8
  )
  (cell,) = other.cells()
  assert (cell.images != first[2].images).any()


@pytest.mark.parametrize(('n', 'kept'), [(100, True), (10**6, False)])
def test_large_sets_are_made_anew_for_every_network(monkeypatch, n, kept):
  """10**6 images (of one pixel's memory) in 3 cells would be 9 GB."""

  def corrupted_set(images, *, names, severities, **_):
    return (
      (name, s, np.zeros((1, 32, 32, 3), np.uint8))
      for name in names
      for s in severities
    )

  monkeypatch.setattr(corruptions, 'corrupted_set', corrupted_set)
  images = np.broadcast_to(np.zeros((), np.uint8), (n, 32, 32, 3))
  suite = evaluate.corrupted(
    images, np.zeros(n, int), names=('fog',), severities=(1, 2, 3)
  )
  first, second = list(suite.cells()), list(suite.cells())
  assert len(first) == 3
  for one, two in zip(first, second, strict=True):
    assert one[:2] == two[:2]
    assert (one.images is two.images) == kept


@pytest.mark.parametrize(
  ('table', 'protocol'),
  [
    (224, 'generated, 224 px table'),
    (None, 'generated, table of the image size'),
  ],
)
def test_the_protocol_says_how_a_set_was_made(images, table, protocol):
  suite = evaluate.corrupted(images, np.zeros(14, int), table=table)
  assert suite.protocol == protocol


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
    evaluate.corrupted(images, np.zeros(14, int), **how)


def test_evaluate_gives_the_predictions_of_every_cell(
  network, images, directly
):
  shown = {('', 0): images, ('flipped', 2): images[::-1]}
  suite = evaluate.Suite(
    'two',
    directly,
    lambda: [evaluate.Cell(*place, x) for place, x in shown.items()],
    'by hand',
  )
  outcomes = evaluate.evaluate(
    on(network, 4), suite, mesh=mesh(4), batch_size=4
  )
  assert [o[:2] for o in outcomes] == list(shown)
  np.testing.assert_array_equal(outcomes[0].predicted, directly)
  np.testing.assert_array_equal(outcomes[1].predicted, directly[::-1])
  assert evaluate.rows(suite, outcomes)[0]['error'] == 0
