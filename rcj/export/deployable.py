"""Finished networks in the two forms that can leave the project."""

from __future__ import annotations

from rcj import models, quantize
from rcj.types import Frozen


def deployable(frozen: Frozen) -> Frozen:
  """The network as a folded `models.GraphNet` or a `models.IntNet`.

  Args:
    frozen: any network; one that trains with fake quantization becomes the
      integers that it stands for.
  """
  if isinstance(frozen.model, models.IntNet):
    return frozen
  if isinstance(frozen.model, models.QuantNet):
    return quantize.integers(frozen)
  return models.folded(frozen)
