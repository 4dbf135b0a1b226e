"""launch/fourier.py as a user meets it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from test_launch_export import CONFIG, run_dir
from test_launch_run import launch

PNG = b'\x89PNG'
__all__ = ['run_dir']


@pytest.fixture(scope='module')
def heat_map(run_dir, tmp_path_factory):
  """The folder of a small map."""
  out = tmp_path_factory.mktemp('maps') / 'map'
  result = launch(
    'fourier', str(run_dir), CONFIG, '--window=3', '--images=40', f'--out={out}'
  )
  assert result.returncode == 0, result.stderr
  assert result.stdout == f'complete: {out}\n'
  return out


def test_a_map_is_written(heat_map, run_dir):
  errors = np.load(heat_map / 'heat_map.npy')
  assert errors.shape == (3, 3)
  np.testing.assert_array_equal(errors, errors[::-1, ::-1])
  assert errors.min() > 0
  assert errors.max() <= 1
  assert (heat_map / 'heat_map.png').read_bytes().startswith(PNG)
  said = json.loads((heat_map / 'meta.json').read_text())
  assert said['artifact'] == f'{run_dir.name}/network.rcj'
  assert (said['norm'], said['window'], said['n']) == (4.0, 3, 40)
  assert said['protocol'].endswith('40 of 597 images')


def test_maps_are_subtracted(heat_map, tmp_path):
  out = tmp_path / 'difference'
  result = launch(
    'fourier', str(heat_map), f'--minus={heat_map}', f'--out={out}'
  )
  assert result.returncode == 0, result.stderr
  assert not np.load(out / 'difference.npy').any()
  assert (out / 'difference.png').read_bytes().startswith(PNG)
  assert json.loads((out / 'meta.json').read_text())['minus']['n'] == 40


def test_spectra_are_written(tmp_path):
  out = tmp_path / 'spectra'
  result = launch('fourier', '--spectra', CONFIG, '--images=4', f'--out={out}')
  assert result.returncode == 0, result.stderr
  with np.load(out / 'spectra.npz') as z:
    found = dict(z)
  assert found['fog'].shape == (32, 32)
  assert found['radial_fog'].shape == (16,)
  assert len(found) == 2 * (1 + 15)
  # What the paper's figure 2 shows: fog is of low frequencies, noise of all.
  fog, noise = (found[f'radial_{x}'] for x in ('fog', 'gaussian_noise'))
  assert fog[1] / fog[15] > 10 * noise[1] / noise[15]
  assert (out / 'spectra.png').read_bytes().startswith(PNG)


@pytest.mark.parametrize(
  ('args', 'words'),
  [
    (['{run}', '{out}/other'], '--config is needed except with --minus'),
    (['{map}', '{map}', '--minus={map}'], 'holds no difference.npy'),
  ],
)
def test_mistakes_are_told(args, words, heat_map, run_dir, tmp_path):
  places = {'run': run_dir, 'map': heat_map, 'out': tmp_path}
  named, out, *flags = (a.format(**places) for a in args)
  before = (heat_map / 'meta.json').read_bytes()
  result = launch('fourier', named, *flags, f'--out={out}', '--images=40')
  assert result.returncode != 0
  assert words in result.stdout + result.stderr
  assert 'Traceback' not in result.stderr
  assert (heat_map / 'meta.json').read_bytes() == before
  assert not (tmp_path / 'other').exists()
