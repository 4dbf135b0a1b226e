import functools
import io
import json
import socket
import subprocess
import sys

import children
import jax
import numpy as np
import pytest
from children import ROOT
from PIL import Image

from rcj import data
from rcj.data.feeds import gather

N = 22


def make_source(n=N):
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (n, 6, 6, 3), np.uint8)
  return data.ArraySource(images, np.arange(n) % 3, ('a', 'b', 'c'))


@pytest.fixture(scope='module')
def mesh():
  axis = (jax.sharding.AxisType.Auto,)
  return jax.make_mesh((4,), ('data',), axis_types=axis)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Ten images of different sizes in two classes."""
  root = tmp_path_factory.mktemp('images')
  rng = np.random.default_rng(0)
  for i in range(10):
    path = root / 'ab'[i % 2] / f'{i}.png'
    path.parent.mkdir(exist_ok=True)
    pixels = rng.integers(0, 256, (20 + i, 30 - i, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, 'png')
    path.write_bytes(file.getvalue())
  return data.FolderSource(root)


crop = functools.partial(data.crop_and_flip, size=8)


def first_rows(generator, image):
  return image[:4]


class Stream:
  """Makes the same stream over and over."""

  def __init__(self, source, mesh, **options):
    self.make = functools.partial(
      data.TrainStream,
      source,
      mesh=mesh,
      **{'batch_size': 4, 'seed': 7} | options,
    )

  def take(self, n, stream=None):
    stream = stream or self.make()
    return [jax.device_get(next(stream)) for _ in range(n)]


@pytest.fixture(params=['memory', 'threads'])
def streams(request, mesh):
  transform = None if request.param == 'memory' else first_rows
  return Stream(make_source(), mesh, transform=transform)


def assert_equal(some, others):
  assert len(some) == len(others)
  for a, b in zip(some, others, strict=True):
    assert a.keys() == b.keys()
    for name in a:
      np.testing.assert_array_equal(a[name], b[name])


def indices(batches):
  return np.concatenate([b['index'] for b in batches])


def test_batches_hold_what_their_index_says(streams):
  source = make_source()
  for batch in streams.take(6):
    height = batch['image'].shape[1]
    expected = source.images[batch['index']][:, :height]
    np.testing.assert_array_equal(batch['image'], expected)
    np.testing.assert_array_equal(batch['label'], source.labels[batch['index']])
    assert batch['image'].dtype == np.uint8
    assert batch['label'].dtype == batch['index'].dtype == np.int32


def test_epochs_are_disjoint_and_differ(streams):
  stream = streams.make()
  assert stream.steps_per_epoch == 5
  first, second = (indices(streams.take(5, stream)) for _ in range(2))
  for epoch in (first, second):
    assert len(set(epoch.tolist())) == len(epoch) == 20
    assert 0 <= epoch.min() <= epoch.max() < N
  assert (first != second).any()
  assert (first != np.sort(first)).any()


def test_the_dropped_rest_differs_between_epochs(streams):
  stream = streams.make()
  seen = {
    frozenset(indices(streams.take(5, stream)).tolist()) for _ in range(6)
  }
  assert len(seen) > 1
  assert set().union(*seen) == set(range(N))


def test_seed_decides(mesh):
  a, b, c = (Stream(make_source(), mesh, seed=s).take(3) for s in (7, 7, 8))
  assert_equal(a, b)
  assert (indices(a) != indices(c)).any()


def test_both_paths_give_the_same_order(mesh):
  memory = Stream(make_source(), mesh).take(7)
  host = Stream(make_source(), mesh, transform=first_rows).take(7)
  np.testing.assert_array_equal(indices(memory), indices(host))


@pytest.mark.parametrize('at', [0, 3, 5, 8])
def test_resumes_exactly(streams, at):
  whole = streams.take(11)
  stream = streams.make()
  streams.take(at, stream)
  state = json.loads(json.dumps(stream.get_state()))
  again = streams.make()
  streams.take(2, again)
  again.set_state(state)
  assert again.get_state() == state
  assert_equal(streams.take(11 - at, again), whole[at:])


def test_state_of_another_stream(mesh):
  state = Stream(make_source(), mesh).make().get_state()
  for name in ('seed', 'batch_size'):
    other = Stream(make_source(), mesh, **{name: 8}).make()
    with pytest.raises(ValueError, match=f'{name}.*began with'):
      other.set_state(state)
  with pytest.raises(ValueError, match=r"'images': 22.*'images': 21"):
    Stream(make_source(21), mesh).make().set_state(state)


def test_batches_are_split_over_devices(streams, mesh):
  batch = next(streams.make())
  for x in batch.values():
    assert x.sharding.is_equivalent_to(
      jax.NamedSharding(mesh, jax.P('data')), x.ndim
    )
    assert len({s.device for s in x.addressable_shards}) == 4
    assert x.addressable_shards[0].data.shape[0] == 1


def test_gather_moves_nothing_between_devices(mesh):
  split = jax.NamedSharding(mesh, jax.P('data'))
  whole = jax.NamedSharding(mesh, jax.P())
  shapes = (
    jax.ShapeDtypeStruct((N, 6, 6, 3), np.uint8, sharding=whole),
    jax.ShapeDtypeStruct((N,), np.int32, sharding=whole),
    jax.ShapeDtypeStruct((N,), np.int32, sharding=whole),
  )
  text = (
    gather.lower(*shapes, 0, batch_size=4, sharding=split).compile().as_text()
  )
  for communication in ('all-gather', 'all-reduce', 'all-to-all', 'collective'):
    assert communication not in text


def test_wait_seconds_grow(streams):
  stream = streams.make()
  assert stream.wait_seconds == 0
  next(stream)
  first = stream.wait_seconds
  assert first > 0
  next(stream)
  assert stream.wait_seconds > first


def test_random_transforms_depend_on_epoch_and_image_alone(folder, mesh):
  order = Stream(folder, mesh, transform=crop, batch_size=4, seed=1)
  batches = order.take(10)
  again = {}
  for step, batch in enumerate(batches):
    for i, image in zip(batch['index'], batch['image'], strict=True):
      again.setdefault(int(i), {})[step // 2] = image
  large = Stream(folder, mesh, transform=crop, batch_size=8, seed=1).take(5)
  for epoch, batch in enumerate(large):
    for i, image in zip(batch['index'], batch['image'], strict=True):
      np.testing.assert_array_equal(image, again[int(i)][epoch])
  crops = next(iter(again.values()))
  assert len({x.tobytes() for x in crops.values()}) == len(crops)


def test_workers_give_the_same_batches(folder, mesh):
  """In a program that never parsed absl's flags, as this one."""
  alone = Stream(folder, mesh, transform=crop).take(7)
  stream = Stream(folder, mesh, transform=crop, workers=2).make()
  with_workers = [jax.device_get(next(stream)) for _ in range(5)]
  state = stream.get_state()
  stream.close()
  assert_equal(with_workers, alone[:5])
  late = Stream(folder, mesh, transform=crop).make()
  late.set_state(state)
  assert_equal([jax.device_get(next(late)) for _ in range(2)], alone[5:])


