import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import losses
from rcj.types import Outputs

VIEWS = ('clean', 'aug1', 'aug2')


def outputs(logits, maps=()):
  """Outputs of [V,B,...] arrays, as [B,V,...]."""
  logits = jnp.moveaxis(jnp.asarray(logits), 0, 1)
  maps = tuple(jnp.moveaxis(jnp.asarray(f), 0, 1) for f in maps)
  return Outputs(logits=logits, maps=maps, pooled=logits)


def run(term, student, teacher=None, batch=None):
  batch = batch or {'label': jnp.zeros(len(student.logits), jnp.int32)}
  loss, aux = term(student, batch, teacher, {}, {}, jax.random.key(0))
  assert aux == {}
  return loss


def run_all(terms, student, batch, teacher):
  f = jax.jit(lambda *a: losses.total(terms, *a, {}, {}, jax.random.key(0)))
  return f(student, batch, teacher)


def mean_and_grad(f):
  return jax.jit(jax.value_and_grad(lambda *a: jnp.mean(f(*a))))


@pytest.mark.parametrize('case', ['c0', 'c1', 'c2'])
def test_cross_entropy_matches_golden(golden, case):
  g = golden('compress/kd_loss')
  loss = losses.cross_entropy(
    jnp.asarray(g[f'{case}_logits_s']), jnp.asarray(g[f'{case}_labels'])
  )
  assert loss.shape == g[f'{case}_labels'].shape
  np.testing.assert_allclose(loss.mean(), g[f'{case}_ce'], rtol=1e-5)


@pytest.mark.parametrize('temperature', [1, 2, 4])
@pytest.mark.parametrize('case', ['c0', 'c1', 'c2'])
def test_kd_and_its_gradient_match_golden(golden, case, temperature):
  g = golden('compress/kd_loss')
  loss, grad = mean_and_grad(
    lambda s, t: losses.kd(s, t, temperature=temperature)
  )(jnp.asarray(g[f'{case}_logits_s']), jnp.asarray(g[f'{case}_logits_t']))
  np.testing.assert_allclose(loss, g[f'{case}_kd_T{temperature}'], rtol=1e-5)
  np.testing.assert_allclose(
    grad, g[f'{case}_kd_T{temperature}_grad_s'], rtol=1e-4, atol=1e-6
  )


def test_kd_of_equal_logits_is_zero_and_teacher_gets_no_gradient():
  logits = jax.random.normal(jax.random.key(0), (4, 7))
  np.testing.assert_array_equal(losses.kd(logits, logits), 0)
  grad = jax.grad(lambda t: losses.kd(logits, t).sum())(2 * logits)
  np.testing.assert_array_equal(grad, 0)


def test_kd_refuses_other_classes():
  with pytest.raises(ValueError, match='more classes is sliced'):
    losses.kd(jnp.zeros((2, 100)), jnp.zeros((2, 1000)))


@pytest.mark.parametrize('case', ['c0', 'c1', 'c2'])
def test_kd_mixture_matches_golden(golden, case):
  g = golden('compress/kd_loss')
  for gamma, alpha in [(0.1, 0.9), (0.5, 0.5), (1.0, 1.0)]:
    terms = {
      'ce': losses.Weighted(gamma, losses.CrossEntropy()),
      'kd': losses.Weighted(alpha, losses.KD(temperature=4.0)),
    }
    total, _, _ = run_all(
      terms,
      outputs(g[f'{case}_logits_s'][None]),
      {'label': jnp.asarray(g[f'{case}_labels'])},
      outputs(g[f'{case}_logits_t'][None]),
    )
    expected = g[f'{case}_total_g{gamma}_a{alpha}']
    np.testing.assert_allclose(total.mean(), expected, rtol=1e-5)


def at_maps(g, stages=range(4)):
  return (
    tuple(g[f'stage{i}_feat_s'].transpose(0, 2, 3, 1) for i in stages),
    tuple(g[f'stage{i}_feat_t'].transpose(0, 2, 3, 1) for i in stages),
  )


