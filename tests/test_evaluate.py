"""Suites, predictions per image, and rows of error rates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import corruptions, data, evaluate, intervals, models, weights
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


def source_of(images, labels=None):
  labels = np.arange(len(images)) % 5 if labels is None else labels
  return data.ArraySource(images, labels, CLASSES)


class OnDemand:
  """A source of images whose sizes differ; `crop` makes them one size."""

  classes = CLASSES

  def __init__(self, images):
    self.labels = np.arange(len(images), dtype=np.int32) % 5
    self._images = images
    self.read = []

  def __len__(self):
    return len(self._images)

  def __getitem__(self, index):
    self.read.append(index)
    image = np.pad(self._images[index], [(0, index), (0, 0), (0, 0)])
    return {'image': image, 'label': int(self.labels[index])}


def crop(image):
  return image[:SIDE]


def as_they_are(source):
  return evaluate.Part(source, (evaluate.Cell('', 0),))


@pytest.mark.parametrize('devices', [1, 4])
@pytest.mark.parametrize(
  ('n', 'batch_size'),
  [(14, 4), (13, 6), (12, 4), (3, 256), (1, 1)],
)
def test_every_image_counts_once(
  network, images, directly, devices, n, batch_size
):
  (got,) = evaluate.classify(
    on(network, devices),
    as_they_are(source_of(images[:n])),
    mesh=mesh(devices),
    batch_size=batch_size,
  )
  assert got.shape == (n,)
  assert np.issubdtype(got.dtype, np.integer)
  np.testing.assert_array_equal(got, directly[:n])


@pytest.mark.parametrize('parts', [2, 3])
def test_processes_read_disjoint_shares(
  network, images, directly, monkeypatch, parts
):
  """Each of them here with a mesh of its own, so alone with its share."""
  monkeypatch.setattr(jax, 'process_count', lambda: parts)
  found = np.full(14, -1)
  for p in range(parts):
    monkeypatch.setattr(jax, 'process_index', lambda p=p: p)
    source = OnDemand(images)
    (got,) = evaluate.classify(
      on(network, 1),
      as_they_are(source),
      mesh=mesh(1),
      batch_size=4,
      transform=crop,
    )
    own = np.arange(p, 14, parts)
    # A batch of padding alone reads image 0, for its shape.
    assert [i for i in source.read if i or not p] == own.tolist()
    found[own] = got[own]
  np.testing.assert_array_equal(found, directly)


def test_the_last_batch_needs_no_program_of_its_own(
  network, images, monkeypatch
):
  traced = []

  def predict(frozen, batch):
    traced.append(batch.shape)
    return logits(frozen, batch)

  logits = models.predict
  monkeypatch.setattr(models, 'predict', predict)
  part = as_they_are(source_of(images))
  evaluate.classify(on(network, 1), part, mesh=mesh(1), batch_size=5)
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
  source = source_of(images)
  suite = evaluate.plain('clean', source, protocol='test split')
  assert (suite.name, suite.protocol) == ('clean', 'test split')
  assert suite.labels is source.labels
  for _ in range(2):
    ((shown, cells),) = suite.parts()
    assert shown is source
    assert cells == (evaluate.Cell('', 0, None),)


HOW = {'names': ('contrast', 'gaussian_noise'), 'severities': (1, 5)}


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


@pytest.mark.parametrize('parts', [1, 2])
@pytest.mark.parametrize('kept', [True, False])
def test_corruptions_know_neither_batches_nor_processes(
  network, images, monkeypatch, parts, kept
):
  """Predictions are those of the set that was corrupted at once."""
  monkeypatch.setattr(evaluate.suites, '_KEEP_BYTES', 2**28 if kept else 0)
  suite = evaluate.corrupted(
    OnDemand(images), transform=crop, table=224, seed=3, **HOW
  )
  want = [
    evaluate.classify(on(network, 1), as_they_are(source_of(x)), mesh=mesh(1))
    for _, _, x in corruptions.corrupted_set(images, table=224, seed=3, **HOW)
  ]
  monkeypatch.setattr(jax, 'process_count', lambda: parts)
  found = np.full((4, 14), -1)
  for p in range(parts):
    monkeypatch.setattr(jax, 'process_index', lambda p=p: p)
    for devices, batch_size in ((1, 4), (4, 8)):
      got = evaluate.evaluate(
        on(network, devices), suite, mesh=mesh(devices), batch_size=batch_size
      )
      for i, o in enumerate(got):
        found[i, p::parts] = o.predicted[p::parts]
      np.testing.assert_array_equal(
        found[:, p::parts], np.concatenate(want)[:, p::parts]
      )


def test_clean_images_are_read_once_for_all_cells(network, images):
  source = OnDemand(images)
  suite = evaluate.corrupted(source, transform=crop, table=32, **HOW)
  source.read.clear()
  evaluate.evaluate(on(network, 4), suite, mesh=mesh(4), batch_size=4)
  assert sorted(source.read) == list(range(14))


def test_few_batches_wait_for_the_devices(network, images, monkeypatch):
  """The next cells are made while some results, but not many, are awaited."""
  shown, waiting = [], []
  cells = tuple(
    evaluate.Cell('x', i, lambda x, _: shown.append(0) or x) for i in range(9)
  )

  def device_get(x):
    waiting.append(len(shown) - len(waiting))
    return fetch(x)

  fetch = jax.device_get
  monkeypatch.setattr(jax, 'device_get', device_get)
  part = evaluate.Part(source_of(images), cells)
  evaluate.classify(on(network, 1), part, mesh=mesh(1), batch_size=7)
  assert len(shown) == len(waiting) == 18
  assert 1 < max(waiting) <= 8


@pytest.mark.parametrize(('limit', 'kept'), [(4 * 14 * 768, True), (1, False)])
def test_large_sets_are_made_anew_for_every_network(
  network, images, monkeypatch, limit, kept
):
  made = []

  def corrupted_part(images, indices, name, severity, **_):
    made.append((name, severity))
    return images

  monkeypatch.setattr(evaluate.suites, '_KEEP_BYTES', limit)
  monkeypatch.setattr(corruptions, 'corrupted_part', corrupted_part)
  suite = evaluate.corrupted(source_of(images), **HOW)
  assert not made, 'nothing is made before it is measured'
  first = evaluate.evaluate(on(network, 1), suite, mesh=mesh(1))
  assert len(made) == 4
  second = evaluate.evaluate(on(network, 1), suite, mesh=mesh(1))
  assert len(made) == (4 if kept else 8)
  for one, two in zip(first, second, strict=True):
    np.testing.assert_array_equal(one.predicted, two.predicted)


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


class Files:
  """Published files: fog 1 is the images, fog 2 is them mirrored."""

  cells = (('fog', 1), ('fog', 2), ('jpeg', 1))

  def __init__(self, images, labels):
    self.opened, self._images, self._labels = [], images, labels

  def open(self, corruption, severity):
    self.opened.append((corruption, severity))
    images = self._images if severity == 1 else self._images[:, :, ::-1]
    return source_of(np.ascontiguousarray(images), self._labels)


def test_published_files_are_read_cell_by_cell(network, images, directly):
  files = Files(images, directly)
  suite = evaluate.published(
    files, names=('fog',), severities=(1, 2), protocol='official X, 224 px'
  )
  assert suite.protocol == 'official X, 224 px'
  outcomes = evaluate.evaluate(on(network, 4), suite, mesh=mesh(4))
  assert [o[:2] for o in outcomes] == [('fog', 1), ('fog', 2)]
  first, second, mean = evaluate.rows(suite, outcomes)
  assert first['error'] == 0
  assert mean['error'] == second['error'] / 2
  assert files.opened == [('fog', 1), ('fog', 1), ('fog', 2)]


def test_published_files_that_lack_a_cell_are_refused(images):
  files = Files(images, np.zeros(14, int))
  with pytest.raises(ValueError, match=r"lack \[\('jpeg', 2\)\]; they have"):
    evaluate.published(files, severities=(1, 2), protocol='')
  with pytest.raises(ValueError, match='snow'):
    evaluate.published(files, names=('snow',), protocol='')


def test_a_network_of_more_classes_answers_among_those_of_the_images(
  network, images
):
  logits = models.predict(network, jnp.asarray(images / 255, jnp.float32))
  want = np.argmax(np.asarray(logits)[:, [4, 1]], -1)
  assert len(set(want.tolist())) == 2
  source = data.ArraySource(images, want, ('e', 'b'))
  suite = evaluate.plain('rendition', source, protocol='by hand')
  (outcome,) = evaluate.evaluate(on(network, 4), suite, mesh=mesh(4))
  np.testing.assert_array_equal(outcome.predicted, want)
  other = data.ArraySource(images, want, ('e', 'x'))
  suite = evaluate.plain('rendition', other, protocol='by hand')
  with pytest.raises(ValueError, match=r"knows 1; it lacks \['x'\]"):
    evaluate.evaluate(on(network, 4), suite, mesh=mesh(4))


def test_cells_with_other_labels_are_refused(network, images, directly):
  files = Files(images, directly)
  suite = evaluate.published(
    files, names=('fog',), severities=(1,), protocol=''
  )
  files._labels = directly[::-1]
  with pytest.raises(ValueError, match=r"'fog 1'.*same order"):
    evaluate.evaluate(on(network, 1), suite, mesh=mesh(1))


def test_evaluate_gives_the_predictions_of_every_cell(
  network, images, directly
):
  def mirrored(images, index):
    assert images.shape == (4, SIDE, SIDE, 3)
    return images[:, :, ::-1]

  cells = (evaluate.Cell('', 0), evaluate.Cell('mirrored', 2, mirrored))
  part = evaluate.Part(source_of(images, directly), cells)
  suite = evaluate.Suite('two', directly, lambda: [part], 'by hand')
  outcomes = evaluate.evaluate(
    on(network, 4), suite, mesh=mesh(4), batch_size=4
  )
  assert [o[:2] for o in outcomes] == [('', 0), ('mirrored', 2)]
  np.testing.assert_array_equal(outcomes[0].predicted, directly)
  want = models.predict(
    network, jnp.asarray(images[:, :, ::-1] / 255, jnp.float32)
  )
  np.testing.assert_array_equal(outcomes[1].predicted, jnp.argmax(want, -1))
  assert evaluate.rows(suite, outcomes)[0]['error'] == 0
