"""Paper S2 as recipes: compact networks that are robust (CARDs).

S2 is "A Winning Hand: Compressing Deep Networks Can Improve Out-Of-Distribution
Robustness", Diffenderfer et al. 2021, https://arxiv.org/abs/2106.09129. It
prunes networks for CIFAR by six methods, measures them on clean and corrupted
images, and lets the compact, accurate and robust ones vote (CARD-Decks, see
`rcj.deck`).
"""

from rcj.s2.config import CARDs
from rcj.s2.deck_views import Dealt, deck_views
from rcj.s2.decks import dealt, decks
from rcj.s2.recipes import METHODS, VARIANTS
from rcj.s2.views import fields, views

__all__ = [
  'METHODS',
  'VARIANTS',
  'CARDs',
  'Dealt',
  'dealt',
  'deck_views',
  'decks',
  'fields',
  'views',
]
