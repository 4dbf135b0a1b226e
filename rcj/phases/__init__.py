"""The phases that recipes are made of.

Each is a frozen value and a function from `Carry` to `Carry`. All are
deterministic; a restarted run takes those after its last training phase again.
"""

from rcj.phases.attacking import Attack
from rcj.phases.exporting import Export
from rcj.phases.gradual import Gradual
from rcj.phases.loading import Load
from rcj.phases.measuring import Evaluate
from rcj.phases.model_info import ModelInfo
from rcj.phases.network import Init, Restore, Rewind, Save
from rcj.phases.pruning import Prune
from rcj.phases.quantization import Quantize
from rcj.phases.random_weights import RandomWeights
from rcj.phases.recalibration import RecalibrateBN
from rcj.phases.scoring import FreezeMask, InitScores
from rcj.phases.shrinking import Shrink
from rcj.phases.training import Train

__all__ = [
  'Attack',
  'Evaluate',
  'Export',
  'FreezeMask',
  'Gradual',
  'Init',
  'InitScores',
  'Load',
  'ModelInfo',
  'Prune',
  'Quantize',
  'RandomWeights',
  'RecalibrateBN',
  'Restore',
  'Rewind',
  'Save',
  'Shrink',
  'Train',
]
