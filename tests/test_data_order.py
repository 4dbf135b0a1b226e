import itertools

import numpy as np
import pytest

from rcj.data.order import Order


def test_batches_cut_an_epochs_permutation():
  order = Order(size=11, batch_size=3, seed=5)
  assert order.steps_per_epoch == 3
  assert [order.position(s) for s in (0, 2, 3, 7)] == [
    (0, 0),
    (0, 6),
    (1, 0),
    (2, 3),
  ]
  for epoch in range(3):
    whole = order.epoch(epoch)
    assert sorted(whole.tolist()) == list(range(11))
    batches = [order.batch(3 * epoch + i) for i in range(3)]
    np.testing.assert_array_equal(np.concatenate(batches), whole[:9])


def test_neighbouring_seeds_share_no_epoch():
  """Nor does epoch e+1 of one seed equal epoch e of the next."""
  orders = {
    tuple(Order(size=30, batch_size=30, seed=s).epoch(e).tolist())
    for s in range(5)
    for e in range(5)
  }
  assert len(orders) == 25


def test_generators_are_distinct():
  draws = set()
  for seed, step, index in itertools.product(range(3), range(6), range(4)):
    order = Order(size=4, batch_size=2, seed=seed)
    draws.add(order.generator(step, index).random())
  # Six steps are three epochs.
  assert len(draws) == 3 * 3 * 4
  assert np.random.default_rng((0, 0, 0)).random() not in draws


@pytest.mark.parametrize('step', [0, 1])
def test_a_generator_is_the_same_within_an_epoch(step):
  order = Order(size=4, batch_size=2, seed=9)
  same = np.random.default_rng((9, 0, 3)).random()
  assert order.generator(step, 2).random() == same
