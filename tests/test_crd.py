"""The contrastive loss against the reference's vectors, and its properties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import crd

run = jax.jit(crd.crd, static_argnames=('z', 'banks'))
NAMES = {'student': ('s', 'v1'), 'teacher': ('t', 'v2')}


@pytest.fixture
def vectors(golden):
  return golden('compress/crd_loss')


def start(g):
  """Heads and state of the reference before its first step."""
  heads = {
    name: {
      'kernel': jnp.asarray(g[f'embed_{s}_weight'].T),
      'bias': jnp.asarray(g[f'embed_{s}_bias']),
    }
    for name, (s, _) in NAMES.items()
  }
  _, state = crd.init(
    jax.random.key(0),
    labels=np.arange(50) % 5,
    student_dim=20,
    teacher_dim=28,
    feature_dim=16,
  )
  banks = {n: jnp.asarray(g[f'memory_{v}_init']) for n, (_, v) in NAMES.items()}
  return heads, {**state, 'banks': banks}


def step_of(g, i):
  names = ('feat_s', 'feat_t', 'index', 'contrast_idx')
  return tuple(jnp.asarray(g[f's{i}_{n}']) for n in names)


@jax.jit
def mean_and_grads(heads, state, student, teacher, index, drawn):
  def mean(heads, student, teacher):
    loss, new = crd.crd(heads, state, student, teacher, index, drawn)
    return loss.mean(), (loss, new)

  return jax.value_and_grad(mean, (0, 1, 2), has_aux=True)(
    heads, student, teacher
  )


def near(got, want, tolerance=1e-5):
  scale = np.abs(want).max()
  np.testing.assert_allclose(got / scale, want / scale, atol=tolerance)


def test_three_steps_match_the_reference(vectors):
  """The last of them is 'relax': its positives are other images."""
  heads, state = start(vectors)
  for i in range(3):
    (mean, (loss, state)), grads = mean_and_grads(
      heads, state, *step_of(vectors, i)
    )
    want = {k[3:]: x for k, x in vectors.items() if k.startswith(f's{i}_')}
    assert loss.shape == (6,)
    np.testing.assert_allclose(mean, want['loss'], rtol=1e-5)
    for name, (s, v) in NAMES.items():
      feature = grads[1 if name == 'student' else 2]
      near(feature, want[f'grad_feat_{s}'])
      embed = f'grad_embed_{s}_linear'
      near(grads[0][name]['kernel'], want[f'{embed}_weight'].T)
      near(grads[0][name]['bias'], want[f'{embed}_bias'])
      near(state['banks'][name], want[f'memory_{v}'])
      np.testing.assert_allclose(state['z'][name], want[f'Z_{v}'], rtol=1e-5)


def case(images=40, b=8, k=30, seed=0):
  """Heads, state, features, index and contrast of a random small problem."""
  rng = np.random.default_rng(seed)
  labels = np.arange(images) % 4
  heads, state = crd.init(
    jax.random.key(seed),
    labels=labels,
    student_dim=12,
    teacher_dim=10,
    feature_dim=16,
  )
  features = [jnp.asarray(rng.normal(size=(b, d)), 'f4') for d in (12, 10)]
  index = jnp.asarray(rng.choice(images, b, replace=False), jnp.int32)
  drawn = crd.contrast(jax.random.key(seed), labels, index, k=k)
  return heads, state, *features, index, drawn


def test_a_loss_depends_on_its_own_image_alone():
  heads, state, student, teacher, index, drawn = case()
  state['z'] = {'student': jnp.float32(90.0), 'teacher': jnp.float32(50.0)}
  loss, _ = run(heads, state, student, teacher, index, drawn)
  for rows in (slice(0, 4), slice(4, 8)):
    part, _ = run(
      heads, state, student[rows], teacher[rows], index[rows], drawn[rows]
    )
    np.testing.assert_allclose(part, loss[rows], rtol=1e-5)


def test_of_an_image_that_comes_twice_the_last_row_counts():
  heads, state, student, teacher, index, drawn = case()
  twice = index.at[jnp.array([1, 4])].set(index[6])
  _, new = run(heads, state, student, teacher, twice, drawn)
  keep = jnp.array([0, 2, 3, 5, 6, 7])
  _, want = run(
    heads, state, student[keep], teacher[keep], twice[keep], drawn[keep]
  )
  jax.tree.map(near, new['banks'], want['banks'])


def test_a_batch_gone_wrong_leaves_no_trace_in_the_banks():
  heads, state, student, teacher, index, drawn = case()
  _, new = run(heads, state, student.at[2].set(jnp.nan), teacher, index, drawn)
  for bank in new['banks'].values():
    assert np.isfinite(bank).all()


def test_z_is_frozen_or_a_moving_average():
  first, second = case(seed=0), case(seed=1)
  heads, begin = first[:2]
  alone = {
    i: run(heads, begin, *args[2:])[1]['z']
    for i, args in enumerate((first, second))
  }
  zeros = {**begin, 'banks': jax.tree.map(jnp.zeros_like, begin['banks'])}
  for mode, want in (('first_batch', lambda z: z), ('ema', None)):
    _, state = run(heads, begin, *first[2:], z=mode)
    near(state['z']['student'], alone[0]['student'])
    # Against banks of zeros every score is 1, so that Z of a batch is N.
    _, state = run(heads, {**zeros, 'z': state['z']}, *second[2:], z=mode)
    for name, z in alone[0].items():
      near(state['z'][name], want(z) if want else 0.99 * z + 0.01 * 40)


def test_half_precision_banks_are_close():
  heads, state, *rest = case()
  half = jax.tree.map(lambda x: x.astype(jnp.bfloat16), state['banks'])
  loss, new = run(heads, state, *rest)
  loss_half, new_half = run(heads, {**state, 'banks': half}, *rest)
  np.testing.assert_allclose(loss_half, loss, rtol=0.02)
  for name, bank in new_half['banks'].items():
    assert bank.dtype == jnp.bfloat16
    np.testing.assert_allclose(
      bank.astype(jnp.float32), new['banks'][name], atol=5e-3
    )


def test_wrong_arguments_are_named():
  heads, state, student, teacher, index, drawn = case()
  args = heads, state, student, teacher
  with pytest.raises(ValueError, match=r'0\.\.39.*labels of a subset'):
    crd.crd(*args, index + 20, drawn)
  with pytest.raises(ValueError, match='at least 1 negative'):
    crd.crd(*args, index, drawn[:, :1])
  with pytest.raises(ValueError, match="'first_batch' or 'ema', not 'all'"):
    crd.crd(*args, index, drawn, z='all')
  with pytest.raises(ValueError, match="'replicated' or 'sharded'"):
    crd.crd(*args, index, drawn, banks='split')
  with pytest.raises(ValueError, match='10 labels are of one class'):
    crd.init(
      jax.random.key(0), labels=np.zeros(10), student_dim=2, teacher_dim=2
    )
