"""Results of run directories as rows, tables, figures and one HTML page.

`read` gives rows; `table` aggregates them over seeds; `print_table` shows them
in a terminal; `write_html` writes a page that needs nothing else. The page
needs matplotlib and jinja2, the rest numpy and rich.
"""

from rcj.report.html import write_html
from rcj.report.rows import Row, read
from rcj.report.summary import Estimate, Line, Setting, table
from rcj.report.terminal import print_table

__all__ = [
  'Estimate',
  'Line',
  'Row',
  'Setting',
  'print_table',
  'read',
  'table',
  'write_html',
]
