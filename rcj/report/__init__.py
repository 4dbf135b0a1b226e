"""Results of run directories as rows, tables, figures and one HTML page.

`read` gives rows; `table` aggregates them over seeds; `print_table` shows them
in a terminal, `print_attacks` the attacks alone; `write_html` writes a page
that needs nothing else. `fill` puts rows into the views of a sweep, which
`print_view` and `write_files` show. The page and the figures need matplotlib
and jinja2, the rest numpy and rich.
"""

from rcj.report.html import write_html
from rcj.report.rows import Row, read
from rcj.report.summary import Estimate, Line, Setting, table
from rcj.report.terminal import print_attacks, print_table
from rcj.report.views import Filled, Finding, fill, print_view, write_files

__all__ = [
  'Estimate',
  'Filled',
  'Finding',
  'Line',
  'Row',
  'Setting',
  'fill',
  'print_attacks',
  'print_table',
  'print_view',
  'read',
  'table',
  'write_files',
  'write_html',
]
