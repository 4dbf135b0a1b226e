"""Predictions per image, of every suite, on any devices."""

import jax
import jax.numpy as jnp
import little_sets
import numpy as np
import pytest
from little_sets import CLASSES, HOW, SIDE, OnDemand, crop, source_of

from rcj import corruptions, data, evaluate, models, weights
from rcj.types import Frozen, Preprocessing

images = little_sets.images


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
def directly(network, images):
  """The class of every image by the network alone, in one batch."""
  logits = models.predict(network, jnp.asarray(images / 255, jnp.float32))
  classes = np.asarray(jnp.argmax(logits, -1))
  assert len(set(classes.tolist())) > 2
  return classes


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