@pytest.mark.parametrize('stage', range(4))
def test_attention_transfer_stage_matches_golden(golden, stage):
  g = golden('compress/at_loss')
  student, teacher = at_maps(g, [stage])
  loss, (grad,) = mean_and_grad(losses.attention_transfer)(
    jax.tree.map(jnp.asarray, student), teacher
  )
  np.testing.assert_allclose(loss, g[f'stage{stage}_loss'], rtol=1e-5)
  expected = g[f'stage{stage}_grad_s'].transpose(0, 2, 3, 1)
  scale = np.abs(expected).max()
  np.testing.assert_allclose(grad / scale, expected / scale, atol=1e-5)


def test_attention_transfer_sums_stages(golden):
  g = golden('compress/at_loss')
  loss = jax.jit(losses.attention_transfer)(*at_maps(g))
  assert loss.shape == (4,)
  np.testing.assert_allclose(loss.mean(), g['total'], rtol=1e-5)


def test_attention_transfer_of_a_dead_map_has_a_finite_gradient():
  teacher = (jax.random.normal(jax.random.key(0), (2, 4, 4, 3)),)
  _, grad = mean_and_grad(lambda f: losses.attention_transfer((f,), teacher))(
    jnp.zeros((2, 4, 4, 5))
  )
  assert np.isfinite(grad).all()


def test_attention_transfer_prints_both_lists_of_shapes():
  student = (jnp.zeros((1, 4, 4, 3)),)
  teacher = (jnp.zeros((1, 8, 8, 5)), jnp.zeros((1, 4, 4, 6)))
  with pytest.raises(ValueError, match=r'\(1, 4, 4, 3\).*\(1, 8, 8, 5\)'):
    losses.attention_transfer(student, teacher)


def test_attention_transfer_term_uses_pairs_and_the_clean_view(golden):
  g = golden('compress/at_loss')
  student, teacher = at_maps(g)

  def two_views(maps):
    return [np.stack([f, np.ones_like(f)]) for f in maps]

  logits = np.zeros((2, 4, 3), np.float32)
  loss = run(
    losses.AttentionTransfer(pairs=((0, 0), (1, 2))),
    outputs(logits, two_views(student[1:])),
    outputs(logits, two_views(teacher[1:2] + teacher[:1] + teacher[2:3])),
  )
  expected = g['stage1_loss'] + g['stage2_loss']
  np.testing.assert_allclose(loss.mean(), expected, rtol=1e-5)


@pytest.mark.parametrize('case', ['c0', 'c1', 'c2'])
def test_jsd_and_its_gradients_match_golden(golden, case):
  g = golden('compress/jsd_loss')
  views = [jnp.asarray(g[f'{case}_logits_{v}']) for v in VIEWS]
  labels = jnp.asarray(g[f'{case}_labels'])
  np.testing.assert_allclose(
    losses.jsd(*views).mean(), g[f'{case}_jsd'], rtol=1e-5
  )

  def total(clean, aug1, aug2):
    ce = losses.cross_entropy(clean, labels)
    return jnp.mean(ce + 12 * losses.jsd(clean, aug1, aug2))

  value, grads = jax.jit(jax.value_and_grad(total, (0, 1, 2)))(*views)
  np.testing.assert_allclose(value, g[f'{case}_total_lambda12'], rtol=1e-5)
  for view, grad in zip(VIEWS, grads, strict=True):
    np.testing.assert_allclose(
      grad, g[f'{case}_grad_total12_{view}'], rtol=1e-4, atol=2e-6
    )


