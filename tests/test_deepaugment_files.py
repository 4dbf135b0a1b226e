"""Reading the weights of EDSR and the CAE."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from rcj import deepaugment
from rcj.augment import cae, edsr

NETWORKS = {'edsr': edsr, 'cae': cae}


def seeded(network):
  """Weights of the network, and EDSR's constants as its file has them."""
  rng = np.random.default_rng(0)
  shapes = dict(NETWORKS[network].shapes())
  if network == 'edsr':
    for name in ('sub_mean', 'add_mean'):
      shapes |= {f'{name}.weight': (3, 3, 1, 1), f'{name}.bias': (3,)}
  return {n: rng.normal(size=s).astype('f') for n, s in shapes.items()}


def check(got, network, tensors):
  assert set(got) == set(NETWORKS[network].shapes())
  for name, x in got.items():
    np.testing.assert_array_equal(x, tensors[name])


@pytest.mark.parametrize('network', NETWORKS)
def test_safetensors(tmp_path, network):
  tensors, path = seeded(network), tmp_path / 'weights.safetensors'
  save_file({f'module.{n}': x for n, x in tensors.items()}, path)
  check(deepaugment.load(path, network), network, tensors)


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize(
  ('network', 'name'),
  [('edsr', 'edsr_baseline_x4.pt'), ('cae', 'model_final.state')],
)
def test_files_of_torch_save(tmp_path, network, name, zipped):
  torch = pytest.importorskip('torch')
  tensors, path = seeded(network), tmp_path / name
  state = {n: torch.tensor(x) for n, x in tensors.items()}
  torch.save(state, path, _use_new_zipfile_serialization=zipped)
  check(deepaugment.load(path, network), network, tensors)


def test_other_files_are_refused_by_name(tmp_path):
  path = tmp_path / 'weights.safetensors'
  save_file(seeded('cae'), path)
  with pytest.raises(
    ValueError, match=r'weights of edsr: head\.0\.weight is m'
  ):
    deepaugment.load(path, 'edsr')
  larger = seeded('cae') | {'e_conv_1.1.bias': np.zeros(65, 'f')}
  save_file(larger, path)
  with pytest.raises(ValueError, match=r'bias is \[65\], expected \[64\]'):
    deepaugment.load(path, 'cae')
  path.write_bytes(b'none of it')
  with pytest.raises(ValueError, match='is broken'):
    deepaugment.load(path, 'cae')
