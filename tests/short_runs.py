"""Recipes of few steps on a few digits."""

import jax
import numpy as np
import pytest
import tiny

from rcj import losses, optimizer, phases, schedules

SHOWN = tiny.Tiny().preprocessing()
INIT = phases.Init('resnet8', SHOWN, width=0.25)


# Phases of equal length share their compiled steps, see conftest.py.
def short(steps=4, **how):
  how.setdefault('terms', {'ce': losses.Weighted(1.0, losses.CrossEntropy())})
  sgd = optimizer.SGD(schedules.Cosine(0.05), nesterov=True)
  return phases.Train(optimizer=sgd, steps=steps, batch_size=16, **how)


@pytest.fixture(scope='module')
def digits():
  return tiny.Tiny().load_data()


@pytest.fixture
def env(tmp_path, digits):
  return tiny.environment(tmp_path, digits, identity={'data': 'digits'})


def equal(a, b):
  jax.tree.map(lambda x, y: np.testing.assert_array_equal(x, y), a, b)