@pytest.mark.parametrize('views', ['clean', 'all'])
@pytest.mark.parametrize('weight', [6, 12])
def test_jsd_with_distillation_matches_golden(golden, weight, views):
  g = golden('compress/jsd_loss')
  terms = {
    'ce': losses.Weighted(0.5, losses.CrossEntropy()),
    'kd': losses.Weighted(0.5, losses.KD(views=views)),
    'jsd': losses.Weighted(weight, losses.JSD()),
  }
  for case in ('c0', 'c1', 'c2'):
    loss, _, unweighted = run_all(
      terms,
      outputs([g[f'{case}_logits_{v}'] for v in VIEWS]),
      {'label': jnp.asarray(g[f'{case}_labels'])},
      outputs([g[f'{case}_teacher_{v}'] for v in VIEWS]),
    )
    expected = g[f'{case}_comb_{views}KD_lam{weight}']
    np.testing.assert_allclose(loss.mean(), expected, rtol=1e-5)
    np.testing.assert_allclose(
      unweighted['jsd'].mean(), g[f'{case}_jsd'], rtol=1e-5
    )


def test_jsd_of_equal_views_is_zero():
  logits = jax.random.normal(jax.random.key(0), (5, 10))
  np.testing.assert_allclose(losses.jsd(logits, logits, logits), 0, atol=1e-6)


def test_jsd_survives_underflow():
  # exp(-400) is 0 in float32: p (log p - log M) written naively is NaN.
  sure = jnp.asarray([[400.0, 0.0, 0.0]])
  other = jnp.asarray([[0.0, 400.0, 0.0]])
  value, grad = mean_and_grad(losses.jsd)(sure, other, sure)
  p = np.array([2 / 3, 1 / 3])
  np.testing.assert_allclose(value, -np.sum(p * np.log(p)), rtol=1e-5)
  assert np.isfinite(grad).all()


def test_jsd_term_needs_three_views():
  with pytest.raises(ValueError, match='3 views'):
    run(losses.JSD(), outputs(np.zeros((1, 2, 3), np.float32)))


def test_cross_entropy_term_smooths_and_mixes():
  logits = jax.random.normal(jax.random.key(0), (1, 3, 4))
  labels = jnp.asarray([0, 3, 1])
  p = np.asarray(jax.nn.softmax(logits[0]), np.float64)
  hard = -np.log(p[np.arange(3), labels])
  even = -np.log(p).mean(1)
  smoothed = run(
    losses.CrossEntropy(label_smoothing=0.1),
    outputs(logits),
    batch={'label': labels},
  )
  np.testing.assert_allclose(smoothed, 0.9 * hard + 0.1 * even, rtol=1e-5)
  target = jnp.full((3, 4), 0.25)
  mixed = run(
    losses.CrossEntropy(),
    outputs(logits),
    batch={'label': labels, 'target': target},
  )
  np.testing.assert_allclose(mixed, even, rtol=1e-5)


@pytest.mark.parametrize('term', [losses.KD(), losses.AttentionTransfer()])
def test_missing_teacher_is_named(term):
  assert term.needs_teacher
  with pytest.raises(ValueError, match='teacher='):
    run(term, outputs(np.zeros((1, 2, 3), np.float32)))


def test_kd_term_refuses_unknown_views():
  with pytest.raises(ValueError, match="'all' or 'clean'"):
    losses.KD(views='both')


def test_total_gives_terms_their_state_and_own_keys():
  class Counter:
    def __call__(self, student, batch, teacher, heads, aux, key):
      loss = jnp.full(2, jax.random.uniform(key)) + heads
      return loss, aux + 1

  terms = {n: losses.Weighted(2.0, Counter()) for n in ('b', 'a')}
  total, aux, loss = losses.total(
    terms,
    None,
    {},
    None,
    {'a': jnp.float32(10), 'b': jnp.float32(20)},
    {'a': 0, 'b': 5},
    jax.random.key(3),
  )
  assert aux == {'a': 1, 'b': 6}
  for i, (name, head) in enumerate([('a', 10), ('b', 20)]):
    noise = jax.random.uniform(jax.random.fold_in(jax.random.key(3), i))
    np.testing.assert_allclose(loss[name], head + np.full(2, noise), rtol=1e-6)
  np.testing.assert_allclose(total, 2 * loss['a'] + 2 * loss['b'])


def test_total_needs_a_term():
  with pytest.raises(ValueError, match='empty'):
    losses.total({}, None, {}, None, {}, {}, jax.random.key(0))
