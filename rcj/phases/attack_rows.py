"""Rows of a network under attack, for the phase and for exported files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from etils import epath

from rcj import (
  attacks,
  data,
  evaluate,
  intervals,
  models,
  quantize,
  results,
)
from rcj.attacks import HEAVY, LIGHT, SMALLEST
from rcj.evaluate import Attempt
from rcj.phases.images import sized
from rcj.types import Frozen, Source

STRENGTHS = {'light': LIGHT, 'heavy': HEAVY}


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
  """What is attacked, and by whose gradients; on this process's device.

  Attributes:
    key: of all draws.
    deployed: the network that must be fooled.
    network: the one whose gradients are used.
    images: of its size.
    parent: a dense network that transfer begins from, where there is one.
    transferred: in words, whose gradients these are where they are not of the
      deployed network itself; '' where they are.
  """

  key: jax.Array
  deployed: Frozen | evaluate.Predictor
  network: Frozen
  images: data.ArraySource
  parent: Frozen | None = None
  transferred: str = ''

  @classmethod
  def of(
    cls, network: Frozen, source: Source, *, key: jax.Array, images: int
  ) -> Case:
    """The case of a network and so many images of a test set."""
    network = local(network)
    quantized = isinstance(network.model, models.QuantNet)
    return cls(
      key=key,
      deployed=quantize.integers(network) if quantized else network,
      network=network,
      images=some(source, images, network),
    )

  @property
  def origin(self) -> tuple[str, ...]:
    """`transferred` as a part of a protocol."""
    return (self.transferred,) if self.transferred else ()

  def attempt(self, attack: attacks.Attack, index: int) -> Attempt:
    """What an attack reaches; `index` tells its draws from others'."""
    key = jax.random.fold_in(self.key, index)
    return evaluate.attacked(
      key, self.deployed, self.images, attack, by=self.network
    )


def some(source: Source, count: int, network: Frozen) -> data.ArraySource:
  """A stratified part of the images, or all, of the network's input size."""
  part = data.shorten(source, min(count, len(source)))
  return sized(part, network.preprocessing)


def measure(
  case: Case,
  *,
  check_images: int,
  workdir: epath.Path,
  columns: Mapping[str, Any],
  say: Callable[[str], None],
) -> None:
  """Writes rows and predictions of the attacks to a run directory.

  Args:
    case: what is attacked.
    check_images: see `Attack`.
    workdir: the run directory.
    columns: of every row, 'network' and 'method' among them.
    say: is told the mean error of each strength, and the verdict.
  """
  rows: list[Mapping[str, Any]] = []
  predictions: dict[str, np.ndarray] = {}
  for suite, outcomes, own in _strengths(case):
    rows += own
    predictions[f'labels|{suite.name}'] = suite.labels
    for o in outcomes:
      name = f'{columns["network"]}|{suite.name}|{o.corruption}|'
      predictions[name] = o.predicted
    error = 100 * own[-1]['error']
    say(f'{columns["method"]}, {suite.name} attacks: error {error:.1f} %')
  verdict = {}
  if check_images:
    few = data.shorten(case.images, min(check_images, len(case.images)))
    case = dataclasses.replace(case, images=few)
    found = _checks(case)
    rows += [*_smallest(case), *_checked(found)]
    verdict = {'zero_gradients': found.zero_gradients, 'masked': found.masked}
    say(f'{columns["method"]}: gradients masked? {found.masked}')
  if jax.process_index() == 0:
    results.add_rows(workdir, [{**columns, **verdict, **row} for row in rows])
    results.add_predictions(workdir, predictions)


def _strengths(
  case: Case,
) -> Iterator[
  tuple[evaluate.Suite, list[evaluate.Outcome], list[Mapping[str, Any]]]
]:
  """Of each strength the suite, what it predicts, and its rows."""
  for i, (name, chosen) in enumerate(STRENGTHS.items()):
    attempts = [
      case.attempt(attack, 100 * i + j) for j, attack in enumerate(chosen)
    ]
    protocol = ', '.join([*map(str, chosen), *case.origin])
    suite = evaluate.plain(name, case.images, protocol=protocol)
    outcomes = [
      evaluate.Outcome(a.attack.name, 0, a.predicted) for a in attempts
    ]
    *rows, mean = evaluate.rows(suite, outcomes)
    told = [
      {**row, **_distances(a)} for row, a in zip(rows, attempts, strict=True)
    ]
    yield suite, outcomes, [*told, mean]


def _smallest(case: Case) -> Iterator[Mapping[str, Any]]:
  for i, attack in enumerate(SMALLEST):
    attempt = case.attempt(attack, 200 + i)
    yield _row('smallest', attack.name, attempt, case.images.labels)


def _checks(case: Case) -> evaluate.Checks:
  return evaluate.checks(
    jax.random.fold_in(case.key, 300),
    case.deployed,
    case.images,
    by=case.network,
    parent=case.parent,
  )


def _checked(found: evaluate.Checks) -> Iterator[Mapping[str, Any]]:
  for name, attempt in {'pgd': found.pgd, **found.others}.items():
    yield _row('check', name, attempt, found.labels)


def local(network: Frozen) -> Frozen:
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
