import math
import statistics

import numpy as np
import pytest

from rcj import intervals


def test_mean_of_cells_and_of_flat_outcomes():
  x = np.array([[1, 0], [0, 0], [1, 1], [1, 0]], bool)
  mean, low, high = intervals.bootstrap_mean(x)
  assert mean == 0.5
  assert low < mean < high
  flat = intervals.bootstrap_mean(x.mean(axis=1))
  assert flat == (mean, low, high)


def test_width_is_that_of_the_binomial():
  x = np.arange(1000) < 200
  _, low, high = intervals.bootstrap_mean(x, samples=20000)
  expected = 2 * 1.959964 * math.sqrt(0.2 * 0.8 / 1000)
  assert high - low == pytest.approx(expected, rel=0.05)


def test_coverage():
  rng = np.random.default_rng(0)
  repetitions, rate = 400, 0.3
  covered = 0
  for seed in range(repetitions):
    _, low, high = intervals.bootstrap_mean(
      rng.random(200) < rate, key_seed=seed, samples=500
    )
    covered += low <= rate <= high
  # Four standard deviations of a binomial with p = 0.95, plus the bootstrap's
  # known slight undercoverage.
  slack = 4 * math.sqrt(0.95 * 0.05 / repetitions)
  assert 0.94 - slack < covered / repetitions <= 1


def test_correlated_cells_widen_the_interval():
  rng = np.random.default_rng(1)
  independent = rng.random((300, 20)) < 0.2
  equal = np.repeat(rng.random((300, 1)) < 0.2, 20, axis=1)

  def width(x):
    _, low, high = intervals.bootstrap_mean(x)
    return high - low

  assert width(equal) > 3.5 * width(independent)  # sqrt(20) in the limit
  assert width(equal) == width(equal[:, 0])


def test_groups_of_images_are_resampled_apart():
  a, b = np.arange(400) < 80, np.arange(100) < 50
  assert intervals.bootstrap_sum([a]) == intervals.bootstrap_mean(a)
  total, low, high = intervals.bootstrap_sum([0.5 * a, -0.5 * b], samples=20000)
  assert total == pytest.approx(-0.15)
  variance = (0.2 * 0.8 / 400 + 0.5 * 0.5 / 100) / 4
  expected = 2 * 1.959964 * math.sqrt(variance)
  assert high - low == pytest.approx(expected, rel=0.05)
  with pytest.raises(ValueError, match='at least one group'):
    intervals.bootstrap_sum([])


def test_same_seed_same_interval():
  x = np.random.default_rng(2).random((50, 3))
  assert intervals.bootstrap_mean(x) == intervals.bootstrap_mean(x)
  other = intervals.bootstrap_mean(x, key_seed=1)
  assert other != intervals.bootstrap_mean(x)
  assert other[0] == intervals.bootstrap_mean(x)[0]


def test_level_widens():
  x = np.random.default_rng(2).random(100)
  _, a, b = intervals.bootstrap_mean(x, level=0.8)
  _, c, d = intervals.bootstrap_mean(x, level=0.99)
  assert c < a < b < d


def test_pairing_resolves_what_separate_intervals_do_not():
  a = np.arange(300) < 60
  b = a & (np.arange(300) % 5 > 0)  # a subset: never worse, often better
  difference, low, high = intervals.paired_difference(b, a)
  assert difference == pytest.approx(-12 / 300)
  assert low < high < 0
  assert intervals.bootstrap_mean(b)[2] > intervals.bootstrap_mean(a)[1]
  mirrored = intervals.paired_difference(a, b)[0]
  assert mirrored == pytest.approx(-difference)


def test_over_seeds():
  values = [3.1, 2.7, 3.9]
  mean, low, high = intervals.over_seeds(values)
  # 4.302653 is the 97.5 % quantile of t with two degrees of freedom in print.
  half = 4.302653 * statistics.stdev(values) / math.sqrt(3)
  assert mean == pytest.approx(statistics.mean(values))
  assert (mean - low, high - mean) == pytest.approx((half, half), rel=1e-6)


def test_one_seed_has_no_interval():
  mean, low, high = intervals.over_seeds([0.25])
  assert mean == 0.25
  assert math.isnan(low)
  assert math.isnan(high)


def test_t_quantile_equals_scipy():
  stats = pytest.importorskip('scipy.stats')
  for freedom in (1, 2, 3, 4, 5, 8, 9, 30, 101):
    for p in (0.5, 0.6, 0.9, 0.975, 0.995):
      expected = stats.t.ppf(p, freedom)
      actual = intervals.t_quantile(p, freedom)
      assert actual == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
  ('call', 'message'),
  [
    (lambda: intervals.bootstrap_mean([]), 'at least one image'),
    (lambda: intervals.bootstrap_mean(np.ones((2, 2, 2))), r'\(2, 2, 2\)'),
    (lambda: intervals.bootstrap_mean([0.0, math.nan]), 'finite'),
    (lambda: intervals.paired_difference([1, 0], [1]), 'same images'),
    (lambda: intervals.over_seeds([]), 'at least one'),
    (lambda: intervals.t_quantile(0.3, 2), '0.5'),
    (lambda: intervals.t_quantile(0.9, 0), 'freedom'),
  ],
)
def test_bad_input(call, message):
  with pytest.raises(ValueError, match=message):
    call()