def test_damaged_image_stops_the_stream_each_time(tmp_path, mesh):
  for i in range(4):
    (tmp_path / 'a').mkdir(exist_ok=True)
    (tmp_path / 'a' / f'{i}.png').write_bytes(b'no image')
  stream = Stream(data.FolderSource(tmp_path), mesh, transform=crop).make()
  for _ in range(2):
    with pytest.raises(ValueError, match=r'a/[0-3]\.png: 8 bytes'):
      next(stream)
  assert stream.get_state()['step'] == 0


TWO_PROCESSES = """
import sys
import jax
jax.distributed.initialize(sys.argv[1], 2, int(sys.argv[2]))
import numpy as np
from jax.experimental import multihost_utils
from rcj import data
images = np.arange(10 * 48, dtype=np.uint8).reshape(10, 4, 4, 3)
source = data.ArraySource(images, np.arange(10), tuple(map(str, range(10))))
mesh = jax.make_mesh((4,), ('data',), axis_types=(jax.sharding.AxisType.Auto,))
assert jax.process_count() == 2
for transform in (None, lambda generator, image: image):
  stream = data.TrainStream(
    source, batch_size=4, seed=7, mesh=mesh, transform=transform
  )
  for _ in range(3):
    batch = next(stream)
    local = [s.data.shape[0] for s in batch['image'].addressable_shards]
    assert local == [1, 1], local
    whole = multihost_utils.process_allgather(batch, tiled=True)
    np.testing.assert_array_equal(whole['image'], images[whole['index']])
    np.testing.assert_array_equal(whole['label'], whole['index'])
    print('batch', *whole['index'])
"""


def free_port():
  with socket.socket() as s:
    s.bind(('localhost', 0))
    return s.getsockname()[1]


def test_two_processes_read_their_parts(mesh):
  address = f'localhost:{free_port()}'
  processes = [
    subprocess.Popen(
      [sys.executable, '-c', TWO_PROCESSES, address, str(p)],
      env=children.environment(devices=2),
      cwd=ROOT,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    for p in range(2)
  ]
  results = [p.communicate(timeout=60) for p in processes]
  for process, (_, errors) in zip(processes, results, strict=True):
    assert process.returncode == 0, errors
  alone = Stream(make_source(10), mesh).take(3)
  expected = [' '.join(map(str, b['index'])) for b in alone] * 2
  for output, _ in results:
    lines = [x.partition('batch ')[2] for x in output.splitlines()]
    assert [x for x in lines if x] == expected


def test_images_of_different_sizes_need_a_transform(folder, mesh):
  with pytest.raises(ValueError, match=r'must be uint8 of one size.*crop_and'):
    next(Stream(folder, mesh).make())


@pytest.mark.parametrize(
  ('options', 'words'),
  [
    ({'batch_size': 6}, '6 images does not split evenly over the 4'),
    ({'batch_size': 24}, '24 images cannot be drawn from 22'),
    ({'batch_size': 0}, '0 images cannot'),
    ({'seed': -1}, r'0\.\.2\*\*32-1, but is -1'),
    ({'seed': 2**32}, 'but is 4294967296'),
    ({'workers': -1}, 'not -1'),
  ],
)
def test_bad_options(mesh, options, words):
  with pytest.raises(ValueError, match=words):
    Stream(make_source(), mesh, **options).make()


def test_mesh_without_data_axis():
  mesh = jax.make_mesh((1,), ('x',), axis_types=(jax.sharding.AxisType.Auto,))
  with pytest.raises(ValueError, match=r"axis 'data', has \('x',\)"):
    Stream(make_source(), mesh).make()
