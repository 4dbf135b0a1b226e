"""AugMix for workers that load data: NumPy plans and the plain C function."""

import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

from rcj import native
from rcj.augment import Plan, augmix_plan, mixed_views
from rcj.ops import augmix_host
from rcj.ops.augmix_options import NAMES, PAPER_OPS

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOW = {'mean': (0.5, 0.4, 0.3), 'std': (0.2, 0.25, 0.3)}
has_native = pytest.mark.skipif(
  not native.available(), reason='there are no native kernels here'
)


def draw(seed: int, n: int, **options) -> augmix_host.Plan:
  return augmix_host.draw_plan(np.random.default_rng(seed), n, **options)


@has_native
def test_views_are_those_of_jax():
  x = np.random.default_rng(0).integers(0, 256, (3, 17, 23, 3), np.uint8)
  plan = draw(1, 6, size=17, severity=8, width=2, depth=4, all_ops=True)
  for clean in (False, True):
    expected = mixed_views(x, Plan(**vars(plan)), clean=clean, **HOW)
    got = augmix_host.views(x, plan, clean=clean, **HOW)
    np.testing.assert_array_equal(got, expected)


def test_plans_have_the_distribution_of_the_plans_of_jax():
  n, how = 4000, {'size': 224, 'severity': 6, 'all_ops': True}
  host = draw(0, n, **how)
  device = jax.jit(lambda key: augmix_plan(key, n, **how))(jax.random.key(0))
  for name, x in vars(host).items():
    other = np.asarray(getattr(device, name))
    assert x.shape == other.shape, name
    assert x.dtype == other.dtype, name
  for i, operation in enumerate(NAMES):
    ours, theirs = (
      np.sort(np.asarray(p.param, np.float64).sum(-1)[np.asarray(p.op) == i])
      for p in (host, device)
    )
    assert 0.9 < len(ours) / len(theirs) < 1.1
    shares = np.linspace(0, 1, 20)
    spread = max(np.ptp(theirs), 1e-9)
    near = np.quantile(ours, shares) - np.quantile(theirs, shares)
    # Whole numbers near a quantile can differ by one.
    assert np.abs(near).max() < 0.08 * spread + (spread > 1), operation
  used = [(np.asarray(p.op) >= 0).sum(-1) for p in (host, device)]
  assert set(used[0].ravel()) == {1, 2, 3}
  np.testing.assert_allclose(*(u.mean() for u in used), atol=0.03)
  for name in ('weights', 'm'):
    ours, theirs = (np.asarray(getattr(p, name)) for p in (host, device))
    np.testing.assert_allclose(ours.mean(0), theirs.mean(0), atol=0.03)
    np.testing.assert_allclose(ours.std(0), theirs.std(0), atol=0.02)


def test_alpha_gathers_the_weights():
  plan = draw(0, 4000, size=8, alpha=0.4)
  np.testing.assert_allclose(plan.weights.sum(1), 1, atol=1e-6)
  np.testing.assert_allclose(plan.weights.var(0), 2 / (9 * 2.2), rtol=0.1)
  np.testing.assert_allclose(plan.m.var(), 1 / (4 * 1.8), rtol=0.1)


def test_the_paper_has_nine_operations():
  assert set(np.unique(draw(0, 400, size=8).op)) == {-1, *range(PAPER_OPS)}


@has_native
def test_a_worker_imports_no_jax():
  program = """
import sys
import numpy as np
from rcj.ops import augmix_host
x = np.zeros((4, 32, 32, 3), np.uint8) + np.arange(32, dtype=np.uint8)[:, None]
plan = augmix_host.draw_plan(np.random.default_rng(0), 8, size=32)
how = {'mean': (0.5, 0.5, 0.5), 'std': (0.5, 0.5, 0.5)}
print(augmix_host.views(x, plan, clean=True, **how).shape)
assert 'jax' not in sys.modules
"""
  result = subprocess.run(
    [sys.executable, '-c', program],
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
    timeout=120,
    check=False,
  )
  assert result.returncode == 0, result.stderr
  assert result.stdout.strip() == '(4, 3, 32, 32, 3)'


@has_native
@pytest.mark.parametrize(
  ('change', 'error', 'message'),
  [
    ({'op': np.int64}, TypeError, 'op must be int32, got int64'),
    ({'m': slice(1)}, ValueError, r'm must have shape \[4\]'),
    ({'images': slice(3)}, ValueError, 'for each of 3 images'),
    ({'images': slice(0)}, ValueError, r'\[B,H,W,3\] with B > 0'),
    ({'op': 20}, ValueError, 'augmix: operations are .* got 20'),
  ],
)
def test_arguments_that_do_not_fit_are_named(change, error, message):
  plan = draw(0, 4, size=8)
  arrays = {'images': np.zeros((4, 8, 8, 3), np.uint8), **vars(plan)}
  for name, to in change.items():
    x = arrays[name]
    if isinstance(to, int):
      arrays[name] = np.full_like(x, to)
    else:
      arrays[name] = x[to] if isinstance(to, slice) else x.astype(to)
  images = arrays.pop('images')
  with pytest.raises(error, match=message):
    augmix_host.views(images, augmix_host.Plan(**arrays), **HOW)


def test_without_kernels_the_reason_is_given(monkeypatch):
  monkeypatch.setattr(native, 'available', lambda: False)
  monkeypatch.setattr(native, 'why_not', lambda: 'the reason')
  x = np.zeros((1, 8, 8, 3), np.uint8)
  with pytest.raises(native.NativeError, match='the reason'):
    augmix_host.views(x, draw(0, 1, size=8), **HOW)
