"""A view as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rcj.report.views.bars import bars
from rcj.report.views.filled import Filled
from rcj.report.views.lines import lines

if TYPE_CHECKING:
  from matplotlib.figure import Figure

_KINDS = {'bars': bars, 'lines': lines}


def figure(filled: Filled) -> Figure | None:
  """The figure of a view, in the style that is set.

  None for tables, whose numbers are all there is to see, and where nothing has
  been run.
  """
  draw = _KINDS.get(filled.view.kind)
  return draw(filled) if draw and filled.columns else None
