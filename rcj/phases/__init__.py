"""The phases that recipes are made of.

Each is a frozen value and a function from `Carry` to `Carry`. All are
deterministic; a restarted run takes those after its last training phase again.
"""

from rcj.phases.measuring import Evaluate
from rcj.phases.network import Init, Load, Restore, Rewind, Save
from rcj.phases.pruning import FreezeMask, InitScores, Prune
from rcj.phases.recalibration import RecalibrateBN
from rcj.phases.training import Train

__all__ = [
  'Evaluate',
  'FreezeMask',
  'Init',
  'InitScores',
  'Load',
  'Prune',
  'RecalibrateBN',
  'Restore',
  'Rewind',
  'Save',
  'Train',
]
