"""EDSR and the CAE against the original on seeded weights, draw for draw."""

import json

import jax
import numpy as np
import pytest
from conftest import GOLDEN

from rcj.augment import cae, cae_draws, edsr, edsr_draws
from rcj.augment.weight_changes import Change, apply_changes

DRAWS = json.loads((GOLDEN / 'augment/deepaugment_draws.json').read_text())
NETWORKS = {
  'edsr': (edsr, edsr_draws, 17, 0.7),
  'cae': (cae, cae_draws, 19, 0.9),
}


def weights_of(network):
  """What the golden vectors were made with, see their README."""
  _, _, seed, gain = NETWORKS[network]
  stream, made = np.random.RandomState(seed), {}
  for name, shape in DRAWS[f'{network}_state'].items():
    if 'mean' in name:
      continue
    by = gain / np.sqrt(np.prod(shape[1:])) if len(shape) == 4 else 0.01
    made[name] = (stream.standard_normal(shape) * by).astype(np.float32)
  return made


@pytest.fixture(scope='module')
def weights():
  return {network: weights_of(network) for network in NETWORKS}


@pytest.fixture(scope='module')
def saved():
  return np.load(GOLDEN / 'augment/deepaugment.npz')


def cases(network, kind):
  return sorted(k for k in DRAWS if k.startswith(f'{network}|{kind}'))


@pytest.mark.parametrize('network', NETWORKS)
def test_names_and_shapes_are_those_of_the_official_file(network):
  expected = DRAWS[f'{network}_state'].items()
  expected = {n: tuple(s) for n, s in expected if 'mean' not in n}
  shapes = NETWORKS[network][0].shapes()
  assert shapes == expected
  fixed = 2 * (9 + 3) if network == 'edsr' else 0
  total = sum(int(np.prod(s)) for s in shapes.values()) + fixed
  assert total == {'edsr': 1_517_595, 'cae': 2_241_859}[network]


@pytest.mark.parametrize(
  'case', [c for n in NETWORKS for c in cases(n, 'weight_option')]
)
def test_weights_change_as_in_the_original(case, weights, saved):
  network, option = case.split('|weight_option')
  draws, log = NETWORKS[network][1], DRAWS[case]
  stream = np.random.RandomState(log['seed'])
  old = weights[network]
  new = apply_changes(old, draws.weight_changes(stream, int(option)))
  changed = {n for n in old if not np.array_equal(old[n], new[n])}
  assert changed == set(log['changed'])
  for name in changed:
    part = new[name][::8, ::8] if new[name].ndim == 4 else new[name]
    np.testing.assert_allclose(
      part, saved[f'{case}|{name}'], atol=1e-6, err_msg=name
    )
    values = new[name].astype(np.float64)
    got = [values.sum(), np.abs(values).sum()]
    np.testing.assert_allclose(got, log['sum'][name], atol=2e-2, rtol=1e-5)


enlarge = jax.jit(edsr.enlarge)


@pytest.mark.parametrize(
  'case', ['edsr|plain', *cases('edsr', 'pre'), *cases('edsr', 'body')]
)
def test_edsr_is_the_original(case, weights, saved):
  image = saved['edsr|x'][0].transpose(1, 2, 0)
  option = case.split('|')[1]
  plan = edsr.plain(*image.shape[:2])
  if option != 'plain':
    stream = np.random.RandomState(DRAWS[case]['seed'])
    before = int(option[-1]) if option.startswith('pre') else 4
    body = int(option[-1]) if option.startswith('body') else 5
    plan = edsr_draws.activations(stream, before, body, *image.shape[:2])
  got = enlarge(weights['edsr'], image, plan)
  expected = saved[case][0].transpose(1, 2, 0)
  np.testing.assert_allclose(got, expected, atol=5e-4)


reconstruct = jax.jit(
  lambda weights, image, plan: (
    cae.encode(weights, image, plan),
    cae.reconstruct(weights, image, plan),
  )
)


@pytest.mark.parametrize('case', ['cae|plain', *cases('cae', 'latent')])
def test_cae_is_the_original(case, weights, saved):
  image = saved['cae|x'][0].transpose(1, 2, 0)
  option = None if case == 'cae|plain' else int(case[-1])
  stream = np.random.RandomState(DRAWS[case]['seed'])
  plan = cae_draws.code(stream, option, *image.shape[:2])
  code, got = reconstruct(weights['cae'], image, plan)
  expected = saved[f'{case}|encoded'][0].transpose(1, 2, 0)
  np.testing.assert_allclose(code, expected, atol=1e-5)
  expected = saved[case][0].transpose(1, 2, 0)
  np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize('network', NETWORKS)
def test_draws_depend_on_the_key_alone(network):
  draws = NETWORKS[network][1]
  keys = jax.random.split(jax.random.key(0), 40)
  once, again = (draws.draw_plan(keys[0], 8, 8) for _ in range(2))
  jax.tree.map(np.testing.assert_array_equal, once, again)
  leaves = [{c.leaf for c in draws.draw_changes(k)} for k in keys]
  assert leaves[0] == {c.leaf for c in draws.draw_changes(keys[0])}
  assert len(set(map(frozenset, leaves))) > 5
  names = NETWORKS[network][0].shapes()
  assert all(some <= set(names) for some in leaves)


@pytest.mark.parametrize('network', NETWORKS)
def test_every_option_fits_its_layers(network, weights):
  """Any layer that an option may pick keeps its shape; many seeds, no maths."""
  draws, old = NETWORKS[network][1], weights[network]
  for option in range(draws.OPTIONS):
    if network == 'edsr' and option in (8, 9, 10):
      continue  # convolutions, which the golden vectors cover
    for seed in range(4):
      stream = np.random.RandomState(seed)
      for change in draws.weight_changes(stream, option):
        new = apply_changes(old, [change])[change.leaf]
        assert new.shape == old[change.leaf].shape


def test_bad_requests_are_named():
  stream = np.random.RandomState(0)
  with pytest.raises(ValueError, match='options 0 to 16, not 17'):
    edsr_draws.weight_changes(stream, 17)
  with pytest.raises(ValueError, match='options 0 to 8, not 9'):
    cae_draws.weight_changes(stream, 9)
  with pytest.raises(ValueError, match=r"no leaf 'x' to change; there are a"):
    apply_changes({'a': np.zeros(2, np.float32)}, [Change('x', 'times', 2.0)])
  plan = cae_draws.code(stream, None, 8, 8)
  with pytest.raises(ValueError, match='multiples of 4 pixels'):
    cae.reconstruct({}, np.zeros((9, 8, 3), np.float32), plan)
