"""The numbers of an experiment of S2."""

# No postponed annotations here: the flags read the fields' types.
import dataclasses

from rcj import s0
from rcj.recipe import Phase
from rcj.s2 import recipes


@dataclasses.dataclass
class CARDs(s0.Cifar):
  """Networks pruned by one of S2's methods; see `S0` and `Cifar` for the rest.

  Fields of S0 that are about its own methods must stay as they are.

  The paper's code for FT, GMP and lottery tickets is not public: what it does
  not tell is as in the papers of these methods.

  Attributes:
    method: one of `recipes.METHODS`.
    density: fraction kept of the kernels.
    finetune_epochs: after one-shot pruning (ft).
    finetune_learning_rate: throughout them; as at the end of the training.
    mask_epochs: of learning masks on random weights (ep, bp).
    rate: fraction that a level of lottery tickets takes of the rest (lth, lrr).
    rewind: when the weights are saved that lth rewinds to, as a fraction of the
      training.
    gradual_end: when gmp has reached its density, likewise.
    mask_scope: masks are learned with as many weights in each 'layer', or
      'global'.
    mask_init: of random weights, 'signed_constant' or 'kaiming_normal'.
    mask_scaled: divides the variance of these weights by the density, so that
      results keep theirs.
    mask_norm: of networks whose masks are learned: 'plain' is BatchNorm
      without scale and bias (decision 29); '' the network's own, for those
      that have no other.
    progressive: fraction of mask_epochs in which the density falls from one
      half, as biprop's code has it for masks of all layers together; 0 begins
      with the final one.
  """

  method: str = 'dense'
  density: float = 0.05
  finetune_epochs: float = 40.0
  finetune_learning_rate: float = 0.001
  mask_epochs: float = 160.0
  rate: float = 0.2
  rewind: float = 0.02
  gradual_end: float = 0.75
  mask_scope: str = 'layer'
  mask_init: str = 'signed_constant'
  mask_scaled: bool = False
  mask_norm: str = 'plain'
  progressive: float = 0.0

  def recipe(self) -> tuple[Phase, ...]:
    """The phases; raises ValueError where fields contradict each other."""
    return recipes.recipe(self)
