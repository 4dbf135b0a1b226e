"""Files of a run in a local folder and in a bucket (a stand-in in memory)."""

import json
import os

import pytest
import tiny
from etils import epath
from etils.epath import backend
from fsspec.implementations.memory import MemoryFileSystem

from rcj import checkpoint, experiment, files, locks, results
from rcj.journal import Journal


class Bucket(MemoryFileSystem):
  """gs:// paths in memory, which cannot be appended to."""

  protocol = ('gs', 'gcs')
  store, pseudo_dirs = {}, ['']

  @classmethod
  def _strip_protocol(cls, path):
    return '/' + str(path).removeprefix('gs://').strip('/')

  def open(self, path, mode='rb', **options):
    assert 'a' not in mode
    return super().open(path, mode, **options)


@pytest.fixture(params=['folder', 'bucket'])
def workdir(request, tmp_path, monkeypatch):
  if request.param == 'folder':
    return epath.Path(tmp_path)
  monkeypatch.setattr(Bucket, 'store', {})
  monkeypatch.setattr(Bucket, 'pseudo_dirs', [''])
  monkeypatch.setattr(backend._FileSystemSpecBackend, 'fs', lambda *_: Bucket())
  Bucket().makedirs('/bucket/run')
  return epath.Path('gs://bucket/run')


def test_files_are_replaced_and_grow(workdir):
  path = workdir / 'file'
  for text in ('first', 'second'):
    files.write_whole(path, text.encode())
    assert path.read_text() == text
  files.append(path, ' third')
  files.append(workdir / 'new', 'line')
  assert path.read_text() == 'second third'
  assert (workdir / 'new').read_text() == 'line'
  assert sorted(p.name for p in workdir.iterdir()) == ['file', 'new']


def test_a_run_writes_its_rows_and_metrics(workdir):
  journal = Journal(workdir)
  for step in (1, 2, 3):
    journal.metrics(0, step, loss=0.5)
  journal.rewind(0, 2)
  journal.close()
  lines = (workdir / 'metrics.jsonl').read_text().splitlines()
  assert [json.loads(line)['step'] for line in lines] == [1, 2]
  row = {**dict.fromkeys(results.COLUMNS, 0), 'protocol': 'two\nlines'}
  results.add_rows(workdir, [row])
  results.add_rows(workdir, [{**row, 'severity': 3}])
  read = results.read_rows(workdir / 'results.csv')
  assert [r['severity'] for r in read] == ['0', '3']
  assert read[0]['protocol'] == 'two\nlines'
  results.add_predictions(workdir, {'a': [1]})
  results.add_predictions(workdir, {'b': [2]})
  assert (workdir / 'predictions.npz').exists()


def test_only_local_directories_are_locked(workdir):
  path = workdir / 'lock'
  with locks.exclusive(path) as first, locks.exclusive(path) as second:
    assert first
    assert second == (not files.is_local(workdir))
  with locks.exclusive(path) as again:
    assert again


def test_a_directory_is_claimed(workdir):
  experiment.claim(workdir, tiny.Tiny(seed=1))
  experiment.claim(workdir, tiny.Tiny(seed=2))
  Journal(workdir).metrics(0, 1, loss=0.5)
  with pytest.raises(ValueError, match='seed: 2 there, 3 now'):
    experiment.claim(workdir, tiny.Tiny(seed=3))


def test_checkpoints_stay_where_they_are_told(workdir, monkeypatch):
  """The stand-in is not for orbax, which only has to get the path."""
  paths = []
  monkeypatch.setattr(
    checkpoint, '_Manager', lambda path, **_: paths.append(os.fspath(path))
  )
  checkpoint.Checkpoints(workdir / 'checkpoints')
  assert paths == [f'{workdir}/checkpoints']
