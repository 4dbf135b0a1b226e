"""Artifacts that are broken, foreign or hostile: named errors, few bytes."""

import copy
import pickle
import tracemalloc

import exports
import numpy as np
import pytest
from safetensors.numpy import save

from rcj import export
from rcj.export import artifact, container
from rcj.export.errors import (
  AlteredError,
  ArtifactError,
  MalformedError,
  NewerFormatError,
  NotAnArtifactError,
  TruncatedError,
)

MEMORY = 64 << 20


@pytest.fixture(scope='module')
def data():
  """An artifact of sparse integers with a stem of floats, 40 kB."""
  return artifact.encode(exports.network('mobile', 'int8'))


@pytest.fixture(autouse=True)
def bounded(data):
  artifact.decode(data)  # what the first call leaves behind is not counted
  tracemalloc.start()
  yield
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert peak < MEMORY


def same(data, other):
  """Whether both read as the same network."""
  (one, first), (two, second) = container.read(data), container.read(other)
  equal = first.keys() == second.keys() and all(
    first[n].tobytes() == second[n].tobytes() for n in first
  )
  return one == two and equal


def test_flipped_bits(data):
  """All of the first bytes, and some of header and data."""
  rs = np.random.RandomState(0)
  length = 8 + int.from_bytes(data[:8], 'little')
  places = [
    *range(64),
    *rs.randint(64, length, 200),
    *rs.randint(length, len(data), 100),
  ]
  for place in places:
    changed = bytearray(data)
    changed[place] ^= 1 << rs.randint(8)
    try:
      artifact.decode(bytes(changed))
    except ArtifactError:
      continue
    assert same(data, bytes(changed)), place


