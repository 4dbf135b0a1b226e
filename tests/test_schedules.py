import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rcj import schedules


def rates(schedule, steps, at=None):
  at = np.arange(steps) if at is None else at
  return jax.vmap(jax.jit(schedule.build(steps)))(jnp.asarray(at))


def test_cifar_equals_open_lth(golden):
  g = golden('compress/schedules')
  expected = g['cifar160_80_120_lr']
  np.testing.assert_allclose(rates(schedules.CIFAR, 160), expected, rtol=1e-6)


def test_imagenet_equals_open_lth(golden):
  g = golden('compress/schedules')
  expected = g['openlth_imagenet_lr_iter_per_epoch10']
  schedule = dataclasses.replace(schedules.IMAGENET, peak=0.4)
  np.testing.assert_allclose(rates(schedule, 900), expected, rtol=1e-6)


def test_thirds_equal_the_imagenet_example(golden):
  expected = golden('compress/schedules')['imagenet90_lr']
  schedule = schedules.MultiStep(0.1)
  np.testing.assert_allclose(rates(schedule, 90), expected, rtol=1e-6)


def test_other_milestones_equal_their_repositories(golden):
  g = golden('compress/schedules')
  hydra = schedules.MultiStep(0.1, drops=(0.75, 0.9))
  np.testing.assert_allclose(
    rates(hydra, 100), g['hydra_step_lr0.1_100'], rtol=1e-6
  )
  distiller = schedules.MultiStep(0.05, drops=(150 / 240, 180 / 240, 210 / 240))
  np.testing.assert_allclose(
    rates(distiller, 240), g['repdistiller_lr_epoch1based'], rtol=1e-6
  )


def test_cosine_equals_hidden_networks_and_hydra(golden):
  g = golden('compress/schedules')
  schedule = schedules.Cosine(0.1)
  np.testing.assert_allclose(
    rates(schedule, 100), g['hiddennet_cosine_lr0.1_100'], atol=1e-7
  )
  for epochs in (20, 100):
    # Hydra evaluates the same formula one epoch late; its epoch 0 lies before
    # the schedule's start.
    np.testing.assert_allclose(
      rates(schedule, epochs)[:-1],
      g[f'hydra_cosine_lr0.1_{epochs}'][1:],
      atol=1e-7,
    )


def test_cosine_ends_at_its_floor():
  schedule = schedules.Cosine(1.0, floor=0.25)
  np.testing.assert_allclose(
    rates(schedule, 10, [0, 5, 10, 15]), [1, 0.625, 0.25, 0.25], atol=1e-6
  )


def test_a_shorter_phase_keeps_the_shape():
  long = rates(schedules.IMAGENET, 1800)
  short = rates(schedules.IMAGENET, 180)
  np.testing.assert_allclose(long[::10], short, rtol=1e-6)


def test_constant_rate():
  schedule = schedules.MultiStep(0.3, drops=())
  np.testing.assert_allclose(rates(schedule, 5), 0.3, rtol=1e-6)


@pytest.mark.parametrize('kwargs', [{'drops': (80, 120)}, {'warmup': 5}])
def test_epochs_instead_of_fractions_are_refused(kwargs):
  with pytest.raises(ValueError, match='fractions of the phase'):
    schedules.MultiStep(0.1, **kwargs)
