"""CARD-Decks of finished runs: put together, measured, written to a file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from etils import epath
from jaxtyping import Array, Key

from rcj import cluster, data, deck, evaluate, export, results
from rcj.augment import Views
from rcj.deck import Deck
from rcj.phases.exporting import FOLDER
from rcj.phases.images import sized
from rcj.phases.measuring import measure as measure_network
from rcj.types import Frozen

STORED = 1000  # images of each scheme that the gate remembers
# Networks in the rows, and how their methods end.
NETWORKS = {
  'all': 'agnostic',
  'batch': 'adaptive (batch)',
  'sample': 'adaptive (sample)',
}
_WORDS = {
  'all': 'agnostic',
  'batch': 'adaptive per batch',
  'sample': 'adaptive per sample',
}
_FILE = 'deck.rcj'
_SUMS = ('parameters', 'nonzero', 'dense_macs', 'macs', 'dense_bytes', 'bytes')


@dataclasses.dataclass(frozen=True, eq=False)
class Card:
  """A network that may be a member, as its artifact tells of it.

  Attributes:
    network: of integers, or folded.
    scheme: augmentation that it was trained with, its config's `augment`.
    costs: a row of its run.
    origin: run, labels and config.
  """

  network: Frozen
  scheme: str
  costs: Mapping[str, str]
  origin: Mapping[str, Any]


def read(place: epath.PathLike) -> Card:
  """The card of an artifact, or of a run directory with one.

  Raises:
    ArtifactError: of the subclass that says what is wrong with the file.
    ValueError: if the file does not say how its network was trained, and what
      it costs.
  """
  path = export.found(place)
  network, told = export.load(path), export.describe(path)['provenance']
  told = told if isinstance(told, dict) else {}
  rows, config = told.get('results'), told.get('config') or {}
  costs_known = rows and all(rows[0].get(name) for name in _SUMS[:2])
  if not costs_known or 'augment' not in config:
    raise ValueError(
      f'{path} does not say how its network was trained and what it costs; '
      'files that the last phases of launch/run.py write do'
    )
  origin = {name: told.get(name) for name in ('run', 'labels', 'config')}
  return Card(network, config['augment'], rows[0], origin)


def assembled(
  key: Key[Array, ''],
  cards: Sequence[Card],
  *,
  train: data.Source,
  views: Callable[[str], Views],
) -> Deck:
  """The deck of some cards; with a gate where they are of several schemes.

  Args:
    key: of the gate's images and their augmentation.
    cards: the members.
    train: training images, of which the gate stores some.
    views: what networks of a scheme see while they are trained.

  Raises:
    ValueError: if the members do not go together.
  """
  members = [card.network for card in cards]
  schemes = [card.scheme for card in cards]
  found = deck.assembled(members, schemes)
  kinds = tuple(dict.fromkeys(schemes))
  if len(kinds) == 1:
    return found
  some = data.shorten(train, min(STORED, len(train)))
  images = sized(some, found.preprocessing).images
  gate = deck.built(
    key, images, {kind: views(kind) for kind in kinds}, count=STORED
  )
  return deck.assembled(members, schemes, gate=gate, vote='batch')


def measure(
  made: Deck,
  cards: Sequence[Card],
  suites: Sequence[evaluate.Suite],
  *,
  method: str,
  workdir: epath.Path,
  mesh: jax.sharding.Mesh,
  labels: Mapping[str, Any],
  say: Callable[[str], None],
) -> None:
  """Writes rows, predictions and artifact/deck.rcj to a run directory.

  What is finished is left as it is. Of a deck with a gate there are three
  networks: all members vote, those that the gate chooses for a batch, and those
  that it chooses for each image. Every batch shows one corruption of one
  severity.

  Args:
    made: what `assembled` gave.
    cards: the same ones.
    suites: what it is measured on.
    method: label in tables and figures, such as 'CARD-Deck of 4'.
    workdir: the run directory, whose config.json is there.
    mesh: devices, with the axis 'data'.
    labels: columns 'variant' and 'seed'.
    say: is told the mean error of each suite.

  Raises:
    ValueError: if the directory holds a deck of other members.
  """
  path = workdir / FOLDER / _FILE
  _check_same(cards, path)
  if path.exists():  # written last
    say(f'{method}: finished, in {workdir}')
    return
  shared = {**labels, 'run': workdir.name, **costs(made, cards)}
  everywhere = jax.NamedSharding(mesh, jax.P())
  placed = jax.device_put(made, everywhere)
  for vote in NETWORKS if made.gate is not None else ('all',):
    columns = {
      'network': NETWORKS[vote],
      'method': f'{method}, {_WORDS[vote]}',
    }
    measure_network(
      dataclasses.replace(placed, vote=vote),
      suites,
      workdir=workdir,
      mesh=mesh,
      columns={**shared, **columns},
      say=say,
    )
  cluster.agreed(lambda: _save(made, cards, workdir, labels))


def costs(made: Deck, cards: Sequence[Card]) -> dict[str, Any]:
  """Sums over the members; the deck's file has the gate beside them."""
  stored = export.deck_sizes(made)
  told = [[card.costs.get(name, '') for card in cards] for name in _SUMS]
  found = {
    name: sum(map(int, of_each)) if all(of_each) else ''
    for name, of_each in zip(_SUMS, told, strict=True)
  }
  dtypes = dict.fromkeys(card.costs.get('dtype', '') for card in cards)
  return {
    **found,
    'ratio': round(found['parameters'] / found['nonzero'], 3),
    'packed_bytes': stored.packed,
    'gzip_bytes': stored.gzip,
    'weight_bits': stored.weight_bits,
    'dtype': ' + '.join(filter(None, dtypes)),
  }


def _check_same(cards: Sequence[Card], path: epath.Path) -> None:
  if not path.exists():
    return
  told = export.describe(path)['provenance']
  theirs = told.get('members', []) if isinstance(told, dict) else []
  if theirs != [dict(card.origin) for card in cards]:
    raise ValueError(
      f'{path} is a deck of {[member["run"] for member in theirs]}, not of '
      f'{[card.origin["run"] for card in cards]} or of these as they are now; '
      'choose another --workdir'
    )


def _save(
  made: Deck,
  cards: Sequence[Card],
  workdir: epath.Path,
  labels: Mapping[str, Any],
) -> None:
  config = json.loads((workdir / 'config.json').read_text())
  rows = results.read_rows(workdir / 'results.csv')
  own = [row for row in rows if row['network'] == NETWORKS[made.vote]]
  path = workdir / FOLDER / _FILE
  path.parent.mkdir(parents=True, exist_ok=True)
  provenance = {
    'run': workdir.name,
    'labels': dict(labels),
    # Where the files lay is nobody else's business.
    'config': {n: x for n, x in config.items() if not n.endswith('_root')},
    'jax': jax.__version__,
    'results': own,
    'members': [dict(card.origin) for card in cards],
  }
  export.save_deck(made, path, provenance=provenance)
