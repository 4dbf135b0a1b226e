"""Weights of networks whose masks are fixed, dense ones among them."""

from __future__ import annotations

import dataclasses

from rcj import masks as masks_lib
from rcj.types import Counts, Masks, Params, Scores


def masked(
  params: Params, masks: Masks, scores: Scores, k: Counts | None
) -> Params:
  """Parameters with zeros where the masks are False.

  The gradient of a dormant weight is zero. Dense training is the special case
  of masks that are all None.

  Args:
    params: the network's parameters.
    masks: nesting of `params`; bool arrays, filter masks `[1,1,1,C]`, None.
    scores: not used.
    k: not used.
  """
  del scores, k
  return masks_lib.apply(params, masks)


@dataclasses.dataclass(frozen=True)
class Masked:
  """`masked` as an `Effective`; the weights of every phase without scores."""

  def __call__(
    self, params: Params, masks: Masks, scores: Scores, k: Counts | None
  ) -> Params:
    """See `masked`."""
    return masked(params, masks, scores, k)

  def counts(self, scores: Scores) -> None:
    """No counts are needed."""
    del scores
