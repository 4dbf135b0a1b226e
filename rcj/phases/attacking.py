"""The phase that attacks a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax

from rcj import data, evaluate, intervals, models, quantize, results
from rcj.attacks import HEAVY, LIGHT, SMALLEST
from rcj.carry import Carry, Env, frozen
from rcj.evaluate import Attempt
from rcj.phases.images import sized
from rcj.phases.measuring import costs
from rcj.phases.network import saved_network
from rcj.types import Frozen

STRENGTHS = {'light': LIGHT, 'heavy': HEAVY}


@dataclasses.dataclass(frozen=True)
class Attack:
  """Measures the network under attack and writes the rows.

  Suites 'light' and 'heavy' are the attacks of both strengths (decision 15);
  'smallest' tells norms of the smallest perturbations; 'check' is what tells
  whether gradients are masked, and the verdict stands in every row. The network
  that ships is attacked: of a quantized one its integers, by the gradients of
  the fake-quantized one (decision 14). Every process does all of it.

  Attributes:
    method: label in tables and figures.
    images: of the test set, a stratified part, for both strengths.
    check_images: a stratified part of these, for 'smallest' and 'check'; 0
      leaves both out.
    parent: name of a saved dense network that transfer begins from.
    network: label within the run.
  """

  method: str
  images: int = 200
  check_images: int = 100
  parent: str | None = None
  network: str = 'network'

  def __post_init__(self):
    if not 0 <= self.check_images <= self.images or self.images < 1:
      raise ValueError(
        'Attack wants images of at least 1 and check_images from 0 to images, '
        f'got images={self.images} and check_images={self.check_images}'
      )

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry unchanged.

    Raises:
      KeyError: if no network was saved as `parent`.
    """
    parent = None
    if self.parent is not None:
      parent = saved_network(carry, self.parent, 'Attack').network
    case = _Case.of(carry, env, self.images, parent)
    rows = [*self._strengths(case, env)]
    masked = {}
    if self.check_images:
      few = dataclasses.replace(
        case, images=data.shorten(case.images, self.check_images)
      )
      found, masked = self._checks(few, env)
      rows += [*self._smallest(few), *found]
    shared = {
      **env.labels,
      'run': env.workdir.name,
      'network': self.network,
      'method': self.method,
      **costs(frozen(carry, case.images.classes)),
      **masked,
    }
    if jax.process_index() == 0:
      results.add_rows(env.workdir, [{**shared, **row} for row in rows])
    return carry

  def _strengths(self, case: _Case, env: Env) -> Iterable[Mapping[str, Any]]:
    for i, (name, chosen) in enumerate(STRENGTHS.items()):
      attempts = [
        case.attempt(attack, 100 * i + j) for j, attack in enumerate(chosen)
      ]
      suite = evaluate.plain(
        name, case.images, protocol=', '.join(map(str, chosen))
      )
      outcomes = [
        evaluate.Outcome(a.attack.name, 0, a.predicted) for a in attempts
      ]
      *own, mean = evaluate.rows(suite, outcomes)
      yield from (
        {**row, **_distances(a)} for row, a in zip(own, attempts, strict=True)
      )
      yield mean
      error = 100 * mean['error']
      env.journal.say(f'{self.method}, {name} attacks: error {error:.1f} %')
      self._remember(suite, outcomes, env)

  def _remember(
    self, suite: evaluate.Suite, outcomes: Sequence[evaluate.Outcome], env: Env
  ) -> None:
    if jax.process_index() == 0:
      arrays = {
        f'{self.network}|{suite.name}|{o.corruption}|': o.predicted
        for o in outcomes
      }
      labels = {f'labels|{suite.name}': suite.labels}
      results.add_predictions(env.workdir, {**arrays, **labels})

  def _smallest(self, case: _Case) -> Iterable[Mapping[str, Any]]:
    for i, attack in enumerate(SMALLEST):
      attempt = case.attempt(attack, 200 + i)
      yield _row('smallest', attack.name, attempt, case.images.labels)

  def _checks(
    self, case: _Case, env: Env
  ) -> tuple[Sequence[Mapping[str, Any]], Mapping[str, Any]]:
    found = evaluate.checks(
      jax.random.fold_in(case.key, 300),
      case.deployed,
      case.images,
      by=case.network,
      parent=case.parent,
    )
    rows = [
      _row('check', name, attempt, found.labels)
      for name, attempt in {'pgd': found.pgd, **found.others}.items()
    ]
    env.journal.say(f'{self.method}: gradients masked? {found.masked}')
    return rows, {
      'zero_gradients': found.zero_gradients,
      'masked': found.masked,
    }


@dataclasses.dataclass(frozen=True, eq=False)
class _Case:
  """What is attacked, and by whose gradients; on this process's device.

  Attributes:
    key: of all draws.
    deployed: the network that must be fooled.
    network: the one whose gradients are used.
    parent: see `Attack`.
    images: of the network's size.
  """

  key: jax.Array
  deployed: Frozen
  network: Frozen
  parent: Frozen | None
  images: data.ArraySource

  @classmethod
  def of(
    cls, carry: Carry, env: Env, images: int, parent: Frozen | None
  ) -> _Case:
    classes = tuple(env.data.train.classes)
    network = _local(frozen(carry, classes))
    quantized = isinstance(network.model, models.QuantNet)
    test = data.shorten(env.data.test, min(images, len(env.data.test)))
    return cls(
      key=env.phase_key(carry),
      deployed=quantize.integers(network) if quantized else network,
      network=network,
      parent=None if parent is None else _local(parent),
      images=sized(test, carry.preprocessing),
    )

  def attempt(self, attack: Any, index: int) -> Attempt:
    return evaluate.attacked(
      jax.random.fold_in(self.key, index),
      self.deployed,
      self.images,
      attack,
      by=self.network,
    )


def _local(network: Frozen) -> Frozen:
  """A copy on one device of this process."""
  (device, *_) = jax.local_devices()
  return jax.device_put(jax.device_get(network), device)


def _row(suite: str, name: str, attempt: Attempt, labels: Any) -> dict:
  wrong = attempt.predicted != labels
  error, low, high = intervals.bootstrap_mean(wrong)
  return {
    'suite': suite,
    'corruption': name,
    'severity': '',
    'protocol': str(attempt.attack),
    'n': len(wrong),
    'error': error,
    'low': low,
    'high': high,
    **_distances(attempt),
  }


def _distances(attempt: Attempt) -> dict[str, Any]:
  quantiles = {
    f'norm_{q}': round(attempt.quantile(q / 100), 6) for q in (25, 50, 75)
  }
  attack = attempt.attack
  eps = '' if attack.eps is None else round(attack.eps, 6)
  return {'eps': eps, 'norm': attack.norm, **quantiles}
