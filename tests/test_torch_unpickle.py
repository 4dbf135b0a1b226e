"""What is read of files of torch.save, and what is refused."""

from __future__ import annotations

import os
import pathlib
import pickle
import zipfile

import numpy as np
import pytest

from rcj import models
from rcj.models import unpickle


@pytest.mark.parametrize('zipped', [True, False])
def test_kinds_of_tensors(zipped, tmp_path):
  torch = pytest.importorskip('torch')
  base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
  kinds = {
    'view': base[1:3, ::2],
    'transposed': base.T,
    'shared': base,
    'scalar': torch.tensor(2.5, dtype=torch.float64),
    'half': base.half(),
    'bf16': base.bfloat16(),
    'bool': base > 3,
    'int': base.to(torch.int8),
    'empty': torch.zeros(0, 3),
    'parameter': torch.nn.Parameter(base + 1),
  }
  saved = {'nested': [kinds, 1, (2.5, 'text', None)]}
  path = tmp_path / 'x.pt'
  torch.save(saved, path, _use_new_zipfile_serialization=zipped)
  got, one, rest = unpickle.read(path)['nested']
  assert (one, rest) == (1, [2.5, 'text', None])
  for name, want in kinds.items():
    want = want.detach()
    want = want.float() if name == 'bf16' else want
    array = got[name].astype('f') if name == 'bf16' else got[name]
    assert array.dtype == want.numpy().dtype
    np.testing.assert_array_equal(array, want.numpy())


@pytest.mark.parametrize('form', ['zip', 'legacy'])
def test_recorded_files_of_torch(form):
  """Both formats as torch 2.13.0 wrote them, read where torch is absent."""
  path = pathlib.Path(__file__).parent / 'golden' / 'torch' / f'kinds_{form}.pt'
  base = np.arange(24, dtype=np.float32).reshape(4, 6)
  wanted = {
    'view': base[1:3, ::2],
    'transposed': base.T,
    'scalar': np.float64(2.5),
    'half': base.astype(np.float16),
    'bool': base > 3,
    'int': base.astype(np.int8),
    'empty': np.zeros((0, 3), np.float32),
    'parameter': base + 1,
  }
  got, one, rest = unpickle.read(path)['nested']
  assert (one, rest) == (1, [2.5, 'text', None])
  assert got.keys() == wanted.keys()
  for name, want in wanted.items():
    assert got[name].dtype == want.dtype
    np.testing.assert_array_equal(got[name], want)


class Hostile:
  def __reduce__(self):
    return os.system, ('exit 1',)


def write_zip(path, pickled):
  with zipfile.ZipFile(path, 'w') as archive:
    archive.writestr('archive/data.pkl', pickled)


def write_legacy(path, pickled):
  head = (0x1950A86A20F9469CFC6C, 1001, {'little_endian': True})
  path.write_bytes(b''.join(pickle.dumps(x, 2) for x in head) + pickled)


@pytest.mark.parametrize('write', [write_zip, write_legacy])
@pytest.mark.parametrize(
  ('pickled', 'named'),
  [
    (pickle.dumps({'a': Hostile()}, 2), f'{os.system.__module__}.system'),
    (b'cbuiltins\neval\n(V1+1\ntR.', 'builtins.eval'),
    (b'(V1+1\nibuiltins\neval\n.', 'builtins.eval'),
    (b'ctorch.nn.modules.conv\nConv2d\n.', 'torch.nn.modules.conv.Conv2d'),
    (b'ctorch._utils\n_rebuild_tensor.__globals__\n.', '__globals__'),
  ],
)
def test_other_globals_are_refused(
  write, pickled, named, tmp_path, monkeypatch
):
  monkeypatch.setattr(os, 'system', lambda _: pytest.fail('code was run'))
  write(tmp_path / 'x.pth', pickled)
  with pytest.raises(unpickle.UnsafePickleError, match=named):
    models.load_torch(tmp_path / 'x.pth', 'resnet20')


def tensor_pickle(offset, size, stride):
  """A protocol-0 pickle of a tensor over a float32 storage of 4 numbers."""

  def numbers(x):
    return '(' + ''.join(f'I{n}\n' for n in x) + 't'

  return (
    'ctorch._utils\n_rebuild_tensor_v2\n('
    '(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI4\ntQ'
    f'I{offset}\n{numbers(size)}{numbers(stride)}I00\nNtR.'
  ).encode()


@pytest.mark.parametrize(
  ('offset', 'size', 'stride'),
  [
    (0, (5,), (1,)),
    (1, (4,), (1,)),
    (0, (2, 2), (4, 1)),
    (0, (2,), (-1,)),
    (-1, (2,), (1,)),
    (0, (10**9,), (0,)),
    (0, (2, 2), (1,)),
  ],
)
def test_tensors_stay_within_their_storage(offset, size, stride, tmp_path):
  def write(pickled):
    write_zip(tmp_path / 'x.pth', pickled)
    with zipfile.ZipFile(tmp_path / 'x.pth', 'a') as archive:
      archive.writestr('archive/data/0', np.arange(4, dtype='<f4').tobytes())

  write(tensor_pickle(1, (3,), (1,)))
  np.testing.assert_array_equal(unpickle.read(tmp_path / 'x.pth'), [1, 2, 3])
  write(tensor_pickle(offset, size, stride))
  with pytest.raises(ValueError, match='broken'):
    unpickle.read(tmp_path / 'x.pth')


@pytest.mark.parametrize('content', [b'', b'hello world', b'\x80\x02}.' * 9])
def test_files_of_other_formats(content, tmp_path):
  path = tmp_path / 'x.pth'
  path.write_bytes(content)
  with pytest.raises(ValueError, match=r'x.pth is no file of torch\.save'):
    models.load_torch(path, 'resnet20')


def test_checkpoint_without_state_dict(tmp_path):
  write_zip(tmp_path / 'x.pth', pickle.dumps({'epoch': 3}, 2))
  with pytest.raises(ValueError, match=r"expected a state dict.*\['epoch'\]"):
    models.load_torch(tmp_path / 'x.pth', 'resnet20')