def test_truncation(data):
  for end in [*range(64), *range(64, len(data), len(data) // 200)]:
    with pytest.raises(TruncatedError):
      artifact.decode(data[:end])


def test_something_appended(data):
  with pytest.raises(AlteredError, match='appended'):
    artifact.decode(data + b'\n')


@pytest.mark.parametrize(
  'other',
  [
    b'\x89PNG\r\n\x1a\n' + bytes(64),
    pickle.dumps(list(range(100))),
    (2**63).to_bytes(8, 'little') + b'{' * 64,
    save({'w': np.zeros(3, np.float32)}),
    save({'w': np.zeros(3, np.float32)}, {'format': 'pt'}),
    save({'w': np.zeros(3, np.float32)}, {'rcj': '{"format": "other"}'}),
  ],
)
def test_other_files(other, tmp_path):
  (tmp_path / 'file').write_bytes(other)
  with pytest.raises(NotAnArtifactError, match=r'file: expected'):
    export.load(tmp_path / 'file')


def raw(header):
  """A file with this header and no data."""
  return len(header).to_bytes(8, 'little') + header


NAMES = b'{"__metadata__": {"rcj": "%s"}}'


@pytest.mark.parametrize(
  'other',
  [
    raw(b'{"a": ' + b'[' * 100_000),
    raw(b'{"a": 1, "a": 2}'),
    raw(b'{"a": NaN}'),
    raw(b'{"a": ' + b'9' * 10_000 + b'}'),
    raw(b'{\xff\xff}'),
    raw(NAMES % b'no JSON'),
    raw(NAMES % b'[1]'),
    raw(NAMES % (b'[' * 100_000)),
  ],
)
def test_headers_that_nobody_writes(other):
  with pytest.raises(AlteredError):
    artifact.decode(other)


def forged(data, change):
  """The file with its record and tensors changed, and a digest that fits."""
  record, tensors = container.read(data)
  record, tensors = copy.deepcopy(record), dict(tensors)
  change(record, tensors)
  return container.write(record, tensors)


def node(**fields):
  def change(record, tensors):
    record['model']['graph']['nodes'][0].update(fields)

  return change


def every_node(**fields):
  def change(record, tensors):
    for n in record['model']['graph']['nodes']:
      n.update({k: v for k, v in fields.items() if k in n})

  return change


def model(**fields):
  return lambda record, tensors: record['model'].update(fields)


def shown(**fields):
  return lambda record, tensors: record['preprocessing'].update(fields)


def record(**fields):
  return lambda record, tensors: record.update(fields)


def packing(name, *how):
  return lambda record, tensors: record['packing'].update({name: list(how)})


def tensor(name, function):
  def change(record, tensors):
    tensors[name] = np.ascontiguousarray(function(tensors[name].copy()))

  return change


def many_nodes(record, tensors):
  nodes = record['model']['graph']['nodes']
  nodes += [{**nodes[-1], 'name': f'n{i}'} for i in range(5000)]


def folder_and_leaf(record, tensors):
  """A layer of the name of another one's kernel."""
  nodes = record['model']['graph']['nodes']
  first, second = (n for n in nodes[:4] if 'bias' in n)
  old, new = second['name'], f'{first["name"]}/kernel'
  for n in nodes:
    n['inputs'] = [new if name == old else name for name in n['inputs']]
  second['name'] = new


def norm(record, tensors):
  nodes = record['model']['graph']['nodes']
  nodes.append({'op': 'BatchNorm', 'name': 'bn', 'inputs': ['image']})


STEM = 'params/conv_stem/kernel'
HEAD = 'params/head/kernel'


def set_first(value):
  def function(x):
    x.reshape(-1)[0] = value
    return x

  return function


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (every_node(features=2**20), 'parameters are more than'),
    (every_node(features=10**30), 'features of the node'),
    (node(features=2**21), 'features of the node'),
    (node(features=-1), 'features of the node'),
    (node(features=True), 'features of the node'),
    (node(features=16.0), 'features of the node'),
    (node(size=10**9 + 1), 'size of the node'),
    (node(size=2), 'cannot have the size 2'),
    (node(side=0), 'side of the node'),
    (node(stride=0), 'stride of the node'),
    (node(padding='same'), 'padding of the node'),
    (node(padding=['tf']), 'padding of the node'),
    (node(bias='yes'), 'bias of the node'),
    (node(name='n' * 300), 'name of the node'),
    (node(inputs='image'), 'inputs of the node'),
    (node(inputs=[['image']]), 'inputs of the node'),
    (node(inputs=['later']), 'made later'),
    (node(op='Softmax'), 'unknown operation'),
    (node(colour='red'), 'colour of the node'),
    (many_nodes, 'list of up to'),
    (folder_and_leaf, 'arrays and folders of arrays'),
    (norm, 'BatchNorm'),
    (model(graph=None), 'a graph of operations'),
    (model(graph={'nodes': [1]}), 'must be an object'),
    (model(graph={'nodes': []}), 'no network'),
    (model(net='Network'), 'no network'),
    (model(net=['IntNet']), 'no network'),
    (model(net='QuantNet'), 'is not what ships'),
    (model(net='GraphNet'), 'no network'),
    (model(dtype='object'), "computed in 'object'"),
    (model(dtype=['float32']), 'computed in'),
    (model(keep_float=[['a']]), 'keep_float'),
    (model(keep_float='conv_stem'), 'keep_float'),
    (model(keep_float=[]), 'not those of its graph'),
    (record(model='resnet18'), 'a graph of operations'),
    (record(model={'name': 'resnet18', 'num_classes': 5}), 'a graph of op'),
    (record(classes=['a']), '5 outputs, but 1 names'),
    (record(classes=5), 'classes must be a list'),
    (record(classes=[1, 2, 3, 4, 5]), 'classes must be a list'),
    (record(packing=None), 'not those of its graph'),
    (record(preprocessing=None), 'no preprocessing'),
    (shown(std=[0, 1, 1]), 'images cannot be shown'),
    (shown(mean=[1, 2]), 'images cannot be shown'),
    (shown(mean='abc'), 'images cannot be shown'),
    (shown(mean=[10**400, 0, 0]), 'images cannot be shown'),
    (shown(size=10**9), 'images cannot be shown'),
    (shown(crop=True), 'no preprocessing'),
    (packing(HEAD, 'all', 'plain', 10**12), 'cannot store'),
    (packing(HEAD, 'gaps', 'plain', 10**12), 'cannot store'),
    (packing(HEAD, 'gaps', 'zip', 3), 'no array is stored'),
    (packing(HEAD, 'all', 'half', 320), 'expected parts'),
    (packing('params/other', 'all', 'plain', 1), 'not those of its graph'),
    (tensor(f'{STEM}:values', lambda x: x[:-1]), 'expected parts'),
    (tensor(f'{STEM}:values', lambda x: x.view(np.int32)), 'of type float32'),
    (tensor(f'{STEM}:values', set_first(np.nan)), 'NaN or infinity'),
    (tensor('params/head/scale:values', set_first(np.inf)), 'NaN or inf'),
    (tensor('params/head/scale:values', set_first(-1)), 'must be positive'),
    (tensor('batch_stats/image/zero:values', set_first(256)), r'in 0\.\.255'),
    (tensor('batch_stats/image/scale:values', set_first(0)), 'positive'),
    (lambda r, tensors: tensors.pop(f'{HEAD}:values'), 'expected parts'),
    (lambda r, t: t.update(more=np.zeros(3, np.uint8)), 'is no part'),
    (lambda r, t: t.update({f'{HEAD}:z': np.zeros(3, np.uint8)}), 'expected p'),
  ],
)
def test_files_that_were_made_to_hurt(data, change, message):
  with pytest.raises(MalformedError, match=message):
    artifact.decode(forged(data, change))


