"""The tables and figures of a sweep, filled with what has been measured.

`fill` puts rows into the cells of a `grid.View`, and finds what becomes of a
claim; `figure` draws bars and lines; `print_view` shows the numbers in a
terminal; `write_files` writes SVG, CSV and Markdown.
"""

from rcj.report.views import answer
from rcj.report.views.claims import verdict
from rcj.report.views.figure import figure
from rcj.report.views.files import write_files
from rcj.report.views.fill import fill
from rcj.report.views.filled import Column, Filled, Finding, Outcome, Value
from rcj.report.views.table import notes
from rcj.report.views.terminal import print_view

__all__ = [
  'Column',
  'Filled',
  'Finding',
  'Outcome',
  'Value',
  'answer',
  'figure',
  'fill',
  'notes',
  'print_view',
  'verdict',
  'write_files',
]
