"""Networks that vote by the mean of their softmaxes."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from rcj import models
from rcj.deck.features import count
from rcj.deck.gate import NEIGHBOURS, Gate, nearest
from rcj.types import Frozen, Preprocessing

VOTES = ('all', 'batch', 'sample')


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Deck:
  """A CARD-Deck; make it with `assembled`, run it with `predict`.

  Attributes:
    members: the networks; each normalises images in its own way.
    gate: chooses among the schemes that members were trained with, or None.
    schemes: of each member.
    vote: whose softmaxes are averaged. 'all': those of all members (the
      domain-agnostic deck); 'batch': those of the scheme that is nearest to the
      whole batch, which must be of one domain (the domain-adaptive deck);
      'sample': those of the scheme that is nearest to each image.
  """

  members: tuple[Frozen, ...]
  gate: Gate | None
  schemes: tuple[str, ...] = dataclasses.field(metadata={'static': True})
  vote: Literal['all', 'batch', 'sample'] = dataclasses.field(
    default='all', metadata={'static': True}
  )

  @property
  def classes(self) -> tuple[str, ...]:
    """Names of the outputs."""
    return self.members[0].classes

  @property
  def preprocessing(self) -> Preprocessing:
    """Of images that go in, which stay in 0..1."""
    shown = self.members[0].preprocessing
    return dataclasses.replace(shown, mean=(0.0,) * 3, std=(1.0,) * 3)


def assembled(
  members: Sequence[Frozen],
  schemes: Sequence[str],
  *,
  gate: Gate | None = None,
  vote: Literal['all', 'batch', 'sample'] = 'all',
) -> Deck:
  """A deck whose parts go together.

  Args:
    members: the networks.
    schemes: of each member.
    gate: with the schemes of the members.
    vote: see `Deck`.

  Raises:
    ValueError: if there are no members, they differ in their classes or the
      size of their inputs, or the gate or the vote is of another deck.
  """
  if not members or len(members) != len(schemes):
    raise ValueError(
      'a deck has one network or more and the scheme of each, got '
      f'{len(members)} networks and the schemes {list(schemes)}'
    )
  first = members[0]
  for i, member in enumerate(members):
    _check_alike(i, first, member)
  if vote not in VOTES or (vote != 'all' and gate is None):
    raise ValueError(
      f"vote is one of {', '.join(VOTES)}, and all but 'all' need a gate; got "
      f'{vote!r} {"without" if gate is None else "with"} a gate'
    )
  if gate is not None:
    _check_gate(gate, set(schemes), first.preprocessing.size)
  return Deck(tuple(members), gate, tuple(schemes), vote)


def log_mean_softmax(
  logits: Float[Array, 'M B K'],
) -> Float[Array, 'B K']:
  """Logarithm of the mean of M networks' softmaxes."""
  of_each = jax.nn.log_softmax(logits, axis=-1)
  return jax.nn.logsumexp(of_each, axis=0) - jnp.log(len(logits))


@jax.jit
def predict(
  deck: Deck,
  images01: Float[Array, 'B H W 3'],
  *,
  real: Bool[Array, ' B'] | None = None,
) -> Float[Array, 'B K']:
  """Log-probabilities of images in 0..1.

  Args:
    deck: its vote decides who is asked.
    images01: of the members' input size.
    real: False where a row is padding, which has no say in what the batch is;
      None if none is.

  Raises:
    ValueError: if the images are not float NHWC.
  """

  def logits(i: int, images01: Array) -> Float[Array, 'B K']:
    return models.predict(deck.members[i], images01)

  return voted(deck, images01, logits, real=real)


def voted(
  deck: Deck,
  images01: Float[Array, 'B H W 3'],
  logits: Callable[[int, Float[Array, 'B H W 3']], Float[Array, 'B K']],
  *,
  real: Bool[Array, ' B'] | None = None,
) -> Float[Array, 'B K']:
  """Log-probabilities where something else runs the members.

  Args:
    deck: see `predict`.
    images01: see `predict`.
    logits: of the member with this number, of images in 0..1.
    real: see `predict`.
  """

  def mean(members: Sequence[int], images01: Array) -> Float[Array, 'B K']:
    return log_mean_softmax(jnp.stack([logits(i, images01) for i in members]))

  if deck.vote == 'all':
    return mean(range(len(deck.members)), images01)
  hands = [functools.partial(mean, hand) for hand in _hands(deck)]
  chosen = nearest(deck.gate, images01, per=deck.vote, real=real)
  if deck.vote == 'batch':
    return jax.lax.switch(chosen, hands, images01)
  every = jnp.stack([hand(images01) for hand in hands])
  return jnp.take_along_axis(every, chosen[None, :, None], axis=0)[0]


def _hands(deck: Deck) -> list[list[int]]:
  """Numbers of the members of each of the gate's schemes."""
  return [
    [i for i, own in enumerate(deck.schemes) if own == scheme]
    for scheme in deck.gate.schemes
  ]


def _check_alike(i: int, first: Frozen, member: Frozen) -> None:
  told = [
    (x.classes, x.preprocessing.size, x.preprocessing.resize)
    for x in (first, member)
  ]
  if told[0] != told[1]:
    (classes, *sizes), (other, *others) = told
    raise ValueError(
      f'members of a deck share classes and input size: the first has '
      f'{len(classes)} classes {list(classes[:5])}... and takes images of '
      f'{sizes}, the one after {i} others has {len(other)} classes '
      f'{list(other[:5])}... and takes {others} (size, resize)'
    )


def _check_gate(gate: Gate, schemes: set[str], size: int) -> None:
  if set(gate.schemes) != schemes or len(gate.schemes) != len(schemes):
    raise ValueError(
      f'the gate chooses among {list(gate.schemes)}, the members are trained '
      f'with {sorted(schemes)}: each scheme must have members, once'
    )
  shape, wide = gate.features.shape, count(size)
  fine = len(shape) == 3 and shape[0] == len(schemes) and shape[2] == wide
  if not fine or shape[1] < NEIGHBOURS:
    raise ValueError(
      f'the gate of {len(schemes)} schemes for images of {size} px stores '
      f'[{len(schemes)}, {NEIGHBOURS} or more, {wide}] features, got '
      f'{list(shape)}'
    )