WEIRD = (
  *(None, True, 0, -1, 3, 2**40, 10**400, 0.5, '', 'image', 'conv_stem/kernel'),
  *([], [[]], [None], ['image'], {}, {'op': 'Relu'}),
)


def places(value, path=()):
  """Every place in a JSON value, from the outermost to the innermost."""
  yield path
  if isinstance(value, list):
    value = dict(enumerate(value))
  for key, x in value.items() if isinstance(value, dict) else ():
    yield from places(x, (*path, key))


def test_any_part_of_the_record_may_be_anything(data):
  rs = np.random.RandomState(0)
  told, _ = container.read(data)
  every = [path for path in places(told) if path]
  for i in rs.randint(len(every), size=150):
    *parents, last = every[i]

    def change(record, tensors, parents=parents, last=last):
      for key in parents:
        record = record[key]
      record[last] = WEIRD[rs.randint(len(WEIRD))]

    try:
      artifact.decode(forged(data, change))
    except ArtifactError:
      continue


def test_gaps_that_run_past_the_end():
  frozen = exports.METHODS['masked'](exports.dense('wide'), density=0.05)
  data = artifact.encode(frozen)
  told, _ = container.read(data)
  sparse = [
    n for n, how in told['packing'].items() if how[0] == 'gaps' and how[2]
  ]
  for name in sparse:
    forgery = forged(data, tensor(f'{name}:gaps', lambda x: x * 0 + 255))
    with pytest.raises(MalformedError, match='gaps run to entry'):
      artifact.decode(forgery)
  assert sparse


def test_a_newer_format(data):
  with pytest.raises(NewerFormatError, match=r'version 2 .* up to 1'):
    artifact.decode(forged(data, record(version=2)))


def test_a_tensor_of_another_network(data):
  """Each part is as it was written, but not in this file."""
  other = artifact.encode(exports.network('mobile', 'dense'))
  start = 8 + int.from_bytes(data[:8], 'little')
  with pytest.raises(ArtifactError):
    artifact.decode(data[:start] + other[-(len(data) - start) :])


def test_files_too_long_to_read(tmp_path, data, monkeypatch):
  monkeypatch.setattr(artifact, 'MAX_BYTES', len(data) - 1)
  (tmp_path / 'file').write_bytes(data)
  with pytest.raises(MalformedError, match='bytes are more than'):
    export.load(tmp_path / 'file')
