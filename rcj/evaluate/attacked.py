"""What attacks reach, on images of a data set."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from rcj import attacks, models
from rcj.types import Frozen

if TYPE_CHECKING:
  from rcj.attacks.door import Predict
  from rcj.data import ArraySource
  from rcj.evaluate.predict import Predictor


@dataclasses.dataclass(frozen=True, eq=False)
class Attempt:
  """What one attack reached.

  Attributes:
    attack: which one.
    predicted: int32 [N], the class under attack: that of the image where it is
      wrong already, that of the perturbed image where it fools, else the label.
    norm: float32 [N], of the perturbation: 0 where the image is wrong already,
      infinite where nothing fooled.
  """

  attack: attacks.Attack
  predicted: Int[np.ndarray, ' N']
  norm: Float[np.ndarray, ' N']

  def quantile(self, q: float) -> float:
    """Norm that fools this share of the images; infinite if none does."""
    return float(np.quantile(self.norm, q, method='inverted_cdf'))


def function(network: Frozen | Predictor) -> Predict:
  """The network as attacks want it, from images in 0..1 to logits.

  What is no `Frozen` is called on the host and has no gradients: attacks that
  ask for none take it as it is, others need a network to transfer from. It must
  not run JAX itself, which waits for what asks it.
  """
  if isinstance(network, Frozen):
    return functools.partial(models.predict, network)
  return _OnHost(network)


def attacked(
  key: Key[Array, ''],
  network: Frozen | Predictor,
  source: ArraySource,
  attack: attacks.Attack,
  *,
  by: Frozen | None = None,
  batch_size: int = 128,
) -> Attempt:
  """Attacks a network on every image of a source, in one process.

  A perturbation counts if it fools `network` itself within its ball and 0..1,
  whatever network it was made for.

  Args:
    key: of the attack's draws.
    network: what is to be fooled; on the devices of this process.
    source: images of the network's size, with its classes.
    attack: which attack, and how strong.
    by: the network whose gradients are used, None for `network`: the
      fake-quantized one of a network of integers, or a dense parent. Attacks
      that need no gradients ask `network` itself.
    batch_size: images at a time, at most.

  Raises:
    ValueError: if the classes of the images are not those of both networks.
  """
  by = by if by is not None and attack.needs_gradients else network
  for each in (network, by):
    check_classes(each, source.classes)
  parts = [
    _attempt(jax.random.fold_in(key, start), network, by, attack, *batch)
    for start, batch in _batches(source, batch_size)
  ]
  predicted, norm = map(np.concatenate, zip(*parts, strict=True))
  return Attempt(attack, predicted, norm)


def check_classes(network: Frozen | Predictor, classes: Sequence[str]) -> None:
  """Raises ValueError unless the network has these classes, in this order."""
  if tuple(network.classes) != tuple(classes):
    raise ValueError(
      f'the images have the classes {tuple(classes)[:5]}..., the network '
      f'{tuple(network.classes)[:5]}...: attacks need the same ones'
    )


def zero_gradients(
  network: Frozen, source: ArraySource, *, batch_size: int = 128
) -> Bool[np.ndarray, ' N']:
  """Images whose cross-entropy has no gradient, not in one pixel.

  An attack by gradients leaves these as they are, however weak the network.
  """
  found = [
    _no_gradient(network, images, labels)
    for _, (images, labels) in _batches(source, batch_size)
  ]
  return np.concatenate(found)


@dataclasses.dataclass(frozen=True, eq=False)
class _OnHost:
  """A predictor inside of compiled functions."""

  predictor: Predictor

  def __call__(self, images: Float[Array, 'B H W 3']) -> Float[Array, 'B K']:
    shape = len(images), len(self.predictor.classes)
    kind = jax.ShapeDtypeStruct(shape, jnp.float32)
    return jax.pure_callback(self._ask, kind, images)

  def _ask(self, images: Array) -> np.ndarray:
    return np.asarray(self.predictor(np.asarray(images)), np.float32)


def _batches(source: ArraySource, batch_size: int):
  """Batches as equal as can be: every other size is compiled anew."""
  parts = -(-len(source) // batch_size)
  size = -(-len(source) // parts)
  for start in range(0, len(source), size):
    part = slice(start, start + size)
    images = source.images[part].astype(np.float32) / 255
    yield start, (jnp.asarray(images), jnp.asarray(source.labels[part]))


def _attempt(
  key, network, by, attack, images, labels
) -> tuple[Int[np.ndarray, ' B'], Float[np.ndarray, ' B']]:
  perturbed = attack(key, function(by), images, labels)
  before, logits = (_logits(network, x) for x in (images, perturbed))
  reached = attacks.outcome(
    functools.partial(_given, logits),
    *(images, perturbed, labels),
    norm=attack.norm,
    eps=attack.radius,
  )
  before, after = (np.argmax(x, axis=-1) for x in (before, logits))
  wrong, fooled = before != labels, np.asarray(reached.fooled)
  predicted = np.where(wrong, before, np.where(fooled, after, labels))
  norm = np.where(wrong, np.float32(0), reached.norm)
  return predicted.astype(np.int32), norm


def _logits(network: Frozen | Predictor, images: Array) -> Array:
  if isinstance(network, Frozen):
    return models.predict(network, images)
  return jnp.asarray(network(np.asarray(images)))


def _given(logits: Array, images: Array) -> Array:
  """What is known of the images already, as a function of them."""
  del images
  return logits


@jax.jit
def _no_gradient(network: Frozen, images: Array, labels: Array) -> Array:
  def loss(x):
    log_p = jax.nn.log_softmax(models.predict(network, x))
    return -jnp.sum(jnp.take_along_axis(log_p, labels[:, None], axis=-1))

  return jnp.all(jax.grad(loss)(images) == 0, axis=(1, 2, 3))
