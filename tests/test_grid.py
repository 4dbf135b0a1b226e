"""sweep.json: what a sweep writes is what a report reads."""

import json

import pytest

from rcj import grid

VIEWS = (
  grid.View(
    'table1',
    'Students',
    'table',
    (
      grid.Cell({'method': 'kd', 'ratio': 5.0}, 'KD', 'small', runs=('a', 'b')),
      grid.Cell({'method': 'train', 'flip': False, 'size': 3}, 'none'),
    ),
  ),
  grid.View('figure1', 'Ratios', 'lines', (), axis='ratio'),
)


def test_what_is_written_is_read(tmp_path):
  grid.write(VIEWS, tmp_path / 'new' / 'sweep')
  got = grid.read(tmp_path / 'new' / 'sweep')
  assert got == VIEWS
  kinds = [type(x) for x in got[0].cells[0].fields.values()]
  assert kinds == [str, float]


def test_a_folder_without_a_sweep_has_no_views(tmp_path):
  assert grid.read(tmp_path) == ()
  assert grid.read(tmp_path / 'absent') == ()


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
  grid.write(VIEWS, tmp_path)

  def fail(*_, **__):
    raise OSError('no space left')

  monkeypatch.setattr(json, 'dumps', fail)
  with pytest.raises(OSError, match='no space'):
    grid.write(VIEWS[:1], tmp_path)
  assert grid.read(tmp_path) == VIEWS
