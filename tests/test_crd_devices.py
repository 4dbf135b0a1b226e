"""CRD on several devices: the results of one, and little that travels."""

import functools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import crd, native, train
from rcj.types import Outputs

IMAGES, B, K = 1000, 8, 600
DIMS = {'student': 24, 'teacher': 20}
LABELS = np.arange(IMAGES) % 10


def outputs(pooled):
  """Outputs with two views, of which the second is not to be looked at."""
  views = jnp.stack([pooled, jnp.full_like(pooled, jnp.nan)], axis=1)
  return Outputs(logits=views, maps=(), pooled=views)


def step(state, batch, *, term):
  """Gradient descent on the heads with one term alone."""
  heads, aux, i = state

  def mean(heads, pooled):
    seen = [outputs(pooled[n]) for n in DIMS]
    key = jax.random.fold_in(jax.random.key(5), i)
    loss, new = term(seen[0], batch, seen[1], heads, aux, key)
    return jnp.mean(loss), (loss, new)

  (_, (loss, new)), (grads, slopes) = jax.value_and_grad(
    mean, (0, 1), has_aux=True
  )(heads, batch['pooled'])
  heads = jax.tree.map(lambda x, g: x - 0.1 * g, heads, grads)
  return (heads, new, i + 1), (loss, slopes)


def batch_of(seed):
  rng = np.random.default_rng(seed)
  pooled = {
    n: rng.normal(size=(B, d)).astype(np.float32) for n, d in DIMS.items()
  }
  index = rng.integers(0, IMAGES, B).astype(np.int32)
  index[5] = index[1]
  return {'pooled': pooled, 'index': index}


def start(term):
  shapes = [
    Outputs(None, (), jax.ShapeDtypeStruct((1, 1, d), np.float32))
    for d in DIMS.values()
  ]
  heads, aux = term.init(jax.random.key(0), shapes, LABELS)
  return heads, aux, jnp.int32(0)


def on(devices, term):
  """The compiled step, the shardings of its state, and that of batches."""
  mesh = jax.make_mesh(
    (devices,),
    ('data',),
    (jax.sharding.AxisType.Auto,),
    devices=jax.devices()[:devices],
  )
  everywhere = jax.NamedSharding(mesh, jax.P())
  rows = jax.NamedSharding(mesh, jax.P('data'))
  shapes = jax.eval_shape(lambda: start(term))
  kept = jax.tree.map(lambda _: everywhere, shapes)
  if term.banks == 'sharded':
    kept[1]['banks'] = dict.fromkeys(DIMS, rows)
  run = train.compiled(step, mesh, placement=(kept, rows), term=term)
  return run, kept, rows


def program(devices, term):
  """The step as compiled, without any array being made."""
  run, kept, rows = on(devices, term)
  args = (jax.eval_shape(lambda: start(term)), batch_of(0))
  specs = jax.tree.map(
    lambda x, sharding: jax.ShapeDtypeStruct(
      x.shape, x.dtype, sharding=sharding
    ),
    args,
    (kept, jax.tree.map(lambda _: rows, args[1])),
  )
  return run.lower(*specs).compile()


@functools.cache
def trained(devices, term):
  run, kept, rows = on(devices, term)
  state = jax.device_put(start(term), kept)
  for seed in range(3):
    state, result = run(state, jax.device_put(batch_of(seed), rows))
  assert run._cache_size() == 1
  heads, aux, _ = jax.device_get(state)
  banks = {n: x[:IMAGES].astype('f4') for n, x in aux['banks'].items()}
  return heads, banks, aux['z'], jax.device_get(result)


def term_of(banks, **how):
  return crd.CRD(feature_dim=16, negatives=K, banks=banks, **how)


MOVING = {'mode': 'relax', 'z': 'ema'}


@pytest.fixture(scope='module')
def alone():
  """The state after three steps without any mesh, and the last result."""
  term = term_of('replicated', **MOVING)
  run = jax.jit(functools.partial(step, term=term))
  state = start(term)
  for seed in range(3):
    state, result = run(state, batch_of(seed))
  heads, aux, _ = state
  return jax.device_get((heads, aux['banks'], aux['z'], result))


@pytest.mark.parametrize(
  ('banks', 'devices'),
  [('replicated', 1), ('replicated', 4), ('sharded', 2), ('sharded', 4)],
)
def test_any_number_of_devices_gives_the_same(alone, banks, devices):
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=2e-4, atol=2e-6),
    trained(devices, term_of(banks, **MOVING)),
    alone,
  )


def test_half_precision_banks_run_sharded():
  half = trained(4, term_of('sharded', dtype='bfloat16', **MOVING))
  full = trained(4, term_of('sharded', **MOVING))
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=0.1, atol=0.02),
    half,
    full,
  )


@pytest.mark.parametrize('banks', ['replicated', 'sharded'])
def test_neither_banks_nor_scores_travel(banks):
  """Nothing above the features or the gradients of the heads is exchanged."""
  text = program(4, term_of(banks)).as_text()
  kinds = (
    r'(all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)'
  )
  sizes = []
  for line in text.splitlines():
    if re.search(rf' {kinds}(-start)?\(', line):
      result = re.split(kinds + r'(?:-start)?\(', line)[0].split(' = ')[1]
      shapes = re.findall(r'\w+\[([\d,]*)\]', result)
      sizes += [math.prod(map(int, s.split(','))) if s else 1 for s in shapes]
  limit = max(DIMS.values()) * 16
  assert limit < min(B * (K + 1), IMAGES / 4 * 16)
  assert sizes
  assert max(sizes) <= limit


def test_banks_are_updated_in_place():
  """No copy of a bank is made, nor of the entries that were drawn."""
  text = program(1, term_of('replicated')).as_text()
  assert f'f32[{IMAGES},16]' in text
  assert not re.search(rf'f32\[{IMAGES},16\]\S* copy\(', text)
  assert f'[{B},{K + 1},16]' not in text


@pytest.mark.parametrize(
  ('banks', 'images', 'negatives', 'dtype', 'natively'),
  [
    ('replicated', 50_000, 4096, 'float32', False),
    ('replicated', 600_000, 4096, 'float32', False),
    ('sharded', 50_000, 16384, 'bfloat16', False),
    ('replicated', 50_000, 16384, 'bfloat16', True),
    ('sharded', 50_000, 16384, 'float32', True),
  ],
)
def test_the_memory_that_is_announced_is_what_xla_takes(
  banks, images, negatives, dtype, natively, monkeypatch
):
  if natively and not native.available():
    pytest.skip('no native kernels')
  monkeypatch.setattr(native, 'available', lambda: natively)
  monkeypatch.setitem(globals(), 'LABELS', np.arange(images) % 10)
  term = crd.CRD(banks=banks, negatives=negatives, dtype=dtype)
  said = re.findall(r'([\d,.]+) MiB', term.memory(images, B, 4))
  held, peak = (float(x.replace(',', '')) for x in said)
  analysis = program(4, term).memory_analysis()
  assert held <= analysis.argument_size_in_bytes / 2**20 < 1.2 * held + 10
  assert 0.5 * peak <= analysis.temp_size_in_bytes / 2**20 <= 1.1 * peak
