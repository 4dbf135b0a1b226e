"""CARD-Decks: compressed networks that vote, and a gate that says which.

Diffenderfer et al. 2021, https://arxiv.org/abs/2106.09129. The gate is that of
decision 16: the code of the paper's own is not public.
"""

from rcj.deck.ensemble import (
  VOTES,
  Deck,
  assembled,
  log_mean_softmax,
  predict,
  voted,
)
from rcj.deck.features import features
from rcj.deck.gate import NEIGHBOURS, Gate, built, distances, nearest

__all__ = [
  'NEIGHBOURS',
  'VOTES',
  'Deck',
  'Gate',
  'assembled',
  'built',
  'distances',
  'features',
  'log_mean_softmax',
  'nearest',
  'predict',
  'voted',
]
