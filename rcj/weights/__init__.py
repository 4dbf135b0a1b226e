"""Effective weights: what the network sees of its parameters.

Every compression method enters the training step through one function
`(params, masks, scores, k) -> weights`. `k` is an array of counts made on the
host, so that a density schedule never recompiles the step.
"""

from rcj.weights.biprop import Biprop, biprop
from rcj.weights.fixed import fixed
from rcj.weights.hydra import Hydra, edge_popup, hydra
from rcj.weights.masked import Masked, masked

__all__ = [
  'Biprop',
  'Hydra',
  'Masked',
  'biprop',
  'edge_popup',
  'fixed',
  'hydra',
  'masked',
]
